//! Whether what changes from picture to picture has changed in the same way before: footage that is played again,
//! also after an encoder went over it, which leaves little of the noise and never the same.
//!
//! Twelve zones of the difference of each picture to the one before are each projected onto twelve sums of pixels with
//! random signs (the count sketch of M. Charikar, K. Chen and M. Farach-Colton, 2002), which keeps how alike two
//! differences are; each is divided by its length, so that a moving lorry counts for no more than the noise beside it.
//! For every possible period the likeness to the differences one period before is averaged. In a living scene no period
//! stands out. Played again, one does: sharply, as the pictures beside it are others; far above all other periods, which
//! are what chance gives in this very scene; and in all zones that show anything.
//!
//! Machines, lamps and the rhythm of an encoder's key frames come back as well. In each zone they are a few swings,
//! which are taken out before it is believed; or they leave other zones alone; or they have always come back.

use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::cells::span;
use crate::modes::agreement_beyond;
use crate::shrunk::Shrunk;

/// Zones in a row, and rows of them.
const ZONE_COLUMNS: usize = 4;
const ZONE_ROWS: usize = 3;
const ZONES: usize = ZONE_COLUMNS * ZONE_ROWS;
/// Sums of a zone,
const ZONE_SUMS: usize = 12;
/// and of a sketch.
const SUMS: usize = ZONES * ZONE_SUMS;
/// Where, beside the sums of a zone, those begin that are taken away.
const TAKEN: usize = 16;
/// Length of the sums of a zone as they are kept.
const LENGTH: f32 = 100.0;
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
/// A pixel changes by no more than this, levels: nothing shall outweigh all the rest.
const MOST_CHANGE: i16 = 16;
/// Length of the difference of a zone below which nothing has changed there, levels.
const QUIET: f32 = 5.0;
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
/// Swings that are taken out of each zone: a lamp has one, a camera that trembles five with those of second order.
const SWINGS: usize = 6;
/// Of a period of no more than so many bins, which has few pictures of its own, so many.
const SHORT_PERIOD: usize = 100;
const SHORT_SWINGS: usize = 4;
/// Likeness of a zone without them,
const AGREEMENT: f32 = 0.2;
/// and how many standard deviations of what chance gives that must be.
const AGREEMENT_STANDS_OUT: f32 = 4.0;
/// Pictures that this is looked at in, at most,
const LONGEST_TEST: usize = 75;
/// and pictures in which a zone must have changed, both times, to say anything.
const LEAST_TEST: usize = 12;
/// So many zones must agree,
const LEAST_ZONES: usize = 5;
/// and this part of those that say anything.
const ZONES_PART: f32 = 0.5;
/// A zone that was quiet until a period ago has only just begun to move, as a machine does; so many pictures before
/// that must have shown changes in it.
const LEAST_BEFORE: usize = 12;
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
    /// Of each pixel of each zone the sum that it belongs to, and `TAKEN` more where it is taken away from it; drawn again
    /// when it is not there.
    #[serde(skip)]
    places: Places,
}

