//! Depthwise 3x3 convolution, zero padding 1, stride 1 or 2, in NHWC, with both gradients.

use crate::simd::vectorised;

/// Channels that stay in registers together with their nine weights.
const WIDE: usize = 8;
type Wide = [f32; WIDE];

/// Height, width, channels of one picture's activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plane {
    /// Rows.
    pub(crate) height: usize,
    /// Columns.
    pub(crate) width: usize,
    /// Channels, a multiple of 16.
    pub(crate) channels: usize,
}

impl Plane {
    /// Floats of one picture.
    pub(crate) fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// What a 3x3 convolution with padding 1 makes of it.
    pub(crate) fn strided(self, stride: usize) -> Self {
        Self {
            height: self.height.div_ceil(stride),
            width: self.width.div_ceil(stride),
            ..self
        }
    }

    fn padded(self) -> Self {
        Self {
            height: self.height + 2,
            width: self.width + 2,
            ..self
        }
    }
}

/// `input` holds whole pictures of `plane`; `weights` is [9, channels], taps row by row.
pub(crate) fn forward(input: &[f32], weights: &[f32], plane: Plane, stride: usize) -> Vec<f32> {
    let result_plane = plane.strided(stride);
    let mut result = vec![0.0; input.len() / plane.len() * result_plane.len()];
    let mut padded = vec![0.0; plane.padded().len()];
    for (picture, output) in input
        .chunks_exact(plane.len())
        .zip(result.chunks_exact_mut(result_plane.len()))
    {
        spread(picture, plane, 1, &mut padded, plane.width + 2);
        correlate(&padded, weights, plane.width + 2, result_plane, stride, output);
    }
    result
}

/// Gradient of the input: `gradient` holds whole pictures of `plane.strided(stride)`.
pub(crate) fn input_gradient(gradient: &[f32], weights: &[f32], plane: Plane, stride: usize) -> Vec<f32> {
    let source = plane.strided(stride);
    let mut result = vec![0.0; gradient.len() / source.len() * plane.len()];
    // The transposed convolution: zeros between the values, then the taps in reverse.
    let mut padded = vec![0.0; plane.padded().len()];
    let reversed: Vec<f32> = weights
        .chunks_exact(plane.channels)
        .rev()
        .flatten()
        .copied()
        .collect();
    for (picture, output) in gradient
        .chunks_exact(source.len())
        .zip(result.chunks_exact_mut(plane.len()))
    {
        spread(picture, source, stride, &mut padded, plane.width + 2);
        correlate(&padded, &reversed, plane.width + 2, plane, 1, output);
    }
    result
}

/// Gradient of the weights, [9, channels].
pub(crate) fn weight_gradient(input: &[f32], gradient: &[f32], plane: Plane, stride: usize) -> Vec<f32> {
    let source = plane.strided(stride);
    let mut sums = vec![0.0; 9 * plane.channels];
    let mut padded = vec![0.0; plane.padded().len()];
    for (picture, slope) in input
        .chunks_exact(plane.len())
        .zip(gradient.chunks_exact(source.len()))
    {
        spread(picture, plane, 1, &mut padded, plane.width + 2);
        accumulate(&padded, slope, plane.width + 2, source, stride, &mut sums);
    }
    sums
}

/// Copies a picture into the padded one: value (y, x) goes to (1 + y·step, 1 + x·step). Cells that no value
/// is ever written to stay as they are: zero.
fn spread(picture: &[f32], plane: Plane, step: usize, padded: &mut [f32], padded_width: usize) {
    let channels = plane.channels;
    for (y, row) in picture.chunks_exact(plane.width * channels).enumerate() {
        let start = ((1 + y * step) * padded_width + 1) * channels;
        if step == 1 {
            padded[start..start + row.len()].copy_from_slice(row);
        } else {
            let cells = padded[start..].chunks_mut(channels).step_by(step);
            for (cell, value) in cells.zip(row.chunks_exact(channels)) {
                cell.copy_from_slice(value);
            }
        }
    }
}

#[inline(always)]
fn three_rows(cells: &[Wide], row: usize, row_length: usize) -> [&[Wide]; 3] {
    let start = row * row_length;
    let (first, rest) = cells[start..start + 3 * row_length].split_at(row_length);
    let (second, third) = rest.split_at(row_length);
    [first, second, third]
}

vectorised! {
    fn correlate<'a>(
        padded: &'a [f32],
        weights: &'a [f32],
        padded_width: usize,
        result: Plane,
        stride: usize,
        output: &'a mut [f32],
    ) {
        let blocks = result.channels / WIDE;
        let (cells, _) = padded.as_chunks::<WIDE>();
        let (taps, _) = weights.as_chunks::<WIDE>();
        let (output, _) = output.as_chunks_mut::<WIDE>();
        let span = 2 * blocks + 1;
        for (y, out_row) in output.chunks_exact_mut(result.width * blocks).enumerate() {
            let rows = three_rows(cells, y * stride, padded_width * blocks);
            for block in 0..blocks {
                let mut local = [[0.0; WIDE]; 9];
                for (tap, weight) in local.iter_mut().enumerate() {
                    *weight = taps[tap * blocks + block];
                }
                let mut start = block;
                for out in out_row[block..].iter_mut().step_by(blocks) {
                    let mut sum = [0.0; WIDE];
                    for (row, weights) in rows.iter().zip(local.as_chunks::<3>().0) {
                        let window = &row[start..start + span];
                        for (cell, weight) in [&window[0], &window[blocks], &window[2 * blocks]].iter().zip(weights)
                        {
                            for lane in 0..WIDE {
                                sum[lane] = cell[lane].mul_add(weight[lane], sum[lane]);
                            }
                        }
                    }
                    *out = sum;
                    start += stride * blocks;
                }
            }
        }
    }
}

vectorised! {
    fn accumulate<'a>(
        padded: &'a [f32],
        gradient: &'a [f32],
        padded_width: usize,
        source: Plane,
        stride: usize,
        sums: &'a mut [f32],
    ) {
        let blocks = source.channels / WIDE;
        let (cells, _) = padded.as_chunks::<WIDE>();
        let (slopes, _) = gradient.as_chunks::<WIDE>();
        let (sums, _) = sums.as_chunks_mut::<WIDE>();
        let span = 2 * blocks + 1;
        for (y, slope_row) in slopes.chunks_exact(source.width * blocks).enumerate() {
            let rows = three_rows(cells, y * stride, padded_width * blocks);
            for block in 0..blocks {
                let mut local = [[0.0; WIDE]; 9];
                let mut start = block;
                for slope in slope_row[block..].iter().step_by(blocks) {
                    for (row, sums) in rows.iter().zip(local.as_chunks_mut::<3>().0) {
                        let window = &row[start..start + span];
                        for (cell, sum) in [&window[0], &window[blocks], &window[2 * blocks]].iter().zip(sums) {
                            for lane in 0..WIDE {
                                sum[lane] = cell[lane].mul_add(slope[lane], sum[lane]);
                            }
                        }
                    }
                    start += stride * blocks;
                }
                for (tap, sum) in local.iter().enumerate() {
                    for lane in 0..WIDE {
                        sums[tap * blocks + block][lane] += sum[lane];
                    }
                }
            }
        }
    }
}
