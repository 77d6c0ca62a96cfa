//! The inner loops for AVX-512: a block is one vector of sixteen.
#![allow(clippy::needless_range_loop)] // Loops over registers: only indices by constants stay in registers.

use std::arch::x86_64::*;
use std::ops::Range;

use crate::depthwise::DepthwiseRow;
use crate::layout::{BLOCK, Lanes};
use crate::pointwise::PointwiseJob;
use crate::silu::{LOWEST, MINUS_LOG2_E, SIXTEENTHS, SQUARE, STRAIGHT};
use crate::stem::{ROW_TAPS, STEP, StemJob};

/// Pixels at a time of two output blocks: 12 x 2 sums, 2 weights and 1 value of the 32 registers. More would leave
/// SiLU none.
const GROUP: usize = 12;
/// Pixels at a time of one output block.
const WIDE_GROUP: usize = 24;
/// Input of a tile of pixels, in numbers: it stays in the second-level cache while all output blocks read it.
const TILE_NUMBERS: usize = 96 * 1024;

/// x / (1 + e^-x). e^-x is a power of two of a whole number of sixteenths, found in a table, times 1 + f ln 2 +
/// (f ln 2)² / 2 for the rest f, at most 1/32: relative error below 5e-7. The quotient is the processor's
/// reciprocal of 14 bits after one step of Newton's: 28 bits.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn silu(x: __m512) -> __m512 {
    // With NaN in the second place the maximum is NaN.
    let x = _mm512_max_ps(_mm512_set1_ps(LOWEST), x);
    let power = _mm512_mul_ps(x, _mm512_set1_ps(MINUS_LOG2_E));
    // What is left after rounding to sixteenths (4 bits), to nearest; 0 of an infinite power.
    let rest = _mm512_reduce_ps::<0x40>(power);
    // The number of sixteenths stands in the lowest bits of this sum, of which the permutation reads four.
    let places = _mm512_castps_si512(_mm512_add_ps(power, _mm512_set1_ps(SIXTEENTHS)));
    let root = _mm512_permutexvar_ps(places, roots());
    let whole = _mm512_sub_ps(power, rest);
    let polynomial = _mm512_fmadd_ps(_mm512_set1_ps(SQUARE), rest, _mm512_set1_ps(STRAIGHT));
    let polynomial = _mm512_fmadd_ps(polynomial, rest, _mm512_set1_ps(1.0));
    let divisor = _mm512_fmadd_ps(_mm512_scalef_ps(root, whole), polynomial, _mm512_set1_ps(1.0));
    let reciprocal = _mm512_rcp14_ps(divisor);
    let correction = _mm512_fnmadd_ps(divisor, reciprocal, _mm512_set1_ps(2.0));
    _mm512_mul_ps(_mm512_mul_ps(x, reciprocal), correction)
}

/// 2^(n/16) for n from 0 to 15.
#[target_feature(enable = "avx512f")]
#[inline]
fn roots() -> __m512 {
    let Lanes(roots) = crate::silu::ROOTS;
    _mm512_setr_ps(
        roots[0], roots[1], roots[2], roots[3], roots[4], roots[5], roots[6], roots[7], roots[8], roots[9],
        roots[10], roots[11], roots[12], roots[13], roots[14], roots[15],
    )
}

/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL, and `job.is_sound(out)`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(crate) unsafe fn pointwise(job: &PointwiseJob<'_>, out: &mut [f32]) {
    let channels = job.input_blocks() * BLOCK;
    let tile = (TILE_NUMBERS / channels.max(1) / WIDE_GROUP * WIDE_GROUP).max(WIDE_GROUP);
    for start in (0..job.pixels).step_by(tile) {
        let end = job.pixels.min(start + tile);
        let mut number = 0;
        // SAFETY: the groups lie before `end`, which is at most `job.pixels`, and the blocks are output blocks.
        unsafe {
            while number + 2 <= job.bias.len() {
                let mut pixel = start;
                while pixel + GROUP <= end {
                    pixels::<2, GROUP>(job, number, pixel, out);
                    pixel += GROUP;
                }
                match end - pixel {
                    1 => pixels::<2, 1>(job, number, pixel, out),
                    2 => pixels::<2, 2>(job, number, pixel, out),
                    3 => pixels::<2, 3>(job, number, pixel, out),
                    4 => pixels::<2, 4>(job, number, pixel, out),
                    5 => pixels::<2, 5>(job, number, pixel, out),
                    6 => pixels::<2, 6>(job, number, pixel, out),
                    7 => pixels::<2, 7>(job, number, pixel, out),
                    8 => pixels::<2, 8>(job, number, pixel, out),
                    9 => pixels::<2, 9>(job, number, pixel, out),
                    10 => pixels::<2, 10>(job, number, pixel, out),
                    11 => pixels::<2, 11>(job, number, pixel, out),
                    _ => {}
                }
                number += 2;
            }
            if number < job.bias.len() {
                let mut pixel = start;
                while pixel + WIDE_GROUP <= end {
                    pixels::<1, WIDE_GROUP>(job, number, pixel, out);
                    pixel += WIDE_GROUP;
                }
                while pixel + 8 <= end {
                    pixels::<1, 8>(job, number, pixel, out);
                    pixel += 8;
                }
                while pixel < end {
                    pixels::<1, 1>(job, number, pixel, out);
                    pixel += 1;
                }
            }
        }
    }
}

