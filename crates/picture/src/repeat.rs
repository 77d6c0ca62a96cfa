//! Whether the pictures of the last minutes come back: footage that is played again.
//!
//! Every half second gives a signature: the mean brightness of 96 cells. Each of the 1,200 possible periods
//! counts how long the signatures have agreed with those one period before. A period is believed when they have
//! agreed over the whole of it and six seconds more, when enough happened in that time, when few other periods
//! agree as well, and when what happened is more than a few steady swings: a blinking lamp or a turning wheel
//! comes back too. How alike it must be depends on how many pictures tell: of eight, of which three swings are taken
//! out, some are alike by chance.

use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::cells::span;
use crate::modes::{SWINGS, agreement};
use crate::shrunk::Shrunk;

const COLUMNS: usize = 12;
const ROWS: usize = 8;
/// Cells of a signature.
pub(crate) const SIGNS: usize = COLUMNS * ROWS;
/// Length of a slot of time, microseconds.
const SLOT: i64 = 500_000;
/// Longest period, slots: ten minutes and a little, for the edges of both signatures.
const LONGEST_PERIOD: usize = 1_204;
/// Slots that are kept: half a minute more, which the longest periods are tested by.
const LONGEST: usize = 1_268;
/// Shortest period, slots: two seconds.
const SHORTEST: usize = 4;
/// Slots beyond one period that must agree too.
const BEYOND: u16 = 12;
/// A silence of more slots starts everything anew.
const LONGEST_GAP: i64 = 10;
/// A signature may lie this far outside what was seen one period before, levels.
const TOLERANCE: u8 = 1;
/// A cell is busy where it differs from what it was a second before by more than this, levels.
const BUSY: u8 = 3;
/// Something happens in a slot with so many busy cells.
const BUSY_CELLS: u8 = 3;
/// So many slots of the agreeing time must have had something happening.
const BUSY_SLOTS: u16 = 8;
/// Doubts at which a period starts anew; a slot that disagrees gives three, one that agrees takes one away.
const MOST_DOUBTS: u8 = 9;
/// Of all periods no more than this share may agree as well.
const MOST_RIVALS: f32 = 0.12;
/// Slots that the last test looks at, at most.
const LONGEST_TEST: usize = 240;
/// What happened must agree to this degree without its three strongest swings,
const AGREEMENT: f32 = 0.2;
/// and by so many standard deviations of what chance gives.
const STANDS_OUT: f32 = 3.0;
/// So many slots beside the period it must agree less,
const BESIDE: usize = 3;
/// by this at least.
const SHARPNESS: f32 = 0.12;

/// The signatures of the last half seconds, in a ring, cell by cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ring {
    /// The darkest and the brightest that each cell was in a slot and its neighbours.
    low: Vec<u8>,
    high: Vec<u8>,
    /// Busy cells of each slot.
    busy: Vec<u8>,
    /// Whether each slot had a picture of its own.
    #[serde(default)]
    seen: Vec<bool>,
    newest: usize,
}

impl Ring {
    fn len(&self) -> usize {
        self.busy.len()
    }

    fn push(&mut self, low: &[u8], high: &[u8], busy: u8, seen: bool) {
        if self.len() < LONGEST {
            self.newest = self.len();
            self.low.extend_from_slice(low);
            self.high.extend_from_slice(high);
            self.busy.push(busy);
            self.seen.push(seen);
            return;
        }
        self.newest = (self.newest + 1) % LONGEST;
        let cells = self.newest * SIGNS..(self.newest + 1) * SIGNS;
        self.low[cells.clone()].copy_from_slice(low);
        self.high[cells].copy_from_slice(high);
        self.busy[self.newest] = busy;
        self.seen[self.newest] = seen;
    }

    /// Where the slot `back` slots before the newest is.
    fn place(&self, back: usize) -> usize {
        (self.newest + self.len() - back % self.len()) % self.len()
    }

    /// Darkest, brightest and busy cells of the slot `back` slots before the newest.
    fn sign(&self, back: usize) -> (&[u8], &[u8], u8) {
        let place = self.place(back);
        let cells = place * SIGNS..(place + 1) * SIGNS;
        (&self.low[cells.clone()], &self.high[cells], self.busy[place])
    }

    fn is_sound(&self) -> bool {
        self.len() <= LONGEST
            && (self.newest < self.len() || self.len() == 0)
            && [self.low.len(), self.high.len()] == [self.len() * SIGNS; 2]
            && self.seen.len() == self.len()
    }
}

/// What is known of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Period {
    /// Slots that have agreed.
    agreed: u16,
    /// Those of them in which something happened.
    busy: u16,
    doubts: u8,
}

/// Mean, lowest and highest of each cell in one slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    mean: Vec<u8>,
    low: Vec<u8>,
    high: Vec<u8>,
    /// Busy cells.
    busy: u8,
    /// Whether it had a picture of its own.
    #[serde(default)]
    seen: bool,
}

