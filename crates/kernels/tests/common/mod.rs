//! Numbers for tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use candle_core::Tensor;

/// Repeatable numbers in [-1, 1).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    }

    pub(crate) fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The same with NaN, infinities, huge and tiny numbers among them.
    pub(crate) fn wild(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| {
                let number = self.next();
                match (number.to_bits() >> 3) % 41 {
                    0 => f32::NAN,
                    1 => f32::INFINITY,
                    2 => f32::NEG_INFINITY,
                    3 => 1e30 * number,
                    4 => 1e-40,
                    _ => 10.0 * number,
                }
            })
            .collect()
    }
}

pub(crate) fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let near = (found.is_nan() && expected.is_nan())
            || found == expected
            || (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(near, "number {index}: {found} instead of {expected}");
    }
}
