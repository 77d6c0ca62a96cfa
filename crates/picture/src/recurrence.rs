//! Whether what changes from picture to picture has changed in the same way before: footage that is played again,
//! also after an encoder went over it, which leaves little of the noise and never the same.
//!
//! Of the difference of each picture to the one before a sketch is kept. For every possible period the likeness to the
//! differences one period before is averaged. In a living scene no period stands out. Played again, one does: sharply, as the
//! pictures beside it are others; far above all other periods, which are what chance gives in this very scene; and in all
//! zones that show anything but what an encoder makes of noise.
//!
//! Machines, lamps and the rhythm of an encoder's key frames come back as well. In each zone they are a few swings,
//! which are taken out before it is believed; or they leave other zones alone; or they have always come back. A lorry that
//! passes as one of its kind did comes back for as long as it passes.

mod sketch;
mod zones;

use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::shrunk::Shrunk;
use sketch::{LENGTH, Places, SUMS, product, square};
use zones::Told;

/// Pictures that are kept: ten minutes of five a second, and a little.
const LONGEST: usize = 3_060;
/// Nearer pictures are not kept, microseconds.
const NEAREST: i64 = 190_000;
/// Width of a bin of periods, microseconds.
const BIN: i64 = 200_000;
const BINS: usize = 3_060;
/// Shortest period, bins.
const SHORTEST: usize = 10;
/// A silence longer than this starts everything anew, microseconds.
const LONGEST_GAP: i64 = 5_000_000;
/// Time over which likeness is averaged, microseconds.
const AVERAGED: f32 = 8_000_000.0;
/// Zones that changed in the mean, below which too little has happened to say anything.
const LEAST_HAPPENED: f32 = 0.5;
/// Bins that chance is taken from, at least.
const LEAST_BINS: usize = 60;
/// Likeness of a period that is played again, at least: most of the zones that changed changed as before.
const LEAST_LIKENESS: f32 = 0.5;
/// A period is believed no more below this.
const DISBELIEVED: f32 = 0.2;
/// The same where many zones agree,
const MANY_LIKENESS: f32 = 0.3;
/// so many,
const MANY_ZONES: usize = 7;
/// and this part of those that say anything.
const MANY_PART: f32 = 0.8;
/// The shortest period with at least this part of the likeness of its multiple is the one.
const FIRST_PART: f32 = 0.25;
/// Likeness of a period that has always come back, at least.
const HABIT_LIKENESS: f32 = 0.12;
/// By how many standard deviations it must stand out.
const STANDS_OUT: f32 = 7.0;
/// So many bins beside it, and at periods that are too short, likeness must be at most this part of its.
const BESIDE: usize = 2;
const FARTHEST_BESIDE: usize = 8;
const BESIDE_PART: f32 = 0.6;
/// So many zones must agree,
const LEAST_ZONES: usize = 5;
/// and this part of those that say anything.
const ZONES_PART: f32 = 0.5;
/// Of a period whose past is known so few are enough, with such a likeness of all,
const FEW_ZONES: usize = 3;
const FEW_LIKENESS: f32 = 0.18;
/// and of those that agree, in the mean,
const FEW_AGREEMENT: f32 = 0.3;
/// or where twice the period has at least this part of the likeness.
const TWICE_PART: f32 = 0.6;
/// What has come back for so many periods, of short ones and for so many bins more, has always come back,
const HABIT_PERIODS: usize = 3;
const HABIT_BINS: usize = 100;
/// as far as so many pictures told,
const RIPE: u16 = 40;
/// where its likeness is at least this part of the likeness now.
const HABIT_PART: f32 = 0.5;
/// Whether a period of no more than so many bins is a habit must be known before it is believed: machines turn faster.
const HABIT_KNOWN: usize = 300;
/// Habits that are kept,
const MOST_HABITS: usize = 16;
/// and the zones that must agree before a kept habit is taken for footage.
const HABIT_ZONES: usize = 9;
/// Microseconds between judgements.
const JUDGED_EVERY: i64 = 1_000_000;

/// What is known of one possible period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Period {
    /// Mean of the zones' likenesses, summed up.
    product: f32,
    /// Zones that had changed, in the mean.
    zones: f32,
    /// Pictures that told.
    pictures: u16,
}

/// Finds changes that come back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recurrences {
    width: usize,
    height: usize,
    /// The picture before.
    before: Vec<u8>,
    /// Sketches of the differences, in a ring; each has `SUMS` numbers and a time.
    sums: Vec<i8>,
    times: Vec<UtcMicros>,
    /// Products of the sketches with themselves, in the same order.
    #[serde(default)]
    squares: Vec<i32>,
    newest: usize,
    at: Option<UtcMicros>,
    /// Zones that changed, in the mean.
    zones: f32,
    periods: Vec<Period>,
    judged_at: UtcMicros,
    /// The period that is believed, bins; 0 for none.
    found: usize,
    /// Periods that the place is known for, bins; the latest last.
    habits: Vec<u16>,
    /// Drawn again when it is not there.
    #[serde(skip)]
    places: Places,
}

