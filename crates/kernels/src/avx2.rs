//! The inner loops for AVX2 with fused multiply-add: a block is two vectors of eight.

use std::arch::x86_64::*;

use crate::depthwise::DepthwiseRow;
use crate::layout::{BLOCK, Lanes};
use crate::pointwise::PointwiseJob;
use crate::silu::{EXPONENT_OF_ONE, LOWEST, LOWEST_POWER, MINUS_LOG2_E, POWER, ROUNDING};
use crate::stem::{ROW_TAPS, STEP, StemJob};

/// Pixels at a time: 6 x 2 sums, 2 weights and 1 value fill 15 of the 16 registers.
const GROUP: usize = 6;
/// Input of a tile of pixels, in numbers: it stays in the second-level cache while all output blocks read it.
const TILE_NUMBERS: usize = 48 * 1024;

#[target_feature(enable = "avx2,fma")]
#[inline]
fn silu(x: __m256) -> __m256 {
    // With NaN in the second place both comparisons below return it.
    let x = _mm256_max_ps(_mm256_set1_ps(LOWEST), x);
    let power = _mm256_max_ps(
        _mm256_set1_ps(LOWEST_POWER),
        _mm256_mul_ps(x, _mm256_set1_ps(MINUS_LOG2_E)),
    );
    let rounded = _mm256_add_ps(power, _mm256_set1_ps(ROUNDING));
    let fraction = _mm256_sub_ps(power, _mm256_sub_ps(rounded, _mm256_set1_ps(ROUNDING)));
    let [highest, rest @ ..] = POWER;
    let mut sum = _mm256_set1_ps(highest);
    for coefficient in rest {
        sum = _mm256_fmadd_ps(sum, fraction, _mm256_set1_ps(coefficient));
    }
    sum = _mm256_fmadd_ps(sum, fraction, _mm256_set1_ps(1.0));
    let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(rounded));
    let scale = _mm256_castsi256_ps(_mm256_add_epi32(
        exponent,
        _mm256_set1_epi32(EXPONENT_OF_ONE as i32),
    ));
    _mm256_div_ps(x, _mm256_fmadd_ps(sum, scale, _mm256_set1_ps(1.0)))
}

/// # Safety
/// The processor has AVX2 and FMA, and `job.is_sound(out)`.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn pointwise(job: &PointwiseJob<'_>, out: &mut [f32]) {
    let channels = job.input_blocks() * BLOCK;
    let tile = (TILE_NUMBERS / channels.max(1) / GROUP * GROUP).max(GROUP);
    for start in (0..job.pixels).step_by(tile) {
        let end = job.pixels.min(start + tile);
        for number in 0..job.bias.len() {
            let mut pixel = start;
            while pixel + GROUP <= end {
                // SAFETY: `pixel + GROUP <= job.pixels`, `number` is an output block, the lengths are sound.
                unsafe { pixels::<GROUP>(job, number, pixel, out) };
                pixel += GROUP;
            }
            // SAFETY: exactly the pixels that are left.
            unsafe {
                match end - pixel {
                    1 => pixels::<1>(job, number, pixel, out),
                    2 => pixels::<2>(job, number, pixel, out),
                    3 => pixels::<3>(job, number, pixel, out),
                    4 => pixels::<4>(job, number, pixel, out),
                    5 => pixels::<5>(job, number, pixel, out),
                    _ => {}
                }
            }
        }
    }
}

