//! Numbers that carry their derivatives by `N` variables (forward differentiation).

use std::ops::{Add, Div, Mul, Sub};

/// A value and its derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dual<const N: usize> {
    pub(crate) value: f32,
    pub(crate) slopes: [f32; N],
}

impl<const N: usize> Dual<N> {
    pub(crate) fn constant(value: f32) -> Self {
        Self {
            value,
            slopes: [0.0; N],
        }
    }

    /// The variable number `index`.
    pub(crate) fn variable(value: f32, index: usize) -> Self {
        let mut dual = Self::constant(value);
        dual.slopes[index] = 1.0;
        dual
    }

    pub(crate) fn minimum(self, other: Self) -> Self {
        if self.value <= other.value { self } else { other }
    }

    pub(crate) fn maximum(self, other: Self) -> Self {
        if self.value >= other.value { self } else { other }
    }

    /// Cut to −`limit`..=`limit`; flat beyond.
    pub(crate) fn clamp(self, limit: f32) -> Self {
        self.minimum(Self::constant(limit))
            .maximum(Self::constant(-limit))
    }

    pub(crate) fn exponential(self) -> Self {
        let value = self.value.exp();
        Self {
            value,
            slopes: self.slopes.map(|slope| slope * value),
        }
    }

    fn combine(self, other: Self, value: f32, by_self: f32, by_other: f32) -> Self {
        let mut slopes = [0.0; N];
        for (slope, (a, b)) in slopes.iter_mut().zip(self.slopes.iter().zip(&other.slopes)) {
            *slope = a * by_self + b * by_other;
        }
        Self { value, slopes }
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.combine(other, self.value + other.value, 1.0, 1.0)
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.combine(other, self.value - other.value, 1.0, -1.0)
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.combine(other, self.value * other.value, other.value, self.value)
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let inverse = 1.0 / other.value;
        self.combine(
            other,
            self.value * inverse,
            inverse,
            -self.value * inverse * inverse,
        )
    }
}