impl Recurrences {
    /// Takes the picture of time `at`; returns the period with which changes come back, microseconds, or 0.
    pub(crate) fn take(&mut self, at: UtcMicros, shrunk: &Shrunk) -> i64 {
        let since = self.at.map_or(NEAREST, |before| at.micros_since(before));
        if (self.width, self.height) != (shrunk.width, shrunk.height) || !(0..=LONGEST_GAP).contains(&since) {
            *self = Self {
                width: shrunk.width,
                height: shrunk.height,
                before: shrunk.pixels.clone(),
                at: Some(at),
                judged_at: at,
                periods: vec![Period::default(); BINS],
                habits: std::mem::take(&mut self.habits),
                ..Self::default()
            };
            return 0;
        }
        if since < NEAREST {
            return self.found as i64 * BIN;
        }
        self.at = Some(at);
        self.places.draw(self.width, self.height);
        let sums = self.places.sketch(shrunk, &self.before);
        self.before.clone_from(&shrunk.pixels);
        let square = square(&sums);
        self.compare(at, since, &sums, square);
        self.remember(at, &sums, square);
        if at.micros_since(self.judged_at) >= JUDGED_EVERY {
            self.judged_at = at;
            self.judge();
        }
        self.found as i64 * BIN
    }

    /// The part of it that stays true however long nobody looks.
    pub(crate) fn lasting(&self) -> Self {
        Self {
            habits: self.habits.clone(),
            ..Self::default()
        }
    }

    /// Whether a state that was read from somewhere can be gone on with.
    pub(crate) fn is_sound(&self) -> bool {
        let kept = self.times.len();
        kept <= LONGEST
            && (self.newest < kept || kept == 0)
            && self.sums.len() == kept * SUMS
            && self.squares.len() == kept
            && (self.at.is_none()
                || (self.periods.len() == BINS
                    && self.width.checked_mul(self.height) == Some(self.before.len())))
            && self.found < BINS
            && self.habits.len() <= MOST_HABITS
    }

    fn compare(&mut self, at: UtcMicros, since: i64, sums: &[i8; SUMS], square: i32) {
        const SQUARE: f32 = LENGTH * LENGTH;
        let part = (since as f32 / AVERAGED).min(0.5);
        let wide = sums.map(i16::from);
        self.zones += part * (square as f32 / SQUARE - self.zones);
        let (sketches, _) = self.sums.as_chunks::<SUMS>();
        for ((before, &square), time) in sketches.iter().zip(&self.squares).zip(&self.times) {
            let bin = ((at.micros_since(*time) + BIN / 2) / BIN) as usize;
            let Some(period) = self.periods.get_mut(bin) else {
                continue;
            };
            period.product += part * (product(&wide, before) as f32 / SQUARE - period.product);
            period.zones += part * (square as f32 / SQUARE - period.zones);
            period.pictures = period.pictures.saturating_add(1);
        }
    }

    fn remember(&mut self, at: UtcMicros, sums: &[i8; SUMS], square: i32) {
        if self.times.len() < LONGEST {
            self.newest = self.times.len();
            self.times.push(at);
            self.squares.push(square);
            self.sums.extend_from_slice(sums);
            return;
        }
        self.newest = (self.newest + 1) % LONGEST;
        self.times[self.newest] = at;
        self.squares[self.newest] = square;
        self.sums[self.newest * SUMS..(self.newest + 1) * SUMS].copy_from_slice(sums);
    }

    /// How alike differences one period apart are; none where too few told.
    fn likeness(&self, bin: usize) -> Option<f32> {
        let period = self.periods.get(bin)?;
        (period.pictures >= 8).then(|| {
            let zones = (self.zones * period.zones).sqrt();
            if zones >= LEAST_HAPPENED {
                period.product / zones
            } else {
                0.0
            }
        })
    }

    fn judge(&mut self) {
        if self.found > 0 {
            // Its double too: see below.
            let still = [self.found, 2 * self.found]
                .into_iter()
                .filter_map(|bin| self.likeness(bin))
                .fold(0.0, f32::max);
            if still < DISBELIEVED {
                self.found = 0;
            }
            return;
        }
        let all: Vec<(usize, f32)> = (SHORTEST..BINS)
            .filter_map(|bin| Some((bin, self.likeness(bin)?)))
            .collect();
        let Some(&(best, likeness)) = all.iter().max_by(|one, other| one.1.total_cmp(&other.1)) else {
            return;
        };
        if self.zones < LEAST_HAPPENED || all.len() < LEAST_BINS || likeness < HABIT_LIKENESS {
            return;
        }
        let (others, spread) = chance(&all, best);
        let outstanding = others + STANDS_OUT * spread;
        if likeness < outstanding {
            return;
        }
        // Where the key frames of an encoder fall differently, only a multiple is very alike.
        let (first, first_likeness) = all
            .iter()
            .copied()
            .find(|&(bin, there)| {
                is_told_multiple(best, bin) && there >= outstanding && there >= FIRST_PART * likeness
            })
            .unwrap_or((best, likeness));
        match self.is_habit(first, first_likeness) {
            Some(true) => self.keep_habit(first),
            None if first <= HABIT_KNOWN => {}
            known if self.is_sharp(best, likeness) => {
                let told = Told::of(self.agreement(best), self.machines(first, &all));
                let enough = if self.is_kept_habit(first) {
                    told.agree(HABIT_ZONES, 0.0)
                } else {
                    (likeness >= LEAST_LIKENESS && told.agree(LEAST_ZONES, ZONES_PART))
                        || (likeness >= MANY_LIKENESS && told.agree(MANY_ZONES, MANY_PART))
                        || (known == Some(false)
                            && best <= HABIT_KNOWN
                            && self.few_agree(best, likeness, outstanding, &told))
                };
                if enough && self.lasts(best, &told.agreeing) {
                    self.found = first;
                }
            }
            _ => {}
        }
    }

