//! What changed from one picture to the next, in a few numbers for each zone.
//!
//! Each zone of the difference is projected onto twelve sums of pixels with random signs (the count sketch of M. Charikar,
//! K. Chen and M. Farach-Colton, 2002), which keeps how alike two differences are; each is divided by its length, so that a
//! moving lorry counts for no more than the noise beside it.

use crate::cells::span;
use crate::shrunk::Shrunk;

/// Zones in a row, and rows of them.
pub(super) const ZONE_COLUMNS: usize = 4;
const ZONE_ROWS: usize = 3;
pub(super) const ZONES: usize = ZONE_COLUMNS * ZONE_ROWS;
/// Sums of a zone,
pub(super) const ZONE_SUMS: usize = 12;
/// and of a sketch.
pub(super) const SUMS: usize = ZONES * ZONE_SUMS;
/// Length of the sums of a zone as they are kept.
pub(super) const LENGTH: f32 = 100.0;
/// A pixel changes by no more than this, levels: nothing shall outweigh all the rest.
const MOST_CHANGE: i16 = 16;
/// Length of the difference of a zone below which nothing has changed there, levels.
const QUIET: f32 = 5.0;

/// Which pixels each sum is made of. Follows from the size of the pictures; no part of the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Pixels, sum by sum: those that are added, and then those that are taken away.
    pixels: Vec<u16>,
    /// Of each sum, where in `pixels` those end that are added, and those that are taken away.
    ends: Vec<[usize; 2]>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// Draws them where that was not done.
    pub(super) fn draw(&mut self, width: usize, height: usize) {
        if !self.ends.is_empty() {
            return;
        }
        // Without the rows in which cameras write time and place.
        let edge = height / 9;
        let inner = height - 2 * edge;
        let mut chance = 1_u32;
        let mut lists = vec![[Vec::new(), Vec::new()]; SUMS];
        for zone in 0..ZONES {
            for y in span(zone / ZONE_COLUMNS, ZONE_ROWS, inner) {
                for x in span(zone % ZONE_COLUMNS, ZONE_COLUMNS, width) {
                    // W. Press et al., Numerical Recipes, 7.1: the upper bits are good.
                    chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let taken = usize::from((chance >> 15) & 2 != 0);
                    let sum = ((chance >> 20) as usize * ZONE_SUMS) >> 12;
                    // A shrunk picture has at most 160 times 160 pixels.
                    lists[zone * ZONE_SUMS + sum][taken].push(((y + edge) * width + x) as u16);
                }
            }
        }
        for [added, taken] in lists {
            self.pixels.extend(added);
            let end = self.pixels.len();
            self.pixels.extend(taken);
            self.ends.push([end, self.pixels.len()]);
        }
    }

    /// The difference to the pixels of the picture before, which has the same size.
    #[inline]
    pub(super) fn sketch(&self, shrunk: &Shrunk, pixels_before: &[u8]) -> [i8; SUMS] {
        let pairs = shrunk.pixels.iter().zip(pixels_before);
        let changes: Vec<i8> = pairs
            .map(|(&now, &before)| {
                let change = i16::from(now).wrapping_sub(i16::from(before));
                change.clamp(-MOST_CHANGE, MOST_CHANGE) as i8
            })
            .collect();
        let sum_of = |pixels: &[u16]| {
            let changes = pixels.iter().map(|&pixel| i32::from(changes[usize::from(pixel)]));
            changes.fold(0, i32::wrapping_add)
        };
        let mut sums = [0_i32; SUMS];
        let mut begin = 0;
        for (sum, &[middle, end]) in sums.iter_mut().zip(&self.ends) {
            *sum = sum_of(&self.pixels[begin..middle]).wrapping_sub(sum_of(&self.pixels[middle..end]));
            begin = end;
        }
        let mut kept = [0_i8; SUMS];
        for (sums, kept) in sums.chunks_exact(ZONE_SUMS).zip(kept.chunks_exact_mut(ZONE_SUMS)) {
            let length = sums
                .iter()
                .map(|&sum| sum as f32 * sum as f32)
                .sum::<f32>()
                .sqrt();
            if length >= QUIET {
                for (sum, kept) in sums.iter().zip(kept) {
                    *kept = (*sum as f32 * LENGTH / length).round() as i8;
                }
            }
        }
        kept
    }
}

/// Sums that are multiplied at once.
const AT_ONCE: usize = 8;
/// So many products of sums, of at most 100 each, fit together into 16 bits.
const FIT: usize = 3;

/// At most 144 times 100 squared. It wraps only in name: a check at every addition would keep the compiler from adding
/// many at once.
#[inline]
pub(super) fn product(one: &[i16; SUMS], other: &[i8; SUMS]) -> i32 {
    let (ones, _) = one.as_chunks::<{ AT_ONCE * FIT }>();
    let (others, _) = other.as_chunks::<{ AT_ONCE * FIT }>();
    let mut total = [0_i32; AT_ONCE];
    for (one, other) in ones.iter().zip(others) {
        let wide = other.map(i16::from);
        let mut few = [0_i16; AT_ONCE];
        for (one, other) in one.chunks_exact(AT_ONCE).zip(wide.chunks_exact(AT_ONCE)) {
            for ((sum, &one), &other) in few.iter_mut().zip(one).zip(other) {
                *sum = sum.wrapping_add(one.wrapping_mul(other));
            }
        }
        for (sum, few) in total.iter_mut().zip(few) {
            *sum = sum.wrapping_add(i32::from(few));
        }
    }
    total.iter().fold(0, |sum, &part| sum.wrapping_add(part))
}

/// The product of sums with themselves.
pub(super) fn square(sums: &[i8; SUMS]) -> i32 {
    product(&sums.map(i16::from), sums)
}
