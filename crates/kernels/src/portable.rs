//! The inner loops in plain Rust. They multiply and then add, because a fused multiply-add without the instruction
//! for it is a slow function call: they agree with the vector paths to rounding, not to the bit.

use crate::depthwise::DepthwiseRow;
use crate::layout::{BLOCK, Lanes};
use crate::map::Planes;
use crate::pointwise::PointwiseJob;
use crate::silu::silu;
use crate::stem::{ROW_TAPS, STEP, StemJob};

fn add_product(sums: &mut [f32; BLOCK], weights: &Lanes, values: &[f32]) {
    for ((sum, weight), value) in sums.iter_mut().zip(&weights.0).zip(values) {
        *sum += weight * value;
    }
}

fn add_scaled(sums: &mut [f32; BLOCK], weights: &Lanes, value: f32) {
    for (sum, weight) in sums.iter_mut().zip(&weights.0) {
        *sum += weight * value;
    }
}

/// The lanes of one pixel of one block.
fn pixel<'a>(planes: Planes<'a>, block: usize, pixel: usize) -> &'a [f32] {
    &planes.numbers[block * planes.stride + pixel * BLOCK..][..BLOCK]
}

pub(crate) fn pointwise(job: &PointwiseJob<'_>, out: &mut [f32]) {
    let weights_of_block = job.input_blocks() * BLOCK;
    for place in 0..job.pixels {
        for (number, bias) in job.bias.iter().enumerate() {
            let mut sums = bias.0;
            if let Some(start) = job.start {
                sums.copy_from_slice(pixel(start, number, place));
            }
            let values = job
                .inputs
                .iter()
                .flat_map(|input| (0..input.blocks).flat_map(move |block| pixel(*input, block, place)));
            for (weights, &value) in job.weights[number * weights_of_block..].iter().zip(values) {
                add_scaled(&mut sums, weights, value);
            }
            if job.silu {
                sums = sums.map(silu);
            }
            if let Some(residual) = job.residual {
                let residual = pixel(residual, number, place);
                sums.iter_mut()
                    .zip(residual)
                    .for_each(|(sum, value)| *sum += value);
            }
            let start = number * job.out_stride + place * BLOCK;
            out[start..start + BLOCK].copy_from_slice(&sums);
        }
    }
}

pub(crate) fn depthwise(job: &DepthwiseRow<'_>, out: &mut [f32]) {
    for (index, out) in out.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = job.bias.0;
        for (tap, weights) in job.weights.iter().enumerate() {
            // Counted from the padding: 0 is one before the picture.
            let column = index * job.stride + tap % 3;
            if (1..=job.width).contains(&column) {
                let place = (column - 1) * BLOCK;
                add_product(&mut sums, weights, &job.rows[tap / 3][place..place + BLOCK]);
            }
        }
        out.copy_from_slice(&sums.map(silu));
    }
}

pub(crate) fn stem(job: &StemJob<'_>, out: &mut [f32]) {
    for (index, out) in out.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = job.bias.0;
        for (row, weights) in job.rows.iter().zip(job.weights.chunks_exact(ROW_TAPS)) {
            for (weights, &value) in weights.iter().zip(&row[index * STEP..index * STEP + ROW_TAPS]) {
                add_scaled(&mut sums, weights, value);
            }
        }
        out.copy_from_slice(&sums.map(silu));
    }
}

/// Bytes as numbers.
pub(crate) fn widen(bytes: &[u8], numbers: &mut [f32]) {
    for (number, &byte) in numbers.iter_mut().zip(bytes) {
        *number = f32::from(byte);
    }
}