    /// Whether few zones are enough: they agree well, or come back twice.
    fn few_agree(&self, bin: usize, likeness: f32, outstanding: f32, told: &Told) -> bool {
        let again = self.likeness(2 * bin).unwrap_or(0.0);
        let twice = again >= outstanding && again >= TWICE_PART * likeness;
        let well = likeness >= FEW_LIKENESS && told.likeness >= FEW_AGREEMENT;
        told.agree(FEW_ZONES, 0.0) && (twice || well)
    }

    fn keep_habit(&mut self, bin: usize) {
        if self.is_kept_habit(bin) {
            return;
        }
        if self.habits.len() >= MOST_HABITS {
            self.habits.remove(0);
        }
        self.habits.push(bin as u16);
    }

    /// Whether it is a multiple of a period that the place is known for, with a bin for the rounding of each.
    fn is_kept_habit(&self, bin: usize) -> bool {
        self.habits
            .iter()
            .any(|&habit| is_multiple(bin, usize::from(habit).max(1)))
    }

    /// Whether the pictures beside it, and those shortly before, are less alike.
    fn is_sharp(&self, bin: usize, likeness: f32) -> bool {
        let most = BESIDE_PART * likeness;
        let beside = |away: i64| {
            let bin = usize::try_from(bin as i64 + away).ok()?;
            self.likeness(bin)
        };
        // The nearest ones that there are: of one picture a second every fifth.
        let sides =
            [-1, 1].map(|side| (BESIDE..=FARTHEST_BESIDE).find_map(|away| beside(side * away as i64)));
        let short = (3..SHORTEST).filter_map(|bin| self.likeness(bin));
        sides
            .into_iter()
            .flatten()
            .chain(short)
            .all(|there| there <= most)
    }

    /// Whether it has come back for so long that it is no news; none where there is no past to tell.
    ///
    /// What plays again is found before it has come back so often. Of a long period there are few multiples, and of what
    /// began three periods ago only the first of them can tell.
    fn is_habit(&self, bin: usize, likeness: f32) -> Option<bool> {
        let is_long = bin > HABIT_KNOWN;
        let first = if is_long {
            HABIT_PERIODS * bin
        } else {
            (HABIT_PERIODS * bin + HABIT_BINS).div_ceil(bin) * bin
        };
        let multiples: Vec<f32> = (first..BINS)
            .step_by(bin)
            .filter_map(|multiple| {
                // Periods that are no whole number of bins drift away from it.
                [multiple - 1, multiple, multiple + 1]
                    .into_iter()
                    .filter(|&near| {
                        self.periods
                            .get(near)
                            .is_some_and(|period| period.pictures >= RIPE)
                    })
                    .filter_map(|near| self.likeness(near))
                    .reduce(f32::max)
            })
            .collect();
        let nearest = *multiples.first()?;
        let mean = multiples.iter().sum::<f32>() / multiples.len() as f32;
        let lasting = if is_long { nearest.max(mean) } else { mean };
        Some(lasting >= HABIT_PART * likeness)
    }
}

/// Mean and standard deviation of the likenesses at all periods but multiples and parts of the best.
fn chance(all: &[(usize, f32)], best: usize) -> (f32, f32) {
    let others = || {
        all.iter().filter(move |&&(bin, _)| {
            let (small, large) = (bin.min(best), bin.max(best));
            let beside = large % small;
            beside.min(small - beside) > 2 + large / small / 4
        })
    };
    let count = others().count().max(1) as f32;
    let mean = others().map(|(_, likeness)| likeness).sum::<f32>() / count;
    let square = others()
        .map(|(_, likeness)| (likeness - mean).powi(2))
        .sum::<f32>()
        / count;
    (mean, square.sqrt().max(0.01))
}

/// Whether a period is a multiple of another, with a bin for the rounding of each.
fn is_multiple(bin: usize, of: usize) -> bool {
    let times = ((bin + of / 2) / of).max(1);
    bin.abs_diff(times * of) <= 1 + times / 4
}

/// The same, where the rounding leaves enough of the period to tell: from half of it on, anything would be a multiple.
fn is_told_multiple(bin: usize, of: usize) -> bool {
    let times = (bin + of / 2) / of;
    2 * (1 + times / 4) < of && is_multiple(bin, of)
}

#[cfg(test)]
mod tests;
