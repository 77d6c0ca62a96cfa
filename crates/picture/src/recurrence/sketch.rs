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
/// Where, beside the sums of a zone, those begin that are taken away.
const TAKEN: usize = 16;
/// Length of the sums of a zone as they are kept.
pub(super) const LENGTH: f32 = 100.0;
/// A pixel changes by no more than this, levels: nothing shall outweigh all the rest.
const MOST_CHANGE: i16 = 16;
/// Length of the difference of a zone below which nothing has changed there, levels.
const QUIET: f32 = 5.0;

/// Of each pixel of each zone the sum that it belongs to, and `TAKEN` more where it is taken away from it. Follows from the
/// size of the pictures; no part of the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Vec<u8>);

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// Draws them where that was not done.
    pub(super) fn draw(&mut self, width: usize, height: usize) {
        if !self.0.is_empty() {
            return;
        }
        let edge = height / 9;
        let inner = height - 2 * edge;
        let mut chance = 1_u32;
        let pixels: usize = (0..ZONES)
            .map(|zone| {
                let columns = span(zone % ZONE_COLUMNS, ZONE_COLUMNS, width);
                columns.len() * span(zone / ZONE_COLUMNS, ZONE_ROWS, inner).len()
            })
            .sum();
        self.0.extend((0..pixels).map(|_| {
            // W. Press et al., Numerical Recipes, 7.1: the upper bits are good.
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let taken = if (chance >> 15) & 2 == 0 { 0 } else { TAKEN as u8 };
            (((chance >> 20) * ZONE_SUMS as u32) >> 12) as u8 + taken
        }));
    }

    /// The difference to the pixels of the picture before, which has the same size.
    #[inline]
    pub(super) fn sketch(&self, shrunk: &Shrunk, pixels_before: &[u8]) -> [i8; SUMS] {
        let mut sums = [0_i32; SUMS];
        // Without the rows in which cameras write time and place.
        let edge = shrunk.height / 9;
        let inner = shrunk.height - 2 * edge;
        let mut places = self.0.iter();
        for zone in 0..ZONES {
            let columns = span(zone % ZONE_COLUMNS, ZONE_COLUMNS, shrunk.width);
            // Those that are added come first, those that are taken away after them.
            let mut own = [0_i32; 32];
            for y in span(zone / ZONE_COLUMNS, ZONE_ROWS, inner) {
                let start = (y + edge) * shrunk.width;
                let line = start + columns.start..start + columns.end;
                let pixels = shrunk.pixels[line.clone()].iter().zip(&pixels_before[line]);
                for ((&now, &before), &place) in pixels.zip(places.by_ref()) {
                    let change = i16::from(now).wrapping_sub(i16::from(before));
                    let sum = &mut own[usize::from(place % 32)];
                    *sum = sum.wrapping_add(i32::from(change.clamp(-MOST_CHANGE, MOST_CHANGE)));
                }
            }
            let (added, taken) = own.split_at(TAKEN);
            for (sum, (added, taken)) in sums[zone * ZONE_SUMS..]
                .iter_mut()
                .zip(added.iter().zip(taken))
                .take(ZONE_SUMS)
            {
                *sum = added.wrapping_sub(*taken);
            }
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

/// At most 144 times 100 squared. It wraps only in name: a check at every addition would keep the compiler from adding
/// many at once.
#[inline]
pub(super) fn product(one: &[i8; SUMS], other: &[i8; SUMS]) -> i32 {
    one.iter().zip(other).fold(0_i32, |sum, (&one, &other)| {
        sum.wrapping_add(i32::from(one).wrapping_mul(i32::from(other)))
    })
}