/// Follows from the size of the pictures; no part of the state.
#[derive(Clone, Debug, Default)]
struct Places(Vec<u8>);

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
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
        if self.places.0.is_empty() {
            self.draw();
        }
        let sums = self.sketch(shrunk);
        self.before.clone_from(&shrunk.pixels);
        self.compare(at, since, &sums);
        self.remember(at, &sums);
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

    /// Draws for each pixel of each zone which of its sums it belongs to, and whether it is taken away from it.
    fn draw(&mut self) {
        let edge = self.height / 9;
        let inner = self.height - 2 * edge;
        let mut chance = 1_u32;
        let pixels: usize = (0..ZONES)
            .map(|zone| {
                let columns = span(zone % ZONE_COLUMNS, ZONE_COLUMNS, self.width);
                columns.len() * span(zone / ZONE_COLUMNS, ZONE_ROWS, inner).len()
            })
            .sum();
        self.places.0.clear();
        self.places.0.extend((0..pixels).map(|_| {
            // W. Press et al., Numerical Recipes, 7.1: the upper bits are good.
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let taken = if (chance >> 15) & 2 == 0 { 0 } else { TAKEN as u8 };
            (((chance >> 20) * ZONE_SUMS as u32) >> 12) as u8 + taken
        }));
    }

    /// The difference to the picture before.
    fn sketch(&self, shrunk: &Shrunk) -> [i8; SUMS] {
        let mut sums = [0_i32; SUMS];
        // Without the rows in which cameras write time and place.
        let edge = shrunk.height / 9;
        let inner = shrunk.height - 2 * edge;
        let mut places = self.places.0.iter();
        for zone in 0..ZONES {
            let columns = span(zone % ZONE_COLUMNS, ZONE_COLUMNS, shrunk.width);
            // Those that are added come first, those that are taken away after them.
            let mut own = [0_i32; 32];
            for y in span(zone / ZONE_COLUMNS, ZONE_ROWS, inner) {
                let start = (y + edge) * shrunk.width;
                let line = start + columns.start..start + columns.end;
                let pixels = shrunk.pixels[line.clone()].iter().zip(&self.before[line]);
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

    fn compare(&mut self, at: UtcMicros, since: i64, sums: &[i8; SUMS]) {
        const SQUARE: f32 = LENGTH * LENGTH;
        let part = (since as f32 / AVERAGED).min(0.5);
        self.zones += part * (product(sums, sums) as f32 / SQUARE - self.zones);
        let (sketches, _) = self.sums.as_chunks::<SUMS>();
        for ((before, &square), time) in sketches.iter().zip(&self.squares).zip(&self.times) {
            let bin = ((at.micros_since(*time) + BIN / 2) / BIN) as usize;
            let Some(period) = self.periods.get_mut(bin) else {
                continue;
            };
            period.product += part * (product(sums, before) as f32 / SQUARE - period.product);
            period.zones += part * (square as f32 / SQUARE - period.zones);
            period.pictures = period.pictures.saturating_add(1);
        }
    }

    fn remember(&mut self, at: UtcMicros, sums: &[i8; SUMS]) {
        let square = product(sums, sums);
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
                is_multiple(best, bin) && there >= outstanding && there >= FIRST_PART * likeness
            })
            .unwrap_or((best, likeness));
        match self.is_habit(first, first_likeness) {
            Some(true) => self.keep_habit(first),
            None if first <= HABIT_KNOWN => {}
            _ if likeness >= MANY_LIKENESS && self.is_sharp(best, likeness) => {
                let zones = self.agreement(best);
                let machines = self.machines(first, &all);
                let (mut telling, mut agreeing) = (0, 0);
                for (agrees, machine) in zones.into_iter().zip(machines) {
                    telling += usize::from(agrees.is_some() && !machine);
                    agreeing += usize::from(agrees == Some(true) && !machine);
                }
                let enough = if self.is_kept_habit(first) {
                    agreeing >= HABIT_ZONES
                } else {
                    (agreeing >= LEAST_ZONES && likeness >= LEAST_LIKENESS)
                        || (agreeing >= MANY_ZONES && agreeing as f32 >= MANY_PART * telling as f32)
                };
                if enough && agreeing as f32 >= ZONES_PART * telling as f32 {
                    self.found = first;
                }
            }
            _ => {}
        }
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

    /// The zones in which a machine turns, such as a belt whose marks come round: they come back with a short period too, and with
    /// each long one that happens to be in step with it, so that they say nothing about a long one.
    fn machines(&self, period: usize, all: &[(usize, f32)]) -> [bool; ZONES] {
        let short = all.iter().filter(|&&(bin, _)| bin <= HABIT_KNOWN);
        match short.max_by(|one, other| one.1.total_cmp(&other.1)) {
            Some(&(turn, _)) if period > HABIT_KNOWN => {
                self.agreement(turn).map(|agrees| agrees == Some(true))
            }
            _ => [false; ZONES],
        }
    }

    /// Whether the changes of each zone one period apart are alike without its strongest swings; none where it has not changed often
    /// enough to say anything.
    fn agreement(&self, bin: usize) -> [Option<bool>; ZONES] {
        let kept = self.times.len();
        let period = bin as i64 * BIN;
        let pairs: Vec<(usize, usize)> = (0..kept.min(LONGEST_TEST))
            .filter_map(|back| {
                let place = (self.newest + kept - back) % kept;
                let away =
                    |earlier: usize| (self.times[place].micros_since(self.times[earlier]) - period).abs();
                let earlier = (0..kept).min_by_key(|&earlier| away(earlier))?;
                (away(earlier) <= BIN / 2).then_some((place, earlier))
            })
            .collect();
        let swings = if bin <= SHORT_PERIOD { SHORT_SWINGS } else { SWINGS };
        let began = pairs
            .last()
            .map_or(UtcMicros(i64::MIN), |&(_, earlier)| self.times[earlier]);
        std::array::from_fn(|zone| {
            let numbers = |place: usize| {
                let start = place * SUMS + zone * ZONE_SUMS;
                &self.sums[start..start + ZONE_SUMS]
            };
            let (mut one, mut other) = (Vec::new(), Vec::new());
            for &(place, earlier) in &pairs {
                let (now, before) = (numbers(place), numbers(earlier));
                if now.iter().any(|&sum| sum != 0) && before.iter().any(|&sum| sum != 0) {
                    one.extend(now.iter().map(|&sum| f32::from(sum)));
                    other.extend(before.iter().map(|&sum| f32::from(sum)));
                }
            }
            let pictures = one.len() / ZONE_SUMS;
            if pictures < LEAST_TEST {
                return None;
            }
            let before = (0..kept)
                .filter(|&place| self.times[place] < began && numbers(place).iter().any(|&sum| sum != 0))
                .take(LEAST_BEFORE)
                .count();
            if before < LEAST_BEFORE {
                return Some(false);
            }
            let chance = 1.0 / ((pictures * (ZONE_SUMS - swings)) as f32).sqrt();
            let agreement = agreement_beyond(one, other, ZONE_SUMS, swings);
            Some(agreement >= AGREEMENT.max(AGREEMENT_STANDS_OUT * chance))
        })
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

/// At most 144 times 100 squared. It wraps only in name: a check at every addition would keep the compiler from adding
/// many at once.
fn product(one: &[i8; SUMS], other: &[i8; SUMS]) -> i32 {
    one.iter().zip(other).fold(0_i32, |sum, (&one, &other)| {
        sum.wrapping_add(i32::from(one).wrapping_mul(i32::from(other)))
    })
}

#[cfg(test)]
mod tests;
