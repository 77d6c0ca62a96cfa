use std::collections::VecDeque;

use mineseal_domain::{Direction, UtcMicros};
use serde::{Deserialize, Serialize};

/// Shifts that are remembered; whoever stays longer is counted to the oldest of them.
const REMEMBERED_SHIFTS: usize = 4;

/// One shift's part of the headcount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftTally {
    /// Its name; empty for the time between two shifts.
    pub name: String,
    /// When it began.
    pub began_at: UtcMicros,
    /// People who went in during it.
    pub entered: i64,
    /// People who went out during it, of whatever shift they were.
    pub left: i64,
    /// Of those who belong to it, by their entry, how many are still underground. Nobody is known by his face: who
    /// went in first is taken to come out first.
    pub inside: i64,
}

/// The headcount by shifts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shifts {
    /// Oldest first.
    tallies: VecDeque<ShiftTally>,
}

impl Shifts {
    /// The shift that runs. One that is not later than the newest known is no news: the clocks of two cameras differ.
    pub(crate) fn begin(&mut self, name: &str, began_at: UtcMicros) {
        if self
            .tallies
            .back()
            .is_some_and(|newest| newest.began_at >= began_at)
        {
            return;
        }
        self.tallies.push_back(ShiftTally {
            name: name.to_owned(),
            began_at,
            entered: 0,
            left: 0,
            inside: 0,
        });
        while self.tallies.len() > REMEMBERED_SHIFTS {
            let stayed = self.tallies.pop_front().map_or(0, |gone| gone.inside);
            if let Some(oldest) = self.tallies.front_mut() {
                oldest.inside = oldest.inside.saturating_add(stayed);
            }
        }
    }

    pub(crate) fn newest(&self) -> Option<&ShiftTally> {
        self.tallies.back()
    }

    /// Counts one crossing after which `people` are underground.
    pub(crate) fn count(&mut self, direction: Direction, people: i64) {
        if let Some(newest) = self.tallies.back_mut() {
            match direction {
                Direction::In => newest.entered = newest.entered.saturating_add(1),
                Direction::Out => newest.left = newest.left.saturating_add(1),
            }
        }
        self.level(people);
    }

    /// Brings the shifts' people to `people` in all: who is missing left from the oldest shift, who is too many
    /// belongs to the newest. Below zero nobody is there.
    pub(crate) fn level(&mut self, people: i64) {
        let mut missing = self
            .tallies
            .iter()
            .map(|tally| tally.inside)
            .fold(0, i64::saturating_add)
            .saturating_sub(people.max(0));
        if missing < 0
            && let Some(newest) = self.tallies.back_mut()
        {
            newest.inside = newest.inside.saturating_sub(missing);
        }
        for tally in &mut self.tallies {
            let left = missing.clamp(0, tally.inside);
            tally.inside -= left;
            missing -= left;
        }
    }

    pub(crate) fn tallies(&self) -> impl Iterator<Item = &ShiftTally> {
        self.tallies.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> UtcMicros {
        UtcMicros(hour * 3_600_000_000)
    }

    fn shown(shifts: &Shifts) -> Vec<(&str, i64, i64, i64)> {
        let tallies = shifts.tallies();
        tallies
            .map(|tally| (tally.name.as_str(), tally.entered, tally.left, tally.inside))
            .collect()
    }

    #[test]
    fn at_the_hand_over_who_came_first_goes_first() {
        let mut shifts = Shifts::default();
        shifts.begin("早班", hour(0));
        for people in 1..=3 {
            shifts.count(Direction::In, people);
        }
        shifts.begin("中班", hour(8));
        shifts.count(Direction::In, 4);
        shifts.count(Direction::In, 5);
        shifts.count(Direction::Out, 4);
        shifts.count(Direction::Out, 3);
        assert_eq!(shown(&shifts), [("早班", 3, 0, 1), ("中班", 2, 2, 2)]);
        shifts.count(Direction::Out, 2);
        shifts.count(Direction::Out, 1);
        assert_eq!(shown(&shifts), [("早班", 3, 0, 0), ("中班", 2, 4, 1)]);
    }

    #[test]
    fn corrections_reach_the_shifts_too() {
        let mut shifts = Shifts::default();
        shifts.level(5);
        shifts.begin("早班", hour(0));
        shifts.level(5);
        shifts.begin("中班", hour(8));
        shifts.count(Direction::In, 6);
        shifts.level(2);
        assert_eq!(shown(&shifts), [("早班", 0, 0, 1), ("中班", 1, 0, 1)]);
        shifts.count(Direction::Out, -1);
        assert_eq!(shown(&shifts), [("早班", 0, 0, 0), ("中班", 1, 1, 0)]);
    }

    #[test]
    fn few_are_remembered_and_nobody_is_forgotten_with_the_others() {
        let mut shifts = Shifts::default();
        for number in 0..10 {
            shifts.begin("班", hour(8 * number));
            shifts.count(Direction::In, number + 1);
        }
        let inside: Vec<i64> = shifts.tallies().map(|tally| tally.inside).collect();
        assert_eq!(inside, [7, 1, 1, 1]);
        shifts.begin("迟到的", hour(3));
        assert_eq!(shifts.newest().map(|tally| tally.began_at), Some(hour(72)));
    }
}
