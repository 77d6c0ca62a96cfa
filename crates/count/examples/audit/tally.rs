//! Right, missed and false crossings, and what they say of the rate of errors.

use std::ops::Range;

use mineseal_domain::Direction;

/// Two-sided 95 % of the normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// One crossing, true or counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) direction: Direction,
    pub(crate) seconds: f64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    true_crossings: u64,
    missed: u64,
    false_crossings: u64,
}

impl Tally {
    /// Pairs what is true with what was counted, nearest in time first, at most `tolerance` seconds apart; those
    /// that lie outside `within` may be partners but are no errors.
    pub(crate) fn of(truth: &[Passed], counted: &[Passed], tolerance: f64, within: Range<f64>) -> Self {
        let mut pairs = Vec::new();
        for (i, real) in truth.iter().enumerate() {
            for (j, found) in counted.iter().enumerate() {
                let apart = (real.seconds - found.seconds).abs();
                if real.direction == found.direction && apart <= tolerance {
                    pairs.push((apart, i, j));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let (mut met, mut right) = (vec![false; truth.len()], vec![false; counted.len()]);
        for (_, i, j) in pairs {
            if !met[i] && !right[j] {
                (met[i], right[j]) = (true, true);
            }
        }
        let judged = |passed: &&Passed| within.contains(&passed.seconds);
        let without = |passed: &[Passed], partner: &[bool]| {
            let alone = passed.iter().zip(partner).filter(|(_, partner)| !**partner);
            alone.map(|(passed, _)| passed).filter(judged).count() as u64
        };
        Self {
            true_crossings: truth.iter().filter(judged).count() as u64,
            missed: without(truth, &met),
            false_crossings: without(counted, &right),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.true_crossings += other.true_crossings;
        self.missed += other.missed;
        self.false_crossings += other.false_crossings;
    }

    /// A row of the table.
    pub(crate) fn print(&self, name: &str) {
        let Self {
            true_crossings,
            missed,
            false_crossings,
        } = *self;
        let errors = missed + false_crossings;
        let rate = 100.0 * errors as f64 / true_crossings.max(1) as f64;
        let (low, high) = wilson(errors.min(true_crossings), true_crossings);
        println!(
            "| {name} | {true_crossings} | {missed} | {false_crossings} | {rate:.1} | {:.1} to {:.1} |",
            100.0 * low,
            100.0 * high
        );
    }
}

/// Wilson's interval (1927) for a share: `errors` of `trials`. It takes crossings for independent, which people
/// in one group are not quite.
fn wilson(errors: u64, trials: u64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let (share, trials) = (errors as f64 / trials as f64, trials as f64);
    let square = NORMAL_95 * NORMAL_95;
    let centre = share + square / (2.0 * trials);
    let reach = NORMAL_95 * (share * (1.0 - share) / trials + square / (4.0 * trials * trials)).sqrt();
    let whole = 1.0 + square / trials;
    (
        ((centre - reach) / whole).max(0.0),
        ((centre + reach) / whole).min(1.0),
    )
}
