//! Vectorised loops: plain Rust over fixed groups of floats, compiled for the processor at hand.

/// Floats that one inner loop handles together. Every channel count of the net is a multiple of it.
pub(crate) const LANES: usize = 16;

/// One group of neighbouring channels.
pub(crate) type Lanes = [f32; LANES];

/// Declares a function whose body is compiled for the best vector instructions of this processor (AVX2 with
/// FMA, or plain code). What the body calls must be `#[inline(always)]`, or it is compiled for the oldest
/// processor; that holds for closures too, so loops over slices are written out.
macro_rules! vectorised {
    ($(#[$attribute:meta])* fn $name:ident<'a>($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        fn $name<'a>($($argument: $kind),*) $(-> $result)? {
            struct Work<'a> {
                lifetime: std::marker::PhantomData<&'a ()>,
                $($argument: $kind),*
            }
            impl<'a> pulp::NullaryFnOnce for Work<'a> {
                type Output = vectorised!(@result $($result)?);
                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Work { lifetime: _, $($argument),* } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Work { lifetime: std::marker::PhantomData, $($argument),* })
        }
    };
    (@result) => { () };
    (@result $result:ty) => { $result };
}
pub(crate) use vectorised;

/// e to the power of `x`, relative error below 3e-7 for −87 ≤ x ≤ 87; `x` is clamped to that range.
/// Cephes' `expf`: e^x = 2^n · e^r with |r| ≤ ln 2 / 2, without a branch, so that it vectorises.
#[inline(always)]
pub(crate) fn exponential(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits.
    const ROUNDER: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let mut polynomial = 1.987_569_1e-4_f32;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        polynomial = polynomial.mul_add(r, coefficient);
    }
    let mantissa = polynomial.mul_add(r * r, r + 1.0);
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    mantissa * power
}

/// 1 / (1 + e^−x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_agrees_with_the_library() {
        for step in -8_600..=8_600 {
            let x = step as f32 * 0.01;
            let (own, library) = (exponential(x), x.exp());
            assert!(
                (own - library).abs() <= 3e-7 * library,
                "{x}: {own} against {library}"
            );
        }
        assert_eq!(sigmoid(0.0), 0.5);
        assert!(sigmoid(-1000.0) >= 0.0 && sigmoid(1000.0) <= 1.0);
    }
}
