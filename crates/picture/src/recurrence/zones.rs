//! Which zones come back, whether that is more than a machine's swings, and for how long.

use mineseal_domain::UtcMicros;

use super::sketch::{LENGTH, SUMS, ZONE_SUMS, ZONES};
use super::{BIN, HABIT_KNOWN, Recurrences};
use crate::modes::agreement_beyond;

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
/// So long what agrees must have come back, microseconds, or so many rounds of a short period,
const LASTING: i64 = 20_000_000;
const ROUNDS: i64 = 2;
/// as far back as pictures changed like that in the mean,
const LASTING_LIKENESS: f32 = 0.15;
/// and lost no more than this on the way.
const MOST_UNLIKE: f32 = 5.0;
/// A zone that changed in this part of all pictures is restless,
const RESTLESS_PART: f32 = 0.5;
/// or in this part of so many of the last.
const RESTLESS_OF_LATE: f32 = 0.9;
const RESTLESS_TEST: usize = 100;
/// A zone that was quiet until a period ago has only just begun to move, as a machine does; so many pictures before
/// that must have shown changes in it.
const LEAST_BEFORE: usize = 12;

impl Recurrences {
    /// Whether the changes of those zones have come back for long enough.
    pub(super) fn lasts(&self, bin: usize, zones: &[bool; ZONES]) -> bool {
        let wanted = LASTING.min(ROUNDS * bin as i64 * BIN);
        let (mut sum, mut best) = (0.0_f32, 0.0_f32);
        let mut newest = None;
        for (now, then) in self.pairs(bin) {
            let Some(alike) = self.alike(now, then, zones) else {
                continue;
            };
            sum += alike - LASTING_LIKENESS;
            if sum > best {
                best = sum;
                let newest = *newest.get_or_insert(self.times[now]);
                if newest.micros_since(self.times[now]) >= wanted {
                    return true;
                }
            }
            if sum < best - MOST_UNLIKE {
                break;
            }
        }
        false
    }

    /// Places of pictures in the ring and of those one period before, the newest first.
    fn pairs(&self, bin: usize) -> impl Iterator<Item = (usize, usize)> {
        let kept = self.times.len();
        let place = move |back: usize| (self.newest + kept - back) % kept;
        let period = bin as i64 * BIN;
        let mut earlier = 0;
        (0..kept).filter_map(move |back| {
            let now = place(back);
            let away = |earlier: usize| self.times[now].micros_since(self.times[place(earlier)]) - period;
            while earlier < kept && away(earlier) < -BIN / 2 {
                earlier += 1;
            }
            (earlier < kept && away(earlier) <= BIN / 2).then(|| (now, place(earlier)))
        })
    }

    /// What changed in a zone of a picture; none where nothing did.
    fn change(&self, place: usize, zone: usize) -> Option<&[i8]> {
        let change = &self.sums[place * SUMS + zone * ZONE_SUMS..][..ZONE_SUMS];
        change.iter().any(|&sum| sum != 0).then_some(change)
    }

    /// How alike two pictures changed, in the mean of those zones that changed in either; none where none did.
    fn alike(&self, one: usize, other: usize, zones: &[bool; ZONES]) -> Option<f32> {
        let (mut sum, mut telling) = (0, 0);
        for zone in (0..ZONES).filter(|&zone| zones[zone]) {
            let changes = (self.change(one, zone), self.change(other, zone));
            if let (Some(one), Some(other)) = changes {
                let products = one.iter().zip(other).map(|(&a, &b)| i32::from(a) * i32::from(b));
                sum += products.sum::<i32>();
            }
            telling += i32::from(changes != (None, None));
        }
        (telling > 0).then(|| sum as f32 / (LENGTH * LENGTH * telling as f32))
    }

