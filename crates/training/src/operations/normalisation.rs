//! Batch normalisation and SiLU in one step, over rows of channels (NHWC), with the gradient.

use crate::simd::{LANES, Lanes, sigmoid, vectorised};

/// Added to the variance before the root, as YOLOX does.
pub(crate) const EPSILON: f32 = 1e-3;

/// Mean and variance of every channel over one batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    /// Mean by channel.
    pub(crate) mean: Vec<f32>,
    /// Variance by channel, divided by the number of rows.
    pub(crate) variance: Vec<f32>,
}

/// Gradients of scale and shift, and in place of the outer gradient that of the normalised values' source.
pub(crate) struct Gradients {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

/// Floats whose sums are taken in f32 before they are added up in f64; fits the first cache level.
const STRETCH: usize = 4096;

/// What [`column_sums`] adds up: `N` groups of numbers from each group of values.
trait Terms<const N: usize> {
    /// The numbers at a group's place in the values; `block` is the group's place in its row.
    fn at(&mut self, index: usize, block: usize) -> [Lanes; N];
}

/// Adds up the terms by channel.
#[inline(always)]
fn column_sums<const N: usize>(rows: usize, blocks: usize, mut terms: impl Terms<N>) -> [Vec<f64>; N] {
    let mut totals = [(); N].map(|()| vec![0.0_f64; blocks * LANES]);
    let stretch = (STRETCH / (blocks * LANES)).max(1);
    let mut first = 0;
    while first < rows {
        let last = (first + stretch).min(rows);
        for block in 0..blocks {
            let mut sums = [[0.0_f32; LANES]; N];
            let mut index = first * blocks + block;
            for _ in first..last {
                let values = terms.at(index, block);
                for n in 0..N {
                    for lane in 0..LANES {
                        sums[n][lane] += values[n][lane];
                    }
                }
                index += blocks;
            }
            for (total, sum) in totals.iter_mut().zip(&sums) {
                for (total, sum) in total[block * LANES..].iter_mut().zip(sum) {
                    *total += f64::from(*sum);
                }
            }
        }
        first = last;
    }
    totals
}

/// Values and their squares.
struct Powers<'a> {
    cells: &'a [Lanes],
}

impl Terms<2> for Powers<'_> {
    #[inline(always)]
    fn at(&mut self, index: usize, _: usize) -> [Lanes; 2] {
        let value = self.cells[index];
        let mut squares = [0.0; LANES];
        for lane in 0..LANES {
            squares[lane] = value[lane] * value[lane];
        }
        [value, squares]
    }
}

vectorised! {
    fn powers<'a>(cells: &'a [Lanes], rows: usize, blocks: usize) -> [Vec<f64>; 2] {
        column_sums(rows, blocks, Powers { cells })
    }
}

/// The way back through SiLU: leaves the inner slope in place of the outer one, and gives it and its product
/// with the centred value.
struct Slopes<'a> {
    cells: &'a [Lanes],
    slopes: &'a mut [Lanes],
    factor: &'a [Lanes],
    addend: &'a [Lanes],
    mean: &'a [Lanes],
}

impl Terms<2> for Slopes<'_> {
    #[inline(always)]
    fn at(&mut self, index: usize, block: usize) -> [Lanes; 2] {
        let (value, slope) = (&self.cells[index], &mut self.slopes[index]);
        let (factor, addend, mean) = (&self.factor[block], &self.addend[block], &self.mean[block]);
        let mut products = [0.0; LANES];
        for lane in 0..LANES {
            let u = value[lane].mul_add(factor[lane], addend[lane]);
            let s = sigmoid(u);
            // d(u·σ(u))/du = σ·(1 + u − u·σ)
            let inner = slope[lane] * s * (u - u * s + 1.0);
            slope[lane] = inner;
            products[lane] = inner * (value[lane] - mean[lane]);
        }
        [*slope, products]
    }
}

vectorised! {
    fn slope_sums<'a>(
        cells: &'a [Lanes],
        slopes: &'a mut [Lanes],
        factor: &'a [Lanes],
        addend: &'a [Lanes],
        mean: &'a [Lanes],
    ) -> [Vec<f64>; 2] {
        let (rows, blocks) = (cells.len() / factor.len(), factor.len());
        column_sums(rows, blocks, Slopes { cells, slopes, factor, addend, mean })
    }
}

