//! Right, missed and false crossings.

use std::ops::Range;

use mineseal_counting::ErrorRow;
use mineseal_domain::Direction;

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

    /// What they say of the rate of errors.
    pub(crate) fn row(&self, what: &str, chinese: &str) -> ErrorRow {
        ErrorRow::new(
            what,
            chinese,
            self.true_crossings,
            self.missed,
            self.false_crossings,
        )
    }
}