/// Finds footage that comes back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Repeats {
    /// Number of the slot that is being filled.
    slot: Option<i64>,
    sums: Vec<u32>,
    frames: u32,
    filling: Slot,
    /// The last two whole slots, the newer first.
    last: [Slot; 2],
    ring: Ring,
    periods: Vec<Period>,
    /// The period that is believed, slots; 0 for none.
    found: usize,
    /// Slots until the costly test is made again.
    rest: u8,
}

impl Repeats {
    /// Takes the picture of time `at`; returns the period with which pictures come back, microseconds, or 0.
    pub(crate) fn take(&mut self, at: UtcMicros, shrunk: &Shrunk) -> i64 {
        let slot = at.0.div_euclid(SLOT);
        if let Some(filling) = self.slot {
            let gap = slot.saturating_sub(filling);
            if !(0..=LONGEST_GAP).contains(&gap) {
                *self = Self::default();
            } else if gap > 0 {
                self.close();
                // Slots without a picture show what was there.
                for _ in 1..gap {
                    let again = self.last[0].clone();
                    self.filling = again;
                    self.frames = 0;
                    self.close();
                }
            }
        }
        self.slot = Some(slot);
        self.add(shrunk);
        self.found as i64 * SLOT
    }

    /// Whether a state that was read from somewhere can be gone on with.
    pub(crate) fn is_sound(&self) -> bool {
        let whole = |values: &Vec<u8>| values.len() == SIGNS || values.is_empty();
        let sound = |slot: &Slot| {
            whole(&slot.mean) && slot.low.len() == slot.mean.len() && slot.high.len() == slot.mean.len()
        };
        self.ring.is_sound()
            && self.last.iter().chain([&self.filling]).all(sound)
            && [0, SIGNS].contains(&self.sums.len())
            && self.periods.len() == self.ring.len()
            && (self.found == 0 || (SHORTEST..self.ring.len() + 2).contains(&self.found))
            && (self.slot.is_none()
                || (self.frames > 0 && self.sums.len() == SIGNS && !self.filling.mean.is_empty()))
    }

    fn add(&mut self, shrunk: &Shrunk) {
        if self.frames == 0 {
            self.sums.clear();
            self.sums.resize(SIGNS, 0);
            self.filling = Slot {
                mean: vec![0; SIGNS],
                low: vec![u8::MAX; SIGNS],
                high: vec![0; SIGNS],
                ..Slot::default()
            };
        }
        // Without the rows in which cameras write time and place.
        let edge = shrunk.height / 9;
        let inner = shrunk.height - 2 * edge;
        for cell in 0..SIGNS {
            let columns = span(cell % COLUMNS, COLUMNS, shrunk.width);
            let rows = span(cell / COLUMNS, ROWS, inner);
            let count = (columns.len() * rows.len()).max(1) as u32;
            let mut sum = 0_u32;
            for y in rows {
                let start = (y + edge) * shrunk.width;
                let line = &shrunk.pixels[start + columns.start..start + columns.end];
                sum = line
                    .iter()
                    .fold(sum, |sum, &pixel| sum.wrapping_add(u32::from(pixel)));
            }
            let level = ((sum + count / 2) / count) as u8;
            self.sums[cell] += u32::from(level);
            self.filling.low[cell] = self.filling.low[cell].min(level);
            self.filling.high[cell] = self.filling.high[cell].max(level);
        }
        self.frames += 1;
        if self.frames == 1_000 {
            // So many pictures in half a second are no camera's; the sums must stay bounded.
            self.close();
            self.add(shrunk);
        }
    }

    /// A slot is over.
    fn close(&mut self) {
        // Without frames the slot shows what was there before.
        for (mean, sum) in self.filling.mean.iter_mut().zip(&self.sums) {
            if let Some(level) = sum.checked_div(self.frames) {
                *mean = level as u8;
            }
        }
        let mut now = std::mem::take(&mut self.filling);
        now.seen = self.frames > 0;
        self.frames = 0;
        if now.mean.len() != SIGNS {
            return;
        }
        // The newer of the last two lies half a second back.
        let changed = now.mean.iter().zip(&self.last[1].mean);
        now.busy = changed.filter(|&(&now, &was)| now.abs_diff(was) > BUSY).count() as u8;
        self.compare(&now);
        self.remember(&now);
        let [newer, _] = std::mem::take(&mut self.last);
        self.last = [now, newer];
        self.judge();
    }