vectorised! {
    fn activate<'a>(cells: &'a [Lanes], factor: &'a [Lanes], addend: &'a [Lanes], results: &'a mut [Lanes]) {
        let blocks = factor.len();
        for (out_row, row) in results.chunks_exact_mut(blocks).zip(cells.chunks_exact(blocks)) {
            for block in 0..blocks {
                let (out, value) = (&mut out_row[block], &row[block]);
                let (factor, addend) = (&factor[block], &addend[block]);
                for lane in 0..LANES {
                    let u = value[lane].mul_add(factor[lane], addend[lane]);
                    out[lane] = u * sigmoid(u);
                }
            }
        }
    }
}

vectorised! {
    fn through_normalisation<'a>(
        cells: &'a [Lanes],
        slopes: &'a mut [Lanes],
        factor: &'a [Lanes],
        mean: &'a [Lanes],
        average: &'a [Lanes],
        pull: &'a [Lanes],
    ) {
        let blocks = factor.len();
        for (slope_row, row) in slopes.chunks_exact_mut(blocks).zip(cells.chunks_exact(blocks)) {
            for block in 0..blocks {
                let (slope, value) = (&mut slope_row[block], &row[block]);
                for lane in 0..LANES {
                    let centred = value[lane] - mean[block][lane];
                    slope[lane] = factor[block][lane]
                        * (slope[lane] - average[block][lane] - centred * pull[block][lane]);
                }
            }
        }
    }
}

/// Mean and variance of each of `channels` columns.
pub(crate) fn moments(values: &[f32], channels: usize) -> Moments {
    let (cells, _) = values.as_chunks::<LANES>();
    let rows = values.len() / channels;
    let [sums, squares] = powers(cells, rows, channels / LANES);
    let count = rows.max(1) as f64;
    let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let variance = squares
        .iter()
        .zip(&mean)
        .map(|(square, mean)| (square / count - mean * mean).max(0.0) as f32)
        .collect();
    Moments {
        mean: mean.into_iter().map(|mean| mean as f32).collect(),
        variance,
    }
}

/// Factor and addend by channel of `scale · (y − mean) / sqrt(variance + ε) + shift`.
fn affine(moments: &Moments, scale: &[f32], shift: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let factor: Vec<f32> = scale
        .iter()
        .zip(&moments.variance)
        .map(|(scale, variance)| scale / (variance + EPSILON).sqrt())
        .collect();
    let addend = shift
        .iter()
        .zip(&factor)
        .zip(&moments.mean)
        .map(|((shift, factor), mean)| shift - factor * mean)
        .collect();
    (factor, addend)
}

/// SiLU of the normalised values.
pub(crate) fn forward(values: &[f32], moments: &Moments, scale: &[f32], shift: &[f32]) -> Vec<f32> {
    let (factor, addend) = affine(moments, scale, shift);
    let mut result = vec![0.0; values.len()];
    activate(
        values.as_chunks().0,
        factor.as_chunks().0,
        addend.as_chunks().0,
        result.as_chunks_mut().0,
    );
    result
}

/// Turns `gradient` (of the result) into the gradient of `values`. Fixed moments are constants; others follow the values.
pub(crate) fn backward(
    values: &[f32],
    gradient: &mut [f32],
    (moments, fixed): (&Moments, bool),
    scale: &[f32],
    shift: &[f32],
) -> Gradients {
    let channels = scale.len();
    let rows = values.len() / channels;
    let (factor, addend) = affine(moments, scale, shift);
    let (factor, _) = factor.as_chunks::<LANES>();
    let (addend, _) = addend.as_chunks::<LANES>();
    let (mean, _) = moments.mean.as_chunks::<LANES>();
    let (cells, _) = values.as_chunks::<LANES>();
    let (slopes, _) = gradient.as_chunks_mut::<LANES>();
    let [shift_sums, product_sums] = slope_sums(cells, slopes, factor, addend, mean);
    let count = rows.max(1) as f64;
    let deviation: Vec<f64> = moments
        .variance
        .iter()
        .map(|variance| f64::from(variance + EPSILON).sqrt())
        .collect();
    // dy = factor · (g − mean(g) − (y − mean) · mean(g·(y − mean)) / (variance + ε)); factor · g where the moments are fixed.
    let count = if fixed { f64::INFINITY } else { count };
    let average: Vec<f32> = shift_sums.iter().map(|sum| (sum / count) as f32).collect();
    let pull: Vec<f32> = product_sums
        .iter()
        .zip(&deviation)
        .map(|(sum, root)| (sum / count / (root * root)) as f32)
        .collect();
    through_normalisation(
        cells,
        slopes,
        factor,
        mean,
        average.as_chunks().0,
        pull.as_chunks().0,
    );
    Gradients {
        scale: product_sums
            .iter()
            .zip(&deviation)
            .map(|(sum, root)| (sum / root) as f32)
            .collect(),
        shift: shift_sums.iter().map(|sum| *sum as f32).collect(),
    }
}
