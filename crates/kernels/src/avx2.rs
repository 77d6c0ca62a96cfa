//! The inner loops for AVX2 with fused multiply-add: a block is two vectors of eight.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use crate::depthwise::DepthwiseJob;
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
/// The processor has AVX2 and FMA, and `job.is_sound(out.len())`.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn pointwise(job: &PointwiseJob<'_>, out: &mut [MaybeUninit<f32>]) {
    let blocks = job.input_blocks();
    let channels = (blocks[0] + blocks[1]) * BLOCK;
    let tile = (TILE_NUMBERS / channels.max(1) / GROUP * GROUP).max(GROUP);
    for start in (0..job.pixels).step_by(tile) {
        let end = job.pixels.min(start + tile);
        for number in 0..job.bias.len() {
            let mut pixel = start;
            while pixel + GROUP <= end {
                // SAFETY: `pixel + GROUP <= job.pixels`, `number` is an output block, the lengths are sound.
                unsafe { pixels::<GROUP>(job, blocks, number, pixel, out) };
                pixel += GROUP;
            }
            // SAFETY: exactly the pixels that are left.
            unsafe {
                match end - pixel {
                    1 => pixels::<1>(job, blocks, number, pixel, out),
                    2 => pixels::<2>(job, blocks, number, pixel, out),
                    3 => pixels::<3>(job, blocks, number, pixel, out),
                    4 => pixels::<4>(job, blocks, number, pixel, out),
                    5 => pixels::<5>(job, blocks, number, pixel, out),
                    _ => {}
                }
            }
        }
    }
}

/// `COUNT` pixels from `pixel` on, of output block `number`.
///
/// # Safety
/// As [`pointwise`]; `blocks` are the job's, the pixels and the block exist.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn pixels<const COUNT: usize>(
    job: &PointwiseJob<'_>,
    blocks: [usize; 2],
    number: usize,
    pixel: usize,
    out: &mut [MaybeUninit<f32>],
) {
    let plane = job.pixels * BLOCK;
    let place = number * plane + pixel * BLOCK;
    // SAFETY: by `is_sound` the inputs hold `blocks` planes of `job.pixels` pixels, the weights 16 lanes for each
    // input channel of each output block, and `out` and the residual one plane for each output block.
    unsafe {
        let bias = job.bias.as_ptr().add(number).cast::<f32>();
        let mut sums = [[_mm256_loadu_ps(bias), _mm256_loadu_ps(bias.add(8))]; COUNT];
        let mut weights = job
            .weights
            .as_ptr()
            .add(number * (blocks[0] + blocks[1]) * BLOCK)
            .cast::<f32>();
        for (input, blocks) in job.inputs.iter().zip(blocks) {
            for block in 0..blocks {
                let values = input.as_ptr().add(block * plane + pixel * BLOCK);
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
            for (index, sum) in sums.iter_mut().enumerate() {
                let residual = residual.as_ptr().add(place + index * BLOCK);
                sum[0] = _mm256_add_ps(sum[0], _mm256_loadu_ps(residual));
                sum[1] = _mm256_add_ps(sum[1], _mm256_loadu_ps(residual.add(8)));
            }
        }
        let out = out.as_mut_ptr().cast::<f32>().add(place);
        for (index, sum) in sums.iter().enumerate() {
            _mm256_storeu_ps(out.add(index * BLOCK), sum[0]);
            _mm256_storeu_ps(out.add(index * BLOCK + 8), sum[1]);
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA, and `job.is_sound(out.len())`.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn depthwise(job: &DepthwiseJob<'_>, out: &mut [MaybeUninit<f32>]) {
    let zeros = vec![0.0; job.width * BLOCK];
    let out_length = job.out_width() * BLOCK;
    for (y, out) in out.chunks_exact_mut(out_length).enumerate() {
        let rows: [&[f32]; 3] = std::array::from_fn(|row| {
            // Counted from the padding: 0 is one before the picture.
            match (y * job.stride + row).checked_sub(1) {
                Some(row) if row < job.height => {
                    &job.input[row * job.width * BLOCK..(row + 1) * job.width * BLOCK]
                }
                _ => &zeros,
            }
        });
        for half in [0, 8] {
            // SAFETY: the rows hold `width` pixels and `out` the row's outputs; `half` is the first or the last
            // eight lanes of a block.
            unsafe {
                if job.stride == 1 {
                    depthwise_row::<1, 4>(job, rows, half, out);
                } else {
                    depthwise_row::<2, 4>(job, rows, half, out);
                }
            }
        }
    }
}

/// Eight lanes of one row of outputs, `COUNT` outputs at a time where the whole window lies in the picture.
///
/// # Safety
/// As [`depthwise`]; the rows hold `job.width` pixels, `out` holds the row's outputs, `half` is 0 or 8.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn depthwise_row<const STRIDE: usize, const COUNT: usize>(
    job: &DepthwiseJob<'_>,
    rows: [&[f32]; 3],
    half: usize,
    out: &mut [MaybeUninit<f32>],
) {
    let rows = rows.map(|row| row[half..].as_ptr());
    let out_width = job.out_width();
    // SAFETY: an output at `x` reads the pixels `x * STRIDE - 1` to `x * STRIDE + 1` of each row, those outside
    // left out; the groups are only taken where all of theirs lie inside.
    unsafe {
        let weights = job.weights.as_ptr().cast::<f32>().add(half);
        let taps: [__m256; 9] = std::array::from_fn(|tap| _mm256_load_ps(weights.add(tap * BLOCK)));
        let bias = _mm256_load_ps(job.bias.0.as_ptr().add(half));
        let out = out.as_mut_ptr().cast::<f32>().add(half);
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
pub(crate) unsafe fn stem(job: &StemJob<'_>, out: &mut [MaybeUninit<f32>]) {
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
unsafe fn stem_outputs<const COUNT: usize>(job: &StemJob<'_>, x: usize, out: &mut [MaybeUninit<f32>]) {
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
        let out = out.as_mut_ptr().cast::<f32>().add(x * BLOCK);
        for (index, sum) in sums.iter().enumerate() {
            _mm256_storeu_ps(out.add(index * BLOCK), silu(sum[0]));
            _mm256_storeu_ps(out.add(index * BLOCK + 8), silu(sum[1]));
        }
    }
}