/// `COUNT` pixels from `pixel` on, of output block `number`.
///
/// # Safety
/// As [`pointwise`]; the pixels and the block exist.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn pixels<const COUNT: usize>(job: &PointwiseJob<'_>, number: usize, pixel: usize, out: &mut [f32]) {
    let place = pixel * BLOCK;
    // SAFETY: by `is_sound` inputs, start, residual and `out` hold `job.pixels` pixels of each of their blocks, and
    // the weights 16 lanes for each input channel of each output block.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; COUNT];
        if let Some(start) = job.start {
            let start = start.numbers.as_ptr().add(number * start.stride + place);
            for (index, sum) in sums.iter_mut().enumerate() {
                let start = start.add(index * BLOCK);
                *sum = [_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(8))];
            }
        } else {
            let bias = job.bias.as_ptr().add(number).cast::<f32>();
            sums = [[_mm256_load_ps(bias), _mm256_load_ps(bias.add(8))]; COUNT];
        }
        let mut weights = job
            .weights
            .as_ptr()
            .add(number * job.input_blocks() * BLOCK)
            .cast::<f32>();
        for input in job.inputs {
            for block in 0..input.blocks {
                let values = input.numbers.as_ptr().add(block * input.stride + place);
                for lane in 0..BLOCK {
                    let low = _mm256_load_ps(weights.add(lane * BLOCK));
                    let high = _mm256_load_ps(weights.add(lane * BLOCK + 8));
                    for (index, sum) in sums.iter_mut().enumerate() {
                        let value = _mm256_set1_ps(*values.add(index * BLOCK + lane));
                        sum[0] = _mm256_fmadd_ps(low, value, sum[0]);
                        sum[1] = _mm256_fmadd_ps(high, value, sum[1]);
                    }
                }
                weights = weights.add(BLOCK * BLOCK);
            }
        }
        if job.silu {
            for sum in &mut sums {
                *sum = [silu(sum[0]), silu(sum[1])];
            }
        }
        if let Some(residual) = job.residual {
            let residual = residual.numbers.as_ptr().add(number * residual.stride + place);
            for (index, sum) in sums.iter_mut().enumerate() {
                let residual = residual.add(index * BLOCK);
                sum[0] = _mm256_add_ps(sum[0], _mm256_loadu_ps(residual));
                sum[1] = _mm256_add_ps(sum[1], _mm256_loadu_ps(residual.add(8)));
            }
        }
        let out = out.as_mut_ptr().add(number * job.out_stride + place);
        for (index, sum) in sums.iter().enumerate() {
            _mm256_storeu_ps(out.add(index * BLOCK), sum[0]);
            _mm256_storeu_ps(out.add(index * BLOCK + 8), sum[1]);
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA, and `job.is_sound(out.len())`.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn depthwise(job: &DepthwiseRow<'_>, out: &mut [f32]) {
    for half in [0, 8] {
        // SAFETY: the rows hold `width` pixels and `out` the row's outputs; `half` is the first or the last eight
        // lanes of a block.
        unsafe {
            if job.stride == 1 {
                depthwise_row::<1, 4>(job, half, out);
            } else {
                depthwise_row::<2, 4>(job, half, out);
            }
        }
    }
}

/// Eight lanes of one row of outputs, `COUNT` outputs at a time where the whole window lies in the picture.
///
/// # Safety
/// As [`depthwise`]; `half` is 0 or 8.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn depthwise_row<const STRIDE: usize, const COUNT: usize>(
    job: &DepthwiseRow<'_>,
    half: usize,
    out: &mut [f32],
) {
    let rows = job.rows.map(|row| row[half..].as_ptr());
    let out_width = job.out_width();
    // SAFETY: an output at `x` reads the pixels `x * STRIDE - 1` to `x * STRIDE + 1` of each row, those outside
    // left out; the groups are only taken where all of theirs lie inside.
    unsafe {
        let weights = job.weights.as_ptr().cast::<f32>().add(half);
        let taps: [__m256; 9] = std::array::from_fn(|tap| _mm256_load_ps(weights.add(tap * BLOCK)));
        let bias = _mm256_load_ps(job.bias.0.as_ptr().add(half));
        let out = out.as_mut_ptr().add(half);
        let mut x = 0;
        while x < out_width {
            let inside = x > 0 && (x + COUNT - 1) * STRIDE + 1 < job.width;
            if inside {
                let mut sums = [bias; COUNT];
                for (row, values) in rows.iter().enumerate() {
                    let values = values.add((x * STRIDE - 1) * BLOCK);
                    for column in 0..(COUNT - 1) * STRIDE + 3 {
                        let value = _mm256_loadu_ps(values.add(column * BLOCK));
                        for (index, sum) in sums.iter_mut().enumerate() {
                            if let Some(tap) = column.checked_sub(index * STRIDE).filter(|&tap| tap < 3) {
                                *sum = _mm256_fmadd_ps(value, taps[row * 3 + tap], *sum);
                            }
                        }
                    }
                }
                for (index, sum) in sums.iter().enumerate() {
                    _mm256_storeu_ps(out.add((x + index) * BLOCK), silu(*sum));
                }
                x += COUNT;
            } else {
                let mut sum = bias;
                for (row, values) in rows.iter().enumerate() {
                    for tap in 0..3 {
                        let column = x * STRIDE + tap;
                        if column >= 1 && column <= job.width {
                            let value = _mm256_loadu_ps(values.add((column - 1) * BLOCK));
                            sum = _mm256_fmadd_ps(value, taps[row * 3 + tap], sum);
                        }
                    }
                }
                _mm256_storeu_ps(out.add(x * BLOCK), silu(sum));
                x += 1;
            }
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA, and `job.is_sound(out.len())`.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn stem(job: &StemJob<'_>, out: &mut [f32]) {
    let outputs = out.len() / BLOCK;
    let mut x = 0;
    // SAFETY: the outputs from `x` on exist and the rows reach as far as they see.
    unsafe {
        while x + GROUP <= outputs {
            stem_outputs::<GROUP>(job, x, out);
            x += GROUP;
        }
        while x < outputs {
            stem_outputs::<1>(job, x, out);
            x += 1;
        }
    }
}

/// # Safety
/// As [`stem`]; the `COUNT` outputs from `x` on exist.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn stem_outputs<const COUNT: usize>(job: &StemJob<'_>, x: usize, out: &mut [f32]) {
    let Lanes(bias) = job.bias;
    // SAFETY: by `is_sound` each row holds what the last output sees, and the weights are ROW_TAPS for each row.
    unsafe {
        let bias = [
            _mm256_load_ps(bias.as_ptr()),
            _mm256_load_ps(bias.as_ptr().add(8)),
        ];
        let mut sums = [bias; COUNT];
        let mut weights = job.weights.as_ptr().cast::<f32>();
        for row in job.rows {
            let values = row.as_ptr().add(x * STEP);
            for tap in 0..ROW_TAPS {
                let low = _mm256_load_ps(weights);
                let high = _mm256_load_ps(weights.add(8));
                for (index, sum) in sums.iter_mut().enumerate() {
                    let value = _mm256_set1_ps(*values.add(index * STEP + tap));
                    sum[0] = _mm256_fmadd_ps(low, value, sum[0]);
                    sum[1] = _mm256_fmadd_ps(high, value, sum[1]);
                }
                weights = weights.add(BLOCK);
            }
        }
        let out = out.as_mut_ptr().add(x * BLOCK);
        for (index, sum) in sums.iter().enumerate() {
            _mm256_storeu_ps(out.add(index * BLOCK), silu(sum[0]));
            _mm256_storeu_ps(out.add(index * BLOCK + 8), silu(sum[1]));
        }
    }
}
