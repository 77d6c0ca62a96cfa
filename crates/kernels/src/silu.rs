//! SiLU, x / (1 + e^-x), by a polynomial for the fractional power of two: the constants that all paths share.
//!
//! The portable and the AVX2 path end in a true division; the AVX-512 path, where a division takes as long as thirty
//! multiplications, in the processor's reciprocal and a step of Newton's. The paths agree to some 1e-6, not to the bit.

#[cfg(target_arch = "x86_64")]
use crate::layout::Lanes;

/// Below this, SiLU is -0 to within 1e-36.
pub(crate) const LOWEST: f32 = -87.0;
/// The power of two stays a normal number.
pub(crate) const LOWEST_POWER: f32 = -126.0;
/// -log2(e).
pub(crate) const MINUS_LOG2_E: f32 = -std::f32::consts::LOG2_E;
/// 2^f for f in [-1/2, 1/2], highest power first; the constant term is 1. Minimax, relative error below 1.1e-7.
pub(crate) const POWER: [f32; 5] = [
    1.330_060_7e-3,
    9.669_691e-3,
    5.550_558_5e-2,
    0.240_222_83,
    std::f32::consts::LN_2,
];
/// Added to a small number and taken away again, this rounds it to the nearest whole number; the whole number
/// itself stands in the lowest bits of the sum.
pub(crate) const ROUNDING: f32 = 12_582_912.0;
/// The exponent bits of 1.0.
pub(crate) const EXPONENT_OF_ONE: u32 = 127 << 23;

/// Added to a number and taken away again, this rounds it to the nearest sixteenth.
#[cfg(target_arch = "x86_64")]
pub(crate) const SIXTEENTHS: f32 = 786_432.0;
/// 2^f for f in [-1/32, 1/32] is 1 + `STRAIGHT` f + `SQUARE` f² to within 5e-7 of itself: Taylor's series with the
/// cubic term's best straight line (3/4 of its value at the end of the range) put into the straight one.
#[cfg(target_arch = "x86_64")]
pub(crate) const STRAIGHT: f32 = 0.693_187_83;
#[cfg(target_arch = "x86_64")]
pub(crate) const SQUARE: f32 = 0.240_226_5;
/// 2^(n/16).
#[cfg(target_arch = "x86_64")]
pub(crate) const ROOTS: Lanes = Lanes([
    1.0,
    1.044_273_7,
    1.090_507_7,
    1.138_788_6,
    1.189_207_1,
    1.241_857_8,
    1.296_839_6,
    1.354_255_6,
    std::f32::consts::SQRT_2,
    1.476_826_2,
    1.542_210_8,
    1.610_490_3,
    1.681_792_9,
    1.756_252_2,
    1.834_008_1,
    1.915_206_6,
]);

/// SiLU of one number; NaN stays NaN, -∞ gives -0 to within 1e-36, +∞ stays.
pub(crate) fn silu(x: f32) -> f32 {
    // Written so that NaN passes: f32::max would take the other operand.
    let x = if x < LOWEST { LOWEST } else { x };
    let power = x * MINUS_LOG2_E;
    let power = if power < LOWEST_POWER { LOWEST_POWER } else { power };
    let rounded = power + ROUNDING;
    let fraction = power - (rounded - ROUNDING);
    let [highest, rest @ ..] = POWER;
    let mut sum = highest;
    for coefficient in rest {
        sum = sum * fraction + coefficient;
    }
    sum = sum * fraction + 1.0;
    let scale = f32::from_bits((rounded.to_bits() << 23).wrapping_add(EXPONENT_OF_ONE));
    x / (1.0 + sum * scale)
}

#[cfg(test)]
mod tests {
    use super::silu;

    #[test]
    fn agrees_with_the_definition() {
        for step in -2000..2000 {
            let x = step as f32 / 50.0;
            let exact = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            assert!(
                (f64::from(silu(x)) - exact).abs() <= 1e-6 * exact.abs().max(1e-3),
                "{x}"
            );
        }
    }

    #[test]
    fn keeps_to_its_limits() {
        assert!(silu(f32::NAN).is_nan());
        assert_eq!(silu(f32::INFINITY), f32::INFINITY);
        assert_eq!(silu(1e38), 1e38);
        assert!(silu(f32::NEG_INFINITY).abs() < 1e-35);
        assert!(silu(-1e38).abs() < 1e-35);
        assert_eq!(silu(0.0), 0.0);
    }
}