    /// The zones that say nothing about a long period: those in which a machine turns, such as a belt whose marks come round, which
    /// come back with a short period too, and with each long one that happens to be in step with it; and those that are
    /// hardly ever at rest, as the rubber of a belt itself comes round after minutes.
    pub(super) fn machines(&self, period: usize, all: &[(usize, f32)]) -> [bool; ZONES] {
        if period <= HABIT_KNOWN {
            return [false; ZONES];
        }
        let short = all.iter().filter(|&&(bin, _)| bin <= HABIT_KNOWN);
        let turning = match short.max_by(|one, other| one.1.total_cmp(&other.1)) {
            Some(&(turn, _)) => self.agreement(turn),
            None => [None; ZONES],
        };
        std::array::from_fn(|zone| turning[zone].is_some_and(Agreement::is_one) || self.is_restless(zone))
    }

    /// Whether a zone changes nearly all the time, or has of late.
    fn is_restless(&self, zone: usize) -> bool {
        let kept = self.times.len();
        let part = |pictures: usize| {
            let changed = (0..pictures).filter(|back| {
                let place = (self.newest + kept - back) % kept;
                self.change(place, zone).is_some()
            });
            changed.count() as f32 / pictures.max(1) as f32
        };
        part(kept) >= RESTLESS_PART || part(kept.min(RESTLESS_TEST)) >= RESTLESS_OF_LATE
    }

    /// Whether the changes of each zone one period apart are alike without its strongest swings; none where it has not changed often
    /// enough to say anything.
    pub(super) fn agreement(&self, bin: usize) -> [Option<Agreement>; ZONES] {
        let pairs: Vec<(usize, usize)> = self.pairs(bin).take(LONGEST_TEST).collect();
        let swings = if bin <= SHORT_PERIOD { SHORT_SWINGS } else { SWINGS };
        let began = pairs
            .last()
            .map_or(UtcMicros(i64::MIN), |&(_, earlier)| self.times[earlier]);
        std::array::from_fn(|zone| {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            for &(now, then) in &pairs {
                if let (Some(now), Some(then)) = (self.change(now, zone), self.change(then, zone)) {
                    one.extend(now.iter().map(|&sum| f32::from(sum)));
                    other.extend(then.iter().map(|&sum| f32::from(sum)));
                }
            }
            let pictures = one.len() / ZONE_SUMS;
            if pictures < LEAST_TEST {
                return None;
            }
            let before = (0..self.times.len())
                .filter(|&place| self.times[place] < began && self.change(place, zone).is_some())
                .take(LEAST_BEFORE)
                .count();
            let chance = 1.0 / ((pictures * (ZONE_SUMS - swings)) as f32).sqrt();
            let likeness = if before < LEAST_BEFORE {
                0.0
            } else {
                agreement_beyond(one, other, ZONE_SUMS, swings)
            };
            Some(Agreement { likeness, chance })
        })
    }
}

/// How alike the changes of one zone are a period apart, without its strongest swings, and one standard deviation of what chance
/// makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    likeness: f32,
    chance: f32,
}

impl Agreement {
    pub(super) fn is_one(self) -> bool {
        self.likeness >= AGREEMENT.max(AGREEMENT_STANDS_OUT * self.chance)
    }
}

/// What all zones tell together but those in which a machine turns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    telling: usize,
    /// Those that agree.
    pub(super) agreeing: [bool; ZONES],
    /// How alike those are, in the mean.
    pub(super) likeness: f32,
}

impl Told {
    pub(super) fn of(zones: [Option<Agreement>; ZONES], machines: [bool; ZONES]) -> Self {
        let mut told = Self::default();
        let (mut sum, mut count) = (0.0, 0);
        for (zone, agreement) in zones.into_iter().enumerate() {
            let Some(agreement) = agreement.filter(|_| !machines[zone]) else {
                continue;
            };
            told.telling += 1;
            if agreement.is_one() {
                told.agreeing[zone] = true;
                sum += agreement.likeness;
                count += 1;
            }
        }
        told.likeness = sum / count.max(1) as f32;
        told
    }

    /// Whether so many zones agree, and this part of those that tell anything.
    pub(super) fn agree(&self, least: usize, part: f32) -> bool {
        let count = self.agreeing.iter().filter(|&&agrees| agrees).count();
        count >= least && count as f32 >= part * self.telling as f32
    }
}