/// `COUNT` pixels from `pixel` on, of `BLOCKS` output blocks from `number` on.
///
/// # Safety
/// As [`pointwise`]; the pixels and the blocks exist.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
unsafe fn pixels<const BLOCKS: usize, const COUNT: usize>(
    job: &PointwiseJob<'_>,
    number: usize,
    pixel: usize,
    out: &mut [f32],
) {
    let place = pixel * BLOCK;
    let channels = job.input_blocks() * BLOCK;
    // SAFETY: by `is_sound` inputs, start, residual and `out` hold `job.pixels` pixels of each of their blocks, and
    // the weights 16 lanes for each input channel of each output block.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); COUNT]; BLOCKS];
        for (block, sums) in sums.iter_mut().enumerate() {
            if let Some(start) = job.start {
                let start = start
                    .numbers
                    .as_ptr()
                    .add((number + block) * start.stride + place);
                for (index, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_loadu_ps(start.add(index * BLOCK));
                }
            } else {
                *sums = [_mm512_load_ps(job.bias.as_ptr().add(number + block).cast()); COUNT];
            }
        }
        let mut weights = job.weights.as_ptr().add(number * channels).cast::<f32>();
        for input in job.inputs {
            for block in 0..input.blocks {
                let values = input.numbers.as_ptr().add(block * input.stride + place);
                for lane in 0..BLOCK {
                    let weights: [__m512; BLOCKS] = std::array::from_fn(|block| {
                        _mm512_load_ps(weights.add((block * channels + lane) * BLOCK))
                    });
                    for index in 0..COUNT {
                        let value = _mm512_set1_ps(*values.add(index * BLOCK + lane));
                        for block in 0..BLOCKS {
                            sums[block][index] = _mm512_fmadd_ps(weights[block], value, sums[block][index]);
                        }
                    }
                }
                weights = weights.add(BLOCK * BLOCK);
            }
        }
        for block in 0..BLOCKS {
            let out = out.as_mut_ptr().add((number + block) * job.out_stride + place);
            for index in 0..COUNT {
                _mm512_storeu_ps(out.add(index * BLOCK), sums[block][index]);
            }
        }
        finish::<COUNT>(job, number..number + BLOCKS, place, out);
    }
}

