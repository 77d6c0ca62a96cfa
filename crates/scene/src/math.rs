//! Arithmetic that gives the same bits on every machine: only operations that IEEE 754 rounds exactly
//! (add, subtract, multiply, divide, square root, floor) and own polynomials on top of them.

use std::ops::{Add, Mul, Neg, Sub};

/// A point or direction of the scene in metres: `x` to the right, `y` up, `z` away from the camera's side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Vec3 {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
}

pub(crate) const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    pub(crate) const ZERO: Self = vec3(0.0, 0.0, 0.0);
    pub(crate) const UP: Self = vec3(0.0, 1.0, 0.0);

    pub(crate) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(crate) fn cross(self, other: Self) -> Self {
        vec3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    pub(crate) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    pub(crate) fn normalised(self) -> Self {
        let length = self.length();
        if length > 1e-9 {
            self * (1.0 / length)
        } else {
            Self::UP
        }
    }

    pub(crate) fn mix(self, other: Self, share: f32) -> Self {
        self + (other - self) * share
    }

    /// Component by component: colours.
    pub(crate) fn times(self, other: Self) -> Self {
        vec3(self.x * other.x, self.y * other.y, self.z * other.z)
    }

    pub(crate) fn largest(self) -> f32 {
        self.x.max(self.y).max(self.z)
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        vec3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        vec3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        vec3(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        vec3(-self.x, -self.y, -self.z)
    }
}

/// Sine of `turns` whole turns (1 is 360 degrees), error below 2e-6.
pub(crate) fn sine(turns: f32) -> f32 {
    // Fold to the quarter turn around zero, then an odd polynomial of the ninth degree.
    let folded = turns - (turns + 0.5).floor();
    let quarter = if folded > 0.25 {
        0.5 - folded
    } else if folded < -0.25 {
        -0.5 - folded
    } else {
        folded
    };
    let angle = quarter * std::f32::consts::TAU;
    let square = angle * angle;
    angle
        * (1.0
            + square
                * (-1.0 / 6.0
                    + square * (1.0 / 120.0 + square * (-1.0 / 5040.0 + square * (1.0 / 362_880.0)))))
}

/// Cosine of `turns` whole turns.
pub(crate) fn cosine(turns: f32) -> f32 {
    sine(turns + 0.25)
}

pub(crate) fn degrees(angle: f32) -> f32 {
    angle / 360.0
}

pub(crate) fn clamp01(value: f32) -> f32 {
    value.clamp(0.0, 1.0)
}

pub(crate) fn mix(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// 0 below `low`, 1 above `high`, smooth between.
pub(crate) fn smoothstep(low: f32, high: f32, value: f32) -> f32 {
    let share = clamp01((value - low) / (high - low));
    share * share * (3.0 - 2.0 * share)
}

/// A well mixed 32-bit hash (the finaliser of MurmurHash3).
pub(crate) fn hash(value: u32) -> u32 {
    let mut mixed = value;
    mixed ^= mixed >> 16;
    mixed = mixed.wrapping_mul(0x85eb_ca6b);
    mixed ^= mixed >> 13;
    mixed = mixed.wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 16)
}

/// Hash of a lattice point.
pub(crate) fn hash2(x: i32, y: i32, seed: u32) -> u32 {
    hash((x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77) ^ seed)
}

/// The hash as a fraction, 0 to 1.
pub(crate) fn unit(value: u32) -> f32 {
    (value >> 8) as f32 / 16_777_216.0
}

/// Smooth noise between 0 and 1 with features of the size 1.
pub(crate) fn noise2(x: f32, y: f32, seed: u32) -> f32 {
    let (floor_x, floor_y) = (x.floor(), y.floor());
    let (cell_x, cell_y) = (floor_x as i32, floor_y as i32);
    let (fx, fy) = (x - floor_x, y - floor_y);
    let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let at = |dx: i32, dy: i32| unit(hash2(cell_x.wrapping_add(dx), cell_y.wrapping_add(dy), seed));
    mix(mix(at(0, 0), at(1, 0), sx), mix(at(0, 1), at(1, 1), sx), sy)
}

/// Noise in three octaves, between 0 and 1.
pub(crate) fn cloud(x: f32, y: f32, seed: u32) -> f32 {
    0.57 * noise2(x, y, seed)
        + 0.28 * noise2(x * 2.03, y * 2.03, seed ^ 0x51)
        + 0.15 * noise2(x * 4.1, y * 4.1, seed ^ 0xa3)
}

/// A small sequence of pseudo-random numbers (SplitMix64), the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x6d69_6e65_7365_616c)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from `low` to `high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / 16_777_216.0)
    }

    /// Evenly from 0 to `count` - 1; 0 where `count` is 0.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        ((u64::from((self.next() >> 32) as u32) * u64::from(count)) >> 32) as u32
    }

    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// One of `choices`; `fallback` where there is none.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T], fallback: T) -> T {
        choices
            .get(self.below(choices.len() as u32) as usize)
            .copied()
            .unwrap_or(fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_sine_agrees_with_the_library() {
        for step in -4000..4000 {
            let turns = step as f32 * 0.000_73;
            let exact = (f64::from(turns) * std::f64::consts::TAU).sin();
            assert!((f64::from(sine(turns)) - exact).abs() < 5e-6, "{turns}");
        }
    }

    #[test]
    fn dice_are_even() {
        let mut dice = Dice::new(1);
        let mut counts = [0; 6];
        for _ in 0..60_000 {
            counts[dice.below(6) as usize] += 1;
        }
        assert!(
            counts.iter().all(|&count| (9_500..10_500).contains(&count)),
            "{counts:?}"
        );
    }
}
