//! The inner loops in plain Rust. They multiply and then add, because a fused multiply-add without the instruction
//! for it is a slow function call: they agree with the vector paths to rounding, not to the bit.

use std::mem::MaybeUninit;

use crate::depthwise::DepthwiseJob;
use crate::layout::{BLOCK, Lanes};
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

fn store(out: &mut [MaybeUninit<f32>], values: impl IntoIterator<Item = f32>) {
    for (slot, value) in out.iter_mut().zip(values) {
        slot.write(value);
    }
}

pub(crate) fn pointwise(job: &PointwiseJob<'_>, out: &mut [MaybeUninit<f32>]) {
    let plane = job.pixels * BLOCK;
    let weights_of_block = job.weights.len() / job.bias.len();
    for pixel in 0..job.pixels {
        let lanes = pixel * BLOCK..(pixel + 1) * BLOCK;
        for (number, bias) in job.bias.iter().enumerate() {
            let mut sums = bias.0;
            let values = job
                .inputs
                .iter()
                .flat_map(|input| input.chunks_exact(plane))
                .flat_map(|p| &p[lanes.clone()]);
            for (weights, &value) in job.weights[number * weights_of_block..].iter().zip(values) {
                add_scaled(&mut sums, weights, value);
            }
            if job.silu {
                sums = sums.map(silu);
            }
            let place = number * plane + lanes.start..number * plane + lanes.end;
            if let Some(residual) = job.residual {
                sums.iter_mut()
                    .zip(&residual[place.clone()])
                    .for_each(|(sum, value)| *sum += value);
            }
            store(&mut out[place], sums);
        }
    }
}

pub(crate) fn depthwise(job: &DepthwiseJob<'_>, out: &mut [MaybeUninit<f32>]) {
    let (height, width) = (job.height, job.width);
    for (index, out) in out.chunks_exact_mut(BLOCK).enumerate() {
        let (top, left) = (
            index / job.out_width() * job.stride,
            index % job.out_width() * job.stride,
        );
        let mut sums = job.bias.0;
        for (tap, weights) in job.weights.iter().enumerate() {
            // Counted from the padding: 0 is one before the picture.
            let (row, column) = (top + tap / 3, left + tap % 3);
            if (1..=height).contains(&row) && (1..=width).contains(&column) {
                let place = ((row - 1) * width + column - 1) * BLOCK;
                add_product(&mut sums, weights, &job.input[place..place + BLOCK]);
            }
        }
        store(out, sums.map(silu));
    }
}

pub(crate) fn stem(job: &StemJob<'_>, out: &mut [MaybeUninit<f32>]) {
    for (index, out) in out.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = job.bias.0;
        for (row, weights) in job.rows.iter().zip(job.weights.chunks_exact(ROW_TAPS)) {
            for (weights, &value) in weights.iter().zip(&row[index * STEP..index * STEP + ROW_TAPS]) {
                add_scaled(&mut sums, weights, value);
            }
        }
        store(out, sums.map(silu));
    }
}