/// SiLU and the residual, over sums that lie in `out`.
///
/// The sums are taken up again from the first-level cache: a loop over SiLU is not unrolled, and would keep them in
/// memory from the beginning.
///
/// # Safety
/// As [`pointwise`]; the `COUNT` pixels from `place` on (in numbers) and the blocks exist.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
pub(crate) unsafe fn finish<const COUNT: usize>(
    job: &PointwiseJob<'_>,
    blocks: Range<usize>,
    place: usize,
    out: &mut [f32],
) {
    // SAFETY: by `is_sound` the residual and `out` hold `job.pixels` pixels of each of their blocks.
    unsafe {
        for block in blocks {
            let out = out.as_mut_ptr().add(block * job.out_stride + place);
            match job.residual {
                Some(residual) => {
                    let residual = residual.numbers.as_ptr().add(block * residual.stride + place);
                    for index in 0..COUNT {
                        let place = out.add(index * BLOCK);
                        let sum = _mm512_loadu_ps(place);
                        let sum = if job.silu { silu(sum) } else { sum };
                        _mm512_storeu_ps(
                            place,
                            _mm512_add_ps(sum, _mm512_loadu_ps(residual.add(index * BLOCK))),
                        );
                    }
                }
                None if job.silu => {
                    for index in 0..COUNT {
                        let place = out.add(index * BLOCK);
                        _mm512_storeu_ps(place, silu(_mm512_loadu_ps(place)));
                    }
                }
                None => {}
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL, and `job.is_sound(out.len())`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(crate) unsafe fn depthwise(job: &DepthwiseRow<'_>, out: &mut [f32]) {
    // SAFETY: as the caller promises.
    unsafe {
        if job.stride == 1 {
            depthwise_row::<1>(job, out);
        } else {
            depthwise_row::<2>(job, out);
        }
    }
}

/// # Safety
/// As [`depthwise`]; `STRIDE` is the job's.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
unsafe fn depthwise_row<const STRIDE: usize>(job: &DepthwiseRow<'_>, out: &mut [f32]) {
    let rows = job.rows.map(<[f32]>::as_ptr);
    let out_width = job.out_width();
    // Outputs from 1 up to here see the whole of their window.
    let inside = (job.width - 1) / STRIDE;
    // SAFETY: an output at `x` reads the pixels `x * STRIDE - 1` to `x * STRIDE + 1` of each row; those outside are
    // left out at the ends, and between them there are none: `(inside - 1) * STRIDE + 1 < job.width`.
    unsafe {
        let taps: [__m512; 9] =
            std::array::from_fn(|tap| _mm512_load_ps(job.weights.as_ptr().add(tap).cast()));
        let bias = _mm512_load_ps(job.bias.0.as_ptr());
        let out = out.as_mut_ptr();
        depthwise_end::<STRIDE>(&rows, job.width, &taps, bias, 0, out);
        let mut x = 1;
        while x + 8 <= inside {
            depthwise_outputs::<STRIDE, 8>(&rows, &taps, bias, x, out);
            x += 8;
        }
        while x + 2 <= inside {
            depthwise_outputs::<STRIDE, 2>(&rows, &taps, bias, x, out);
            x += 2;
        }
        while x < out_width {
            depthwise_end::<STRIDE>(&rows, job.width, &taps, bias, x, out);
            x += 1;
        }
    }
}

/// `COUNT` outputs from `x` on.
///
/// # Safety
/// The rows hold all pixels that the outputs see, and `out` the outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
unsafe fn depthwise_outputs<const STRIDE: usize, const COUNT: usize>(
    rows: &[*const f32; 3],
    taps: &[__m512; 9],
    bias: __m512,
    x: usize,
    out: *mut f32,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [bias; COUNT];
        for (row, values) in rows.iter().enumerate() {
            let values = values.add((x * STRIDE - 1) * BLOCK);
            for column in 0..(COUNT - 1) * STRIDE + 3 {
                let value = _mm512_loadu_ps(values.add(column * BLOCK));
                for index in 0..COUNT {
                    if index * STRIDE <= column && column < index * STRIDE + 3 {
                        let tap = taps[row * 3 + column - index * STRIDE];
                        sums[index] = _mm512_fmadd_ps(value, tap, sums[index]);
                    }
                }
            }
        }
        for index in 0..COUNT {
            _mm512_storeu_ps(out.add((x + index) * BLOCK), sums[index]);
        }
        // As in `finish`.
        for index in 0..COUNT {
            let place = out.add((x + index) * BLOCK);
            _mm512_storeu_ps(place, silu(_mm512_loadu_ps(place)));
        }
    }
}

/// The output at `x`, whose window may reach over an end of the rows.
///
/// # Safety
/// The rows hold `width` pixels, and `out` the output.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
unsafe fn depthwise_end<const STRIDE: usize>(
    rows: &[*const f32; 3],
    width: usize,
    taps: &[__m512; 9],
    bias: __m512,
    x: usize,
    out: *mut f32,
) {
    let mut sum = bias;
    for (row, values) in rows.iter().enumerate() {
        for tap in 0..3 {
            let column = x * STRIDE + tap;
            if column >= 1 && column <= width {
                // SAFETY: the pixel lies in the row.
                let value = unsafe { _mm512_loadu_ps(values.add((column - 1) * BLOCK)) };
                sum = _mm512_fmadd_ps(value, taps[row * 3 + tap], sum);
            }
        }
    }
    // SAFETY: as the caller promises.
    unsafe { _mm512_storeu_ps(out.add(x * BLOCK), silu(sum)) };
}

/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL, and `job.is_sound(out.len())`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(crate) unsafe fn stem(job: &StemJob<'_>, out: &mut [f32]) {
    let outputs = out.len() / BLOCK;
    let mut x = 0;
    // SAFETY: the outputs from `x` on exist and the rows reach as far as they see.
    unsafe {
        while x + 20 <= outputs {
            stem_outputs::<20>(job, x, out);
            x += 20;
        }
        while x + 4 <= outputs {
            stem_outputs::<4>(job, x, out);
            x += 4;
        }
        while x < outputs {
            stem_outputs::<1>(job, x, out);
            x += 1;
        }
    }
}

/// # Safety
/// As [`stem`]; the `COUNT` outputs from `x` on exist.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
unsafe fn stem_outputs<const COUNT: usize>(job: &StemJob<'_>, x: usize, out: &mut [f32]) {
    // SAFETY: by `is_sound` each row holds what the last output sees, and the weights are ROW_TAPS for each row.
    unsafe {
        let mut sums = [_mm512_load_ps(job.bias.0.as_ptr()); COUNT];
        let mut weights = job.weights.as_ptr().cast::<f32>();
        for row in job.rows {
            let values = row.as_ptr().add(x * STEP);
            for tap in 0..ROW_TAPS {
                let weight = _mm512_load_ps(weights);
                for index in 0..COUNT {
                    let value = _mm512_set1_ps(*values.add(index * STEP + tap));
                    sums[index] = _mm512_fmadd_ps(weight, value, sums[index]);
                }
                weights = weights.add(BLOCK);
            }
        }
        let out = out.as_mut_ptr().add(x * BLOCK);
        for index in 0..COUNT {
            _mm512_storeu_ps(out.add(index * BLOCK), sums[index]);
        }
        // As in `finish`.
        for index in 0..COUNT {
            let place = out.add(index * BLOCK);
            _mm512_storeu_ps(place, silu(_mm512_loadu_ps(place)));
        }
    }
}

/// Bytes as numbers.
///
/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(crate) unsafe fn widen(bytes: &[u8], numbers: &mut [f32]) {
    for (number, &byte) in numbers.iter_mut().zip(bytes) {
        *number = f32::from(byte);
    }
}
