//! Every kernel against plain arithmetic in f64, on whatever processors there are: the emulation, and the first device.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod candidates;
mod convolutions;
mod others;

use half::f16;

use crate::{Executor, Limits, PlanSettings, Processor};

/// With `MINESEAL_REQUIRE_DEVICE`, a machine without a device fails the tests.
fn processors() -> Vec<Processor> {
    let mut found: Vec<Processor> = Vec::new();
    #[cfg(feature = "emulation")]
    found.extend([Processor::Emulation]);
    #[cfg(feature = "device")]
    match Processor::device(0) {
        Ok(device) => found.push(device),
        Err(error) if std::env::var_os("MINESEAL_REQUIRE_DEVICE").is_some() => panic!("{error}"),
        Err(error) => println!("skipped: the kernels on a device: {error}"),
    }
    found
}

/// Numbers that differ from run to run of nothing: a linear congruential generator.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize, size: f32) -> Vec<f32> {
        // As the device keeps them, so that what is compared is the arithmetic.
        (0..count)
            .map(|_| f16::from_f32(self.next() * size).to_f32())
            .collect()
    }
}

fn settings(pictures: usize, height: usize, width: usize) -> PlanSettings {
    PlanSettings {
        pictures,
        height,
        width,
        strides: [8, 16, 32],
        limits: Limits {
            least_objectness: f32::NEG_INFINITY,
            score: 0.5,
        },
        capacity: None,
        keep_classes: true,
    }
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn put(input: &mut [u8], numbers: &[f32]) {
    for (bytes, number) in input.chunks_exact_mut(2).zip(numbers) {
        bytes.copy_from_slice(&f16::from_f32(*number).to_le_bytes());
    }
}

fn halves(executor: &mut Executor, start: usize, count: usize) -> Vec<f32> {
    let bytes = executor.read(start..start + 2 * count).unwrap();
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&bytes| f16::from_le_bytes(bytes).to_f32())
        .collect()
}

fn agree(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(found) - expected).abs();
        // An f16 has 11 bits; the depthwise part is rounded to it once more on the way.
        assert!(
            distance <= 2e-3 * (1.0 + expected.abs()),
            "{what}: place {place} is {found}, not {expected}"
        );
    }
}
