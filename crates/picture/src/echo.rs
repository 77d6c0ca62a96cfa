//! Whether parts of the picture come back to the last pixel, after an encoder went over them too.
//!
//! An encoder that is fed with the same pictures again makes, in many places, the same of them to the last level, at the
//! latest where a whole number of its groups of pictures has passed; of a living scene it never does, as the noise of the
//! sensor, however much of it is wiped out, turns some block of a large zone otherwise. Of each of twelve zones a mark
//! of its pixels is kept. What did not change since the picture before says nothing. Where the encoder wipes out all
//! noise, zones come back in a living scene as well: a period tells only where zones had changed often before and never
//! come back with it, and where as much goes on in them as did then. A belt that has stopped is no replay.

use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::cells::span;
use crate::shrunk::Shrunk;

/// Zones in a row, and rows of them.
const ZONE_COLUMNS: usize = 4;
const ZONE_ROWS: usize = 3;
const ZONES: usize = ZONE_COLUMNS * ZONE_ROWS;
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
/// So many zones must have changed for a picture to say anything, and so many must have come back,
const LEAST_ZONES: usize = 3;
/// and one of so many that have changed.
const ONE_OF: usize = 2;
/// What a picture that has come back gives to its period, and what one that has not takes from it.
const HIT: u8 = 8;
const MISS: u8 = 4;
/// Pictures that must have come back.
const LEAST_HITS: usize = 5;
/// From so much on a period is looked at closely,
const LOOKED_AT: u8 = HIT * (LEAST_HITS as u8 - 1);
/// until it falls below this it is believed; it grows no further than `MOST`.
const DISBELIEVED: u8 = 8;
const MOST: u8 = 56;
/// Pictures that must have told before, and how many of them, and of each zone, may have come back: one of so many.
const LEAST_BEFORE: usize = 20;
const CHANCE_ONE_OF: usize = 50;
/// By no more than so many times as much a zone had changed before, most of the time, as the strongest of what came back.
const CALMED: u32 = 2;
/// Parts of a level in which change is kept.
const PARTS: u32 = 16;

/// One picture. Zones that did not change since the picture before have no mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Marks {
    at: UtcMicros,
    marks: [u32; ZONES],
    /// Mean change of each zone since the picture before.
    change: [u8; ZONES],
}

impl Marks {
    /// Zones that changed.
    fn telling(&self) -> usize {
        self.marks.iter().filter(|&&mark| mark != 0).count()
    }

    /// Whether each zone changed both times, into the same.
    fn same(&self, other: &Self) -> [bool; ZONES] {
        std::array::from_fn(|zone| self.marks[zone] != 0 && self.marks[zone] == other.marks[zone])
    }
}

fn is_hit(same: usize, telling: usize) -> bool {
    same >= LEAST_ZONES && same * ONE_OF >= telling
}

/// Finds zones that come back to the last pixel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Echoes {
    width: usize,
    height: usize,
    /// The picture before.
    before: Vec<u8>,
    ring: Vec<Marks>,
    newest: usize,
    /// How much speaks for each period.
    scores: Vec<u8>,
    found: usize,
}

impl Echoes {
    /// Takes the picture of time `at`; returns the period with which zones come back, or a multiple of it,
    /// microseconds, or 0.
    pub(crate) fn take(&mut self, at: UtcMicros, shrunk: &Shrunk) -> i64 {
        let since = self
            .ring
            .get(self.newest)
            .map_or(NEAREST, |newest| at.micros_since(newest.at));
        if (self.width, self.height) != (shrunk.width, shrunk.height) || !(0..=LONGEST_GAP).contains(&since) {
            *self = Self {
                width: shrunk.width,
                height: shrunk.height,
                before: shrunk.pixels.clone(),
                scores: vec![0; BINS],
                ..Self::default()
            };
        } else if since < NEAREST {
            return self.found as i64 * BIN;
        }
        let now = self.marks(at, shrunk);
        self.before.clone_from(&shrunk.pixels);
        let candidate = self.compare(&now);
        if self.ring.len() < LONGEST {
            self.newest = self.ring.len();
            self.ring.push(now);
        } else {
            self.newest = (self.newest + 1) % LONGEST;
            self.ring[self.newest] = now;
        }
        if let Some(bin) = candidate {
            if self.is_replay(bin) {
                self.found = bin;
            } else {
                self.scores[bin] = 0;
            }
        }
        self.found as i64 * BIN
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.ring.len() <= LONGEST
            && (self.newest < self.ring.len() || self.ring.is_empty())
            && (self.ring.is_empty()
                || (self.scores.len() == BINS
                    && self.width.checked_mul(self.height) == Some(self.before.len())))
            && self.found < BINS
    }