    /// Puts the slot before this one into the ring, now that both its neighbours are known.
    fn remember(&mut self, now: &Slot) {
        let [middle, older] = &self.last;
        if middle.mean.len() != SIGNS {
            return;
        }
        let beside = if older.mean.len() == SIGNS { older } else { middle };
        let of = |pick: fn(&Slot) -> &Vec<u8>, join: fn(u8, u8) -> u8| -> Vec<u8> {
            let both = pick(middle).iter().zip(pick(now)).zip(pick(beside));
            both.map(|((&middle, &now), &beside)| join(middle, join(now, beside)))
                .collect()
        };
        let low = of(|slot| &slot.low, u8::min);
        let high = of(|slot| &slot.high, u8::max);
        let (busy, seen) = (middle.busy, middle.seen);
        if self.ring.len() < LONGEST {
            self.periods.push(Period::default());
        }
        self.ring.push(&low, &high, busy, seen);
    }

    fn compare(&mut self, slot: &Slot) {
        let (now, busy) = (&slot.mean, slot.busy);
        // The newest in the ring lies two slots before the one that is compared.
        let ring = &self.ring;
        for (length, period) in (2..ring.len() + 2).zip(&mut self.periods).skip(SHORTEST - 2) {
            let (low, high, was_busy) = ring.sign(length - 2);
            let unlike = now
                .iter()
                .zip(low.iter().zip(high))
                .fold(0_u8, |unlike, (&now, (&low, &high))| {
                    let away = low.saturating_sub(now).max(now.saturating_sub(high));
                    unlike.wrapping_add(u8::from(away > TOLERANCE))
                });
            let most_busy = busy.max(was_busy);
            if unlike <= 1 + most_busy / 5 {
                period.agreed = period.agreed.saturating_add(1).min(2 * LONGEST as u16);
                period.doubts = period.doubts.saturating_sub(1);
                if busy.min(was_busy) >= BUSY_CELLS {
                    period.busy = period.busy.saturating_add(1).min(2 * LONGEST as u16);
                }
            } else {
                period.doubts += 3;
                if period.doubts > MOST_DOUBTS {
                    *period = Period::default();
                }
            }
        }
    }

    fn agrees(&self, length: usize) -> bool {
        self.periods
            .get(length - 2)
            .is_some_and(|period| period.agreed >= length as u16 + BEYOND && period.busy >= BUSY_SLOTS)
    }

    fn judge(&mut self) {
        if self.found > 0 {
            if self
                .periods
                .get(self.found - 2)
                .is_some_and(|period| period.agreed > 0)
            {
                return;
            }
            self.found = 0;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let all = SHORTEST..(self.ring.len() + 2).min(LONGEST_PERIOD + 1);
        let agreeing: Vec<usize> = all.clone().filter(|&length| self.agrees(length)).collect();
        let Some(&first) = agreeing.first() else {
            return;
        };
        self.rest = 4;
        // Of neighbouring periods the one in the middle.
        let neighbours = agreeing
            .iter()
            .zip(first..)
            .take_while(|&(&length, next)| length == next)
            .count();
        let length = first + (neighbours - 1).min(6) / 2;
        // In a scene that stands still every period agrees that is no longer than it has stood.
        let agreed = self.periods[length - 2].agreed as usize;
        let possible = all.clone().filter(|&other| other <= agreed).count();
        let rivals = agreeing
            .iter()
            .filter(|&&other| {
                if other > agreed {
                    return false;
                }
                let beside = other % length;
                beside.min(length - beside) > 2 + other / length
            })
            .count();
        if rivals as f32 > MOST_RIVALS * possible as f32 {
            return;
        }
        if self.is_rich(length) {
            self.found = length;
        }
    }

    /// Whether what came back is more than a few swings, and more than chance makes of so few pictures.
    fn is_rich(&self, length: usize) -> bool {
        let ring = &self.ring;
        let slots = LONGEST_TEST
            .min(self.periods[length - 2].agreed as usize)
            .min(ring.len().saturating_sub(length + BESIDE));
        // A slot without a picture shows the one before, which is no evidence: looked at once a second, half of them.
        let backs: Vec<usize> = (0..slots)
            .filter(|&back| ring.seen[ring.place(back)] && ring.seen[ring.place(back + length)])
            .collect();
        // What is left of so many rows without the swings. Each picture counts for one number, though it has many cells:
        // what moves changes several at once.
        let free = backs.len().saturating_sub(SWINGS);
        let least = AGREEMENT.max(STANDS_OUT / (free.max(1) as f32).sqrt());
        if least >= 1.0 {
            return false;
        }
        let rows = |shift: usize| -> Vec<f32> {
            backs
                .iter()
                .flat_map(|&back| {
                    let (low, high, _) = ring.sign(back + shift);
                    low.iter()
                        .zip(high)
                        .map(|(&low, &high)| (f32::from(low) + f32::from(high)) / 2.0)
                })
                .collect()
        };
        let at = |shift: usize| agreement(rows(0), rows(shift), SIGNS);
        let agreed = at(length);
        // Whatever moves slowly is like itself a little later, too: a return is sharper than that.
        agreed >= least
            && [length - BESIDE, length + BESIDE]
                .into_iter()
                .all(|beside| at(beside) <= agreed - SHARPNESS)
    }
}
