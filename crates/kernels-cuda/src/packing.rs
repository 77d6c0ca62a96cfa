//! Weights in the order in which the kernels read them; `kernels/pixels.cuh` says why.

use half::f16;

/// Channels that a warp takes at once.
pub(crate) const CHUNK: usize = 32;
/// Channels that a lane holds: 16 bytes.
pub(crate) const LANE: usize = 8;
const LANES: usize = 32;
/// Columns of the tensor cores' tile.
const COLUMNS: usize = 8;

/// A number of a weight `[outputs, inputs]`; zero beside it.
fn at(weight: &[f32], (outputs, inputs): (usize, usize), output: usize, input: usize) -> f16 {
    match output < outputs && input < inputs {
        true => f16::from_f32(weight[output * inputs + input]),
        false => f16::ZERO,
    }
}

/// Inputs of a lane: half as many where there are so few that the others would be idle.
pub(crate) fn inputs_of_lane(inputs: usize) -> usize {
    if inputs <= CHUNK / 2 { LANE / 2 } else { LANE }
}

/// A 1x1 convolution `[outputs, inputs]`: for each chunk of 32 outputs, chunk of inputs and tile of 8 outputs, the
/// numbers of each lane.
pub(crate) fn pointwise(weight: &[f32], outputs: usize, inputs: usize) -> Vec<f16> {
    let own = inputs_of_lane(inputs);
    let mut packed = Vec::new();
    for output_chunk in 0..outputs.div_ceil(CHUNK) {
        for input_chunk in 0..inputs.div_ceil(4 * own) {
            for tile in 0..CHUNK / COLUMNS {
                for lane in 0..LANES {
                    let (g, t) = (lane / 4, lane % 4);
                    let output = CHUNK * output_chunk + LANE * (g / 2) + 2 * tile + g % 2;
                    let input = 4 * own * input_chunk + own * t;
                    packed.extend((0..own).map(|k| at(weight, (outputs, inputs), output, input + k)));
                }
            }
        }
    }
    packed
}

/// The last 1x1 convolution, at most 8 outputs in their own order.
pub(crate) fn prediction(weight: &[f32], outputs: usize, inputs: usize) -> Vec<f16> {
    let mut packed = Vec::new();
    for input_chunk in 0..inputs.div_ceil(CHUNK) {
        for lane in 0..LANES {
            let input = CHUNK * input_chunk + LANE * (lane % 4);
            packed.extend((0..LANE).map(|k| at(weight, (outputs, inputs), lane / 4, input + k)));
        }
    }
    packed
}

/// A depthwise convolution `[channels, 3, 3]`: for each chunk of channels 9 taps of them.
pub(crate) fn depthwise(weight: &[f32], channels: usize) -> Vec<f32> {
    let chunk = 4 * inputs_of_lane(channels);
    let mut packed = Vec::new();
    for first in (0..channels).step_by(chunk) {
        for tap in 0..9 {
            let taps = (first..first + chunk).map(|channel| weight.get(channel * 9 + tap));
            packed.extend(taps.map(|tap| tap.copied().unwrap_or_default()));
        }
    }
    packed
}

/// Products of the first convolution, and what the tensor cores' steps of 16 make of it.
const STEM_PRODUCTS: usize = 108;
const STEM_STEPS: usize = 7;

/// The first convolution `[outputs, 12, 3, 3]` over four pixels on top of each other, as one over 6x6 pixels: for each
/// 16 outputs, step of 16 products and tile of 8 outputs, 4 numbers for each lane.
pub(crate) fn stem(weight: &[f32], outputs: usize) -> Vec<f16> {
    // Row, column and colour of a product.
    let product = |output: usize, number: usize| {
        let (row, column, colour) = (number / 18, number % 18 / 3, number % 3);
        // Top left, bottom left, top right, bottom right.
        let square = row % 2 + 2 * (column % 2);
        let channel = 3 * square + colour;
        match number < STEM_PRODUCTS {
            true => f16::from_f32(weight[(output * 12 + channel) * 9 + row / 2 * 3 + column / 2]),
            false => f16::ZERO,
        }
    };
    let mut packed = Vec::new();
    for group in 0..outputs / 16 {
        for step in 0..STEM_STEPS {
            for tile in 0..2 {
                for lane in 0..LANES {
                    let (g, t) = (lane / 4, lane % 4);
                    let output = 16 * group + 4 * (g / 2) + 2 * tile + g % 2;
                    let first = 16 * step + 2 * t;
                    packed.extend(
                        [first, first + 1, first + 8, first + 9].map(|number| product(output, number)),
                    );
                }
            }
        }
    }
    packed
}
