//! The inner loop over bytes for AVX-512 with VNNI, which adds four products of bytes to each of sixteen sums at once.
#![allow(clippy::needless_range_loop)] // As in `avx512`.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use crate::avx512::finish;
use crate::bytes::{ByteWeights, QUAD, Range};
use crate::layout::BLOCK;
use crate::pointwise::PointwiseJob;

/// Pixels at a time, as in `avx512`.
const GROUP: usize = 12;
/// Pixels of a tile at most.
const MOST_PIXELS: usize = 96;
/// Rounded inputs of a tile; twelve pixels of the most channels fit.
const ROOM: usize = 24 * 1024;

/// A tile of pixels, rounded: `[pixel][channel]`.
struct Tile {
    bytes: MaybeUninit<[u8; ROOM]>,
    ranges: [Range; MOST_PIXELS],
    channels: usize,
}

/// # Safety
/// The processor has AVX-512 F, BW, DQ, VL and VNNI, `job.is_sound(out)` and `weights.fit(job)`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
pub(crate) unsafe fn pointwise(job: &PointwiseJob<'_>, weights: &ByteWeights, out: &mut [f32]) {
    let channels = job.input_blocks() * BLOCK;
    let mut tile = Tile {
        bytes: MaybeUninit::uninit(),
        ranges: [Range::default(); MOST_PIXELS],
        channels,
    };
    // `fit` holds the channels to 2048, so that a group always fits.
    let length = (ROOM / channels.max(1)).min(MOST_PIXELS) / GROUP * GROUP;
    for start in (0..job.pixels).step_by(length) {
        let end = job.pixels.min(start + length);
        // SAFETY: the tile has room for `length` pixels; the groups lie before `end`, which is at most `job.pixels`,
        // and the blocks are output blocks.
        unsafe {
            for pixel in start..end {
                round(job, pixel, pixel - start, &mut tile);
            }
            let mut number = 0;
            while number + 2 <= job.bias.len() {
                let mut pixel = start;
                while pixel + GROUP <= end {
                    pixels::<2, GROUP>(job, weights, &tile, (number, start, pixel), out);
                    pixel += GROUP;
                }
                while pixel + 4 <= end {
                    pixels::<2, 4>(job, weights, &tile, (number, start, pixel), out);
                    pixel += 4;
                }
                while pixel < end {
                    pixels::<2, 1>(job, weights, &tile, (number, start, pixel), out);
                    pixel += 1;
                }
                number += 2;
            }
            if number < job.bias.len() {
                let mut pixel = start;
                while pixel + GROUP <= end {
                    pixels::<1, GROUP>(job, weights, &tile, (number, start, pixel), out);
                    pixel += GROUP;
                }
                while pixel < end {
                    pixels::<1, 1>(job, weights, &tile, (number, start, pixel), out);
                    pixel += 1;
                }
            }
        }
    }
}

/// Rounds a pixel of the job into the tile.
///
/// # Safety
/// As [`pointwise`]; the pixel exists, and so does its place in the tile.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
#[inline]
unsafe fn round(job: &PointwiseJob<'_>, pixel: usize, place: usize, tile: &mut Tile) {
    // SAFETY: by `is_sound` the inputs hold the pixel in each of their blocks; the tile has room for all of its
    // channels.
    unsafe {
        let mut lowest = _mm512_set1_ps(f32::INFINITY);
        let mut highest = _mm512_set1_ps(f32::NEG_INFINITY);
        for input in job.inputs {
            for block in 0..input.blocks {
                let values = input.numbers.as_ptr().add(block * input.stride + pixel * BLOCK);
                let values = _mm512_loadu_ps(values);
                lowest = _mm512_min_ps(lowest, values);
                highest = _mm512_max_ps(highest, values);
            }
        }
        let range = Range::between(_mm512_reduce_min_ps(lowest), _mm512_reduce_max_ps(highest));
        tile.ranges[place] = range;
        let (lowest, inverse) = (_mm512_set1_ps(range.lowest), _mm512_set1_ps(range.inverse));
        let mut bytes = tile.bytes.as_mut_ptr().cast::<u8>().add(place * tile.channels);
        for input in job.inputs {
            for block in 0..input.blocks {
                let values = input.numbers.as_ptr().add(block * input.stride + pixel * BLOCK);
                let values = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(values), lowest), inverse);
                // To the nearest, ties to even.
                let rounded = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(values));
                _mm_storeu_si128(bytes.cast(), rounded);
                bytes = bytes.add(BLOCK);
            }
        }
    }
}

/// `COUNT` pixels from `pixel` on, of `BLOCKS` output blocks from `number` on; the tile begins at pixel `first`.
///
/// # Safety
/// As [`pointwise`]; the pixels and the blocks exist, and the pixels are in the tile.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
#[inline]
unsafe fn pixels<const BLOCKS: usize, const COUNT: usize>(
    job: &PointwiseJob<'_>,
    weights: &ByteWeights,
    tile: &Tile,
    (number, first, pixel): (usize, usize, usize),
    out: &mut [f32],
) {
    let place = pixel * BLOCK;
    let quads = tile.channels / QUAD;
    // SAFETY: by `fit` the weights hold `quads` for each output block; by `is_sound` start and `out` hold
    // `job.pixels` pixels of each of their blocks.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); COUNT]; BLOCKS];
        let bytes = tile
            .bytes
            .as_ptr()
            .cast::<u8>()
            .add((pixel - first) * tile.channels);
        // Reckoned once: inside the loop the multiplications and their checks take longer than the products.
        let starts: [*const i32; COUNT] =
            std::array::from_fn(|index| bytes.add(index * tile.channels).cast());
        let rows = weights.quads.as_ptr().add(number * quads);
        for quad in 0..quads {
            let rows: [__m512i; BLOCKS] =
                std::array::from_fn(|block| _mm512_load_si512(rows.add(block * quads + quad).cast()));
            for index in 0..COUNT {
                let four = _mm512_set1_epi32(starts[index].add(quad).read_unaligned());
                for block in 0..BLOCKS {
                    sums[block][index] = _mm512_dpbusd_epi32(sums[block][index], four, rows[block]);
                }
            }
        }
        for block in 0..BLOCKS {
            let scale = _mm512_load_ps(weights.scale.as_ptr().add(number + block).cast());
            let sum = _mm512_load_ps(weights.sum.as_ptr().add(number + block).cast());
            let bias = _mm512_load_ps(job.bias.as_ptr().add(number + block).cast());
            let out = out.as_mut_ptr().add((number + block) * job.out_stride + place);
            for index in 0..COUNT {
                let range = tile.ranges[pixel - first + index];
                let lowest = _mm512_mul_ps(_mm512_set1_ps(range.lowest), sum);
                let products = _mm512_cvtepi32_ps(sums[block][index]);
                let value = _mm512_fmadd_ps(_mm512_set1_ps(range.step), products, lowest);
                let start = match job.start {
                    Some(start) => {
                        let start = start
                            .numbers
                            .as_ptr()
                            .add((number + block) * start.stride + place);
                        _mm512_loadu_ps(start.add(index * BLOCK))
                    }
                    None => bias,
                };
                _mm512_storeu_ps(out.add(index * BLOCK), _mm512_fmadd_ps(scale, value, start));
            }
        }
        finish::<COUNT>(job, number..number + BLOCKS, place, out);
    }
}
