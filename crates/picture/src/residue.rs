//! Whether the noise of a picture has been seen before. The noise of a living sensor never comes back; where it
//! does, footage is played again, however little happens in it.
//!
//! Of each picture 256 second differences of three pixels in a row are kept, as signs against their mean: light that
//! changes evenly, or with an even slope, is not in them. Only places without structure count, as there a brighter
//! light changes hardly anything, and only signs that differ enough from their mean: after a thrifty encoder few do.

use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::shrunk::Shrunk;

/// Places with three pixels each.
const PLACES: usize = 256;
const WORDS: usize = PLACES / 64;
/// Pictures that are kept: ten minutes of five a second, and a little.
const LONGEST: usize = 3_010;
/// Nearer pictures are not kept, microseconds.
const NEAREST: i64 = 190_000;
/// Width of a bin of periods, microseconds.
const BIN: i64 = 200_000;
const BINS: usize = 3_010;
/// Shortest period, microseconds.
const SHORTEST: i64 = 1_900_000;
/// A silence longer than this starts everything anew, microseconds.
const LONGEST_GAP: i64 = 5_000_000;
/// Parts of a level in which means are kept.
const PARTS: i16 = 16;
/// A difference counts from this distance to its mean on, in those parts,
const LEAST: u16 = 8;
/// where the mean is no more than this: two levels.
const MOST_STRUCTURE: u16 = 32;
/// So many signs must count in both pictures: noise is everywhere, what moves is not.
const LEAST_SIGNS: u32 = 56;
/// Two pictures are the same where of five signs that count not more than one differs.
const OF_FIVE: u32 = 1;
/// What a picture that was seen before gives to its period, and what one that was not takes from it.
const HIT: u8 = 8;
/// From so much on a period is believed,
const BELIEVED: u8 = 56;
/// until it falls below this; it grows no further than `MOST`.
const DISBELIEVED: u8 = 24;
const MOST: u8 = 80;
/// A picture that is the same as one within this time before it says nothing: the scene or the encoder stood.
const STANDING: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sign {
    at: UtcMicros,
    signs: [u64; WORDS],
    counts: [u64; WORDS],
}

impl Sign {
    fn same(&self, other: &Self) -> bool {
        let (mut count, mut unlike) = (0_u32, 0_u32);
        for word in 0..WORDS {
            let both = self.counts[word] & other.counts[word];
            count = count.wrapping_add(both.count_ones());
            unlike = unlike.wrapping_add(((self.signs[word] ^ other.signs[word]) & both).count_ones());
        }
        count >= LEAST_SIGNS && unlike * 5 <= count * OF_FIVE
    }
}

/// Finds noise that comes back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Residues {
    width: usize,
    height: usize,
    /// Means of the differences.
    means: Vec<i16>,
    ring: Vec<Sign>,
    newest: usize,
    /// How much speaks for each period.
    scores: Vec<u8>,
    found: usize,
}

impl Residues {
    /// Takes the picture of time `at`; returns the period with which noise comes back, microseconds, or 0.
    pub(crate) fn take(&mut self, at: UtcMicros, shrunk: &Shrunk) -> i64 {
        let since = self
            .ring
            .get(self.newest)
            .map_or(NEAREST, |newest| at.micros_since(newest.at));
        if (self.width, self.height) != (shrunk.width, shrunk.height) || !(0..=LONGEST_GAP).contains(&since) {
            *self = Self {
                width: shrunk.width,
                height: shrunk.height,
                scores: vec![0; BINS],
                ..Self::default()
            };
        } else if since < NEAREST {
            return self.found as i64 * BIN;
        }
        let now = self.sign(at, shrunk);
        self.compare(&now);
        if self.ring.len() < LONGEST {
            self.newest = self.ring.len();
            self.ring.push(now);
        } else {
            self.newest = (self.newest + 1) % LONGEST;
            self.ring[self.newest] = now;
        }
        self.found as i64 * BIN
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.ring.len() <= LONGEST
            && (self.newest < self.ring.len() || self.ring.is_empty())
            && [0, PLACES].contains(&self.means.len())
            && (self.ring.is_empty() || self.scores.len() == BINS)
            && self.found < BINS
    }

    fn sign(&mut self, at: UtcMicros, shrunk: &Shrunk) -> Sign {
        let mut sign = Sign {
            at,
            ..Sign::default()
        };
        let first = self.means.is_empty();
        self.means.resize(PLACES, 0);
        let edge = shrunk.height / 9;
        let (wide, high) = (shrunk.width - 2, shrunk.height - 2 * edge - 1);
        // A sequence that fills the picture evenly (the plastic number's, M. Roberts 2018), in 2^-16.
        let (mut across, mut down) = (0_usize, 0_usize);
        for (place, mean) in self.means.iter_mut().enumerate() {
            across = (across + 49_471) & 0xffff;
            down = (down + 37_345) & 0xffff;
            let (x, y) = ((across * wide) >> 16, edge + ((down * high) >> 16));
            let row = &shrunk.pixels[y * shrunk.width + x..y * shrunk.width + x + 3];
            let [left, middle, right] = [row[0], row[1], row[2]].map(i16::from);
            let difference = (left - 2 * middle + right) * PARTS;
            if first {
                *mean = difference;
                continue;
            }
            let away = difference - *mean;
            let (word, bit) = (place / 64, 1_u64 << (place % 64));
            if away > 0 {
                sign.signs[word] |= bit;
            }
            if away.unsigned_abs() >= LEAST && mean.unsigned_abs() <= MOST_STRUCTURE {
                sign.counts[word] |= bit;
            }
            *mean += (away + 15 * away.signum()) / 16;
        }
        sign
    }

    fn compare(&mut self, now: &Sign) {
        let standing = self.ring.iter().any(|before| {
            let since = now.at.micros_since(before.at);
            (0..=STANDING).contains(&since) && now.same(before)
        });
        let mut best = 0;
        for before in &self.ring {
            let since = now.at.micros_since(before.at);
            if since < SHORTEST {
                continue;
            }
            let bin = ((since + BIN / 2) / BIN) as usize;
            let Some(score) = self.scores.get_mut(bin) else {
                continue;
            };
            *score = if !standing && now.same(before) {
                score.saturating_add(HIT).min(MOST)
            } else {
                score.saturating_sub(1)
            };
            if *score >= BELIEVED && (best == 0 || bin < best) {
                best = bin;
            }
        }
        if best > 0 {
            self.found = best;
        } else if self
            .scores
            .get(self.found)
            .is_none_or(|&score| score < DISBELIEVED)
        {
            self.found = 0;
        }
    }
}
