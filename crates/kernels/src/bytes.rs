//! 1x1 convolutions over bytes: the weights, and the inner loop in plain Rust.
//!
//! With a pixel's channels v ≈ l + s q (q from 0 to 255) and an output's weights w ≈ t p (p from -127 to 127), the sum
//! Σ w v is t (l Σ p + s Σ p q), and Σ p q is a sum of whole numbers.

use crate::layout::{BLOCK, Lanes};
use crate::pointwise::PointwiseJob;
use crate::silu::silu;

/// Channels whose products the processor adds at once.
pub(crate) const QUAD: usize = 4;
/// With fewer channels than this the rounding of the inputs takes longer than it saves.
const FEWEST_CHANNELS: usize = 64;
/// With more, the rounded inputs would not fit the memory that the loops have for them.
const MOST_CHANNELS: usize = 2048;
/// Steps between the lowest and the highest byte of an input.
pub(crate) const STEPS: f32 = 255.0;
const LARGEST_WEIGHT: f32 = 127.0;

/// Four weights for each of sixteen outputs on one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Quads(pub(crate) [[i8; QUAD]; BLOCK]);

/// The rounded weights of a convolution.
#[derive(Clone, Debug)]
pub(crate) struct ByteWeights {
    /// `[output block][input channel / 4]`.
    pub(crate) quads: Vec<Quads>,
    /// `[output block]`: what one step of a weight is worth.
    pub(crate) scale: Vec<Lanes>,
    /// `[output block]`: the sum of the rounded weights.
    pub(crate) sum: Vec<Lanes>,
}

/// A pixel's `value ≈ lowest + step * byte`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Range {
    pub(crate) lowest: f32,
    pub(crate) step: f32,
    /// Bytes for one.
    pub(crate) inverse: f32,
}

impl Range {
    pub(crate) fn between(lowest: f32, highest: f32) -> Self {
        let length = highest - lowest;
        Self {
            lowest,
            step: length / STEPS,
            inverse: if length > 0.0 { STEPS / length } else { 0.0 },
        }
    }
}

impl ByteWeights {
    /// Of `[output block][input channel]`; `None` where bytes are not worth it.
    pub(crate) fn round(weights: &[Lanes], blocks: usize) -> Option<Self> {
        let channels = weights.len().checked_div(blocks)?;
        if !(FEWEST_CHANNELS..=MOST_CHANNELS).contains(&channels) {
            return None;
        }
        let mut rounded = Self {
            quads: vec![Quads([[0; QUAD]; BLOCK]); weights.len() / QUAD],
            scale: vec![Lanes::ZERO; blocks],
            sum: vec![Lanes::ZERO; blocks],
        };
        for (number, weights) in weights.chunks_exact(channels).enumerate() {
            for lane in 0..BLOCK {
                let largest = weights
                    .iter()
                    .fold(0.0f32, |most, lanes| most.max(lanes.0[lane].abs()));
                let scale = largest / LARGEST_WEIGHT;
                rounded.scale[number].0[lane] = scale;
                for (channel, lanes) in weights.iter().enumerate() {
                    // No more than 127 by the choice of the scale; an output without weights stays 0.
                    let byte = if scale > 0.0 {
                        (lanes.0[lane] / scale).round_ties_even() as i8
                    } else {
                        0
                    };
                    let place = (number * channels + channel) / QUAD;
                    rounded.quads[place].0[lane][channel % QUAD] = byte;
                    rounded.sum[number].0[lane] += f32::from(byte);
                }
            }
        }
        Some(rounded)
    }

    /// The job's channels and outputs are these. The vector path rests on this.
    pub(crate) fn fit(&self, job: &PointwiseJob<'_>) -> bool {
        let (blocks, channels) = (job.bias.len(), job.input_blocks() * BLOCK);
        channels <= MOST_CHANNELS
            && self.quads.len() * QUAD == blocks * channels
            && self.scale.len() == blocks
            && self.sum.len() == blocks
    }
}

pub(crate) fn pointwise(job: &PointwiseJob<'_>, weights: &ByteWeights, out: &mut [f32]) {
    let quads_of_block = job.input_blocks() * BLOCK / QUAD;
    for pixel in 0..job.pixels {
        let values: Vec<f32> = job
            .inputs
            .iter()
            .flat_map(|input| {
                (0..input.blocks)
                    .flat_map(move |block| &input.numbers[block * input.stride + pixel * BLOCK..][..BLOCK])
            })
            .copied()
            .collect();
        let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
        let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = Range::between(lowest, highest);
        let byte = |value: &f32| ((value - range.lowest) * range.inverse).round_ties_even() as u8;
        let bytes: Vec<u8> = values.iter().map(byte).collect();
        let (quads, _) = bytes.as_chunks::<QUAD>();
        for number in 0..job.bias.len() {
            for lane in 0..BLOCK {
                let of_block = &weights.quads[number * quads_of_block..(number + 1) * quads_of_block];
                let products = of_block.iter().zip(quads).flat_map(|(weights, bytes)| {
                    let pairs = weights.0[lane].into_iter().zip(bytes);
                    pairs.map(|(weight, &byte)| i32::from(weight) * i32::from(byte))
                });
                let sum = products.sum::<i32>() as f32;
                let place = pixel * BLOCK + lane;
                let start = match job.start {
                    Some(start) => start.numbers[number * start.stride + place],
                    None => job.bias[number].0[lane],
                };
                let sum = range.step * sum + range.lowest * weights.sum[number].0[lane];
                let mut value = weights.scale[number].0[lane] * sum + start;
                if job.silu {
                    value = silu(value);
                }
                if let Some(residual) = job.residual {
                    value += residual.numbers[number * residual.stride + place];
                }
                out[number * job.out_stride + place] = value;
            }
        }
    }
}