    fn marks(&self, at: UtcMicros, shrunk: &Shrunk) -> Marks {
        let mut marks = Marks {
            at,
            ..Marks::default()
        };
        // Without the rows in which cameras write time and place.
        let edge = shrunk.height / 9;
        let inner = shrunk.height - 2 * edge;
        for zone in 0..ZONES {
            let columns = span(zone % ZONE_COLUMNS, ZONE_COLUMNS, shrunk.width);
            let rows = span(zone / ZONE_COLUMNS, ZONE_ROWS, inner);
            let count = (columns.len() * rows.len()).max(1) as u32;
            let (mut sum, mut mark) = (0_u32, 0_u64);
            for y in rows {
                let start = (y + edge) * shrunk.width;
                let line = start + columns.start..start + columns.end;
                let (here, before) = (&shrunk.pixels[line.clone()], &self.before[line]);
                let pairs = here.iter().zip(before);
                sum = pairs.fold(sum, |sum, (&a, &b)| sum.wrapping_add(u32::from(a.abs_diff(b))));
                let (eights, rest) = here.as_chunks::<8>();
                let words = eights.iter().map(|eight| u64::from_le_bytes(*eight));
                for word in words.chain(rest.iter().map(|&pixel| u64::from(pixel))) {
                    // Multiplied by an odd number and turned, each word changes all the bits above it and, later, below.
                    mark = (mark.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                }
            }
            if sum > 0 {
                marks.marks[zone] = (mark >> 32) as u32 | 1;
                marks.change[zone] = (sum * PARTS / count).min(255) as u8;
            }
        }
        marks
    }

    /// Compares with all that is kept; returns a period that is worth a closer look.
    fn compare(&mut self, now: &Marks) -> Option<usize> {
        let telling = now.telling();
        if telling < LEAST_ZONES {
            return None;
        }
        // A mark is odd, so that what did not change is like nothing.
        let wanted = now.marks.map(|mark| if mark == 0 { 2 } else { mark });
        let mut best = None;
        for before in &self.ring {
            let since = now.at.micros_since(before.at);
            if since < SHORTEST {
                continue;
            }
            let bin = ((since + BIN / 2) / BIN) as usize;
            let Some(score) = self.scores.get_mut(bin) else {
                continue;
            };
            let pairs = wanted.iter().zip(&before.marks);
            let same = pairs.fold(0_u32, |same, (now, then)| {
                same.wrapping_add(u32::from(now == then))
            });
            if is_hit(same as usize, telling) {
                *score = score.saturating_add(HIT).min(MOST);
                if *score >= LOOKED_AT && best.is_none_or(|best| bin < best) {
                    best = Some(bin);
                }
            } else {
                *score = score.saturating_sub(MISS);
            }
        }
        if self.found > 0 {
            let believed = [self.found, 2 * self.found]
                .into_iter()
                .filter_map(|bin| self.scores.get(bin))
                .any(|&score| score >= DISBELIEVED);
            if believed {
                return None;
            }
            self.found = 0;
        }
        best
    }

    /// Whether pictures have come back with that period lately, and had not before.
    fn is_replay(&self, bin: usize) -> bool {
        let pairs = self.pairs(bin);
        // Lately: as far back as one of three came back.
        let mut all = 0;
        let lately = pairs
            .iter()
            .enumerate()
            .filter(|(number, pair)| {
                all += usize::from(pair.hit);
                pair.hit && 3 * all > *number
            })
            .last()
            .map_or(0, |(number, _)| number + 1);
        let (lately, before) = pairs.split_at(lately);
        let hits = |pairs: &[Pair<'_>]| pairs.iter().filter(|pair| pair.hit).count();
        if hits(lately) < LEAST_HITS
            || before.len() < LEAST_BEFORE
            || hits(before) * CHANCE_ONE_OF > before.len()
        {
            return false;
        }
        let lively = (0..ZONES).filter(|&zone| {
            let came_back = lately.iter().filter(|pair| pair.hit && pair.same[zone]).count();
            let came_before = before.iter().filter(|pair| pair.same[zone]).count();
            2 * came_back >= hits(lately)
                && came_before * CHANCE_ONE_OF <= before.len()
                && share_of(before, zone, 1, 4) <= CALMED * share_of(lately, zone, 9, 10)
        });
        lively.count() >= LEAST_ZONES
    }

    /// Pictures that say something with those one period before, the newest first.
    fn pairs(&self, bin: usize) -> Vec<Pair<'_>> {
        let kept = self.ring.len();
        let picture = |back: usize| &self.ring[(self.newest + kept - back) % kept];
        let period = bin as i64 * BIN;
        let mut pairs = Vec::new();
        let mut earlier = 0;
        for back in 0..kept {
            let now = picture(back);
            while earlier < kept && now.at.micros_since(picture(earlier).at) < period - BIN / 2 {
                earlier += 1;
            }
            if earlier >= kept {
                break;
            }
            let (then, telling) = (picture(earlier), now.telling());
            if telling < LEAST_ZONES || now.at.micros_since(then.at) >= period + BIN / 2 {
                continue;
            }
            let same = now.same(then);
            let count = same.iter().filter(|&&same| same).count();
            pairs.push(Pair {
                now,
                same,
                hit: is_hit(count, telling),
            });
        }
        pairs
    }
}

/// A picture, compared with the one a period before.
struct Pair<'ring> {
    now: &'ring Marks,
    same: [bool; ZONES],
    hit: bool,
}

/// The change of a zone, where it changed, that `part` of `of` do not exceed; 0 of nothing.
fn share_of(pairs: &[Pair<'_>], zone: usize, part: usize, of: usize) -> u32 {
    let changed = pairs.iter().filter(|pair| pair.now.marks[zone] != 0);
    let mut changes: Vec<u8> = changed.map(|pair| pair.now.change[zone]).collect();
    if changes.is_empty() {
        return 0;
    }
    let place = changes.len() * part / of;
    u32::from(*changes.select_nth_unstable(place).1)
}

#[cfg(test)]
mod tests;
