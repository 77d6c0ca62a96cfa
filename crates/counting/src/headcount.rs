use mineseal_domain::{CameraCode, Direction, Shift, UtcMicros, shift_at};
use serde::{Deserialize, Serialize};

use crate::shift::{ShiftTally, Shifts};

/// Entries and exits over one line of a mine's mouths since the ledger began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MouthTally {
    /// The camera.
    pub camera: CameraCode,
    /// Name of the line.
    pub line: String,
    /// People who went in.
    pub entered: i64,
    /// People who went out.
    pub left: i64,
}

/// A human's change of the headcount. It is kept as an event beside the crossings, never worked into them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// When.
    pub at: UtcMicros,
    /// People added; negative for people taken away.
    pub change: i64,
    /// Why, in the words of whoever made it.
    pub reason: String,
    /// Who made it.
    pub by: String,
}

/// How many people are underground in one mine: entries minus exits over all mouths, plus corrections. It has no
/// midnight: only crossings and corrections change it. What is told of shifts is told beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadcountLedger {
    /// Sorted by camera and line.
    mouths: Vec<MouthTally>,
    /// Sum of all corrections.
    corrected: i64,
    last_correction: Option<Correction>,
    inconsistent: bool,
    /// States of earlier versions have none of what follows.
    #[serde(default)]
    non_regular: (i64, i64),
    #[serde(default)]
    shifts: Shifts,
    /// How often it was changed.
    #[serde(default)]
    revision: u64,
}

impl HeadcountLedger {
    /// Nobody underground, nothing counted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one crossing over the line `line` of `camera`.
    pub fn count(&mut self, camera: &CameraCode, line: &str, direction: Direction) {
        let place = self
            .mouths
            .binary_search_by(|mouth| (&mouth.camera, mouth.line.as_str()).cmp(&(camera, line)));
        let index = place.unwrap_or_else(|index| {
            let tally = MouthTally {
                camera: camera.clone(),
                line: line.to_owned(),
                entered: 0,
                left: 0,
            };
            self.mouths.insert(index, tally);
            index
        });
        let mouth = &mut self.mouths[index];
        match direction {
            Direction::In => mouth.entered = mouth.entered.saturating_add(1),
            Direction::Out => mouth.left = mouth.left.saturating_add(1),
        }
        let people = self.people();
        self.inconsistent |= people < 0;
        self.shifts.count(direction, people);
        self.revision = self.revision.wrapping_add(1);
    }

    /// Flags a crossing that was counted: it went by a way that people should not take. Whoever took it is underground
    /// all the same, or is no longer.
    pub fn flag_non_regular(&mut self, direction: Direction) {
        let (entered, left) = &mut self.non_regular;
        let passages = match direction {
            Direction::In => entered,
            Direction::Out => left,
        };
        *passages = passages.saturating_add(1);
        self.revision = self.revision.wrapping_add(1);
    }

    /// Takes the time, so that what follows belongs to the shift that runs then. Between two shifts there is one without
    /// a name; a mine without shifts has none.
    pub fn enter_shift(&mut self, shifts: &[Shift], at: UtcMicros) {
        if shifts.is_empty() {
            return;
        }
        let newest = self.shifts.newest();
        let (name, began_at) = match shift_at(shifts, at) {
            Some((shift, began_at)) => (shift.name.as_str(), began_at),
            None if newest.is_some_and(|newest| newest.name.is_empty()) => return,
            None => ("", at),
        };
        if newest.is_none_or(|newest| newest.began_at < began_at) {
            self.shifts.begin(name, began_at);
            self.shifts.level(self.people());
            self.revision = self.revision.wrapping_add(1);
        }
    }

    /// Applies a correction. The ledger is consistent again, unless it is still below zero.
    pub fn correct(&mut self, correction: Correction) {
        self.corrected = self.corrected.saturating_add(correction.change);
        self.last_correction = Some(correction);
        let people = self.people();
        self.inconsistent = people < 0;
        self.shifts.level(people);
        self.revision = self.revision.wrapping_add(1);
    }

    /// The change that would make the ledger hold `people`.
    #[must_use]
    pub fn change_to(&self, people: i64) -> i64 {
        people.saturating_sub(self.people())
    }

    /// People underground. Below zero means that an entry was missed.
    #[must_use]
    pub fn people(&self) -> i64 {
        let inside = |mouth: &MouthTally| mouth.entered.saturating_sub(mouth.left);
        self.mouths
            .iter()
            .map(inside)
            .fold(self.corrected, i64::saturating_add)
    }

    /// More people had left than entered at some time since the last correction: the count is surely wrong.
    #[must_use]
    pub fn is_inconsistent(&self) -> bool {
        self.inconsistent
    }

    /// The tallies, by camera and line.
    #[must_use]
    pub fn mouths(&self) -> &[MouthTally] {
        &self.mouths
    }

    /// Sum of all corrections so far.
    #[must_use]
    pub fn corrected(&self) -> i64 {
        self.corrected
    }

    /// Entries and exits by ways that people should not take, since the ledger began; the tallies hold them too.
    #[must_use]
    pub fn non_regular(&self) -> (i64, i64) {
        self.non_regular
    }

    /// The shifts that are remembered, oldest first; the newest one runs.
    pub fn shifts(&self) -> impl Iterator<Item = &ShiftTally> {
        self.shifts.tallies()
    }

    /// A number that rises with every change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The newest correction.
    #[must_use]
    pub fn last_correction(&self) -> Option<&Correction> {
        self.last_correction.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(last: char) -> CameraCode {
        format!("14042100419996007866010{last}").parse().unwrap()
    }

    #[test]
    fn entries_minus_exits_over_all_mouths() {
        let mut ledger = HeadcountLedger::new();
        for _ in 0..3 {
            ledger.count(&camera('2'), "mouth", Direction::In);
        }
        ledger.count(&camera('1'), "mouth", Direction::Out);
        assert_eq!(ledger.people(), 2);
        assert!(!ledger.is_inconsistent());
        let order: Vec<_> = ledger
            .mouths()
            .iter()
            .map(|mouth| (mouth.entered, mouth.left))
            .collect();
        assert_eq!(order, [(0, 1), (3, 0)], "sorted by camera");
    }

    #[test]
    fn going_below_zero_is_remembered_until_a_correction() {
        let mut ledger = HeadcountLedger::new();
        ledger.count(&camera('1'), "mouth", Direction::Out);
        ledger.count(&camera('1'), "mouth", Direction::In);
        assert_eq!(ledger.people(), 0);
        assert!(ledger.is_inconsistent());
        let change = ledger.change_to(7);
        let reason = "roll call at the mouth".to_owned();
        ledger.correct(Correction {
            at: UtcMicros(1),
            change,
            reason,
            by: "duty officer".into(),
        });
        assert_eq!(ledger.people(), 7);
        assert!(!ledger.is_inconsistent());
        let tally = &ledger.mouths()[0];
        assert_eq!(
            (tally.entered, tally.left),
            (1, 1),
            "a correction leaves the crossings alone"
        );
    }

    #[test]
    fn a_correction_that_ends_below_zero_does_not_make_it_consistent() {
        let mut ledger = HeadcountLedger::new();
        ledger.correct(Correction {
            at: UtcMicros(1),
            change: -2,
            reason: "test".into(),
            by: "test".into(),
        });
        assert!(ledger.is_inconsistent());
    }

    #[test]
    fn a_shift_begins_with_its_time_and_once() {
        let shift = |name: &str, start_minute, end_minute| Shift {
            name: name.into(),
            start_minute,
            end_minute,
        };
        let shifts = [shift("早班", 480, 960), shift("中班", 960, 1_320)];
        // 2024-06-30 in Shanghai.
        let minute = |minute: i64| UtcMicros((1_719_676_800 + minute * 60) * 1_000_000);
        let mut ledger = HeadcountLedger::new();
        ledger.enter_shift(&[], minute(500));
        assert_eq!(ledger.shifts().count(), 0);
        ledger.enter_shift(&shifts, minute(500));
        ledger.count(&camera('1'), "mouth", Direction::In);
        ledger.count(&camera('1'), "bypass", Direction::In);
        ledger.flag_non_regular(Direction::In);
        let before = ledger.clone();
        ledger.enter_shift(&shifts, minute(501));
        assert_eq!(ledger, before);
        ledger.enter_shift(&shifts, minute(960));
        ledger.count(&camera('1'), "mouth", Direction::Out);
        for at in [1_320, 1_400] {
            ledger.enter_shift(&shifts, minute(at));
        }
        let shown: Vec<_> = ledger
            .shifts()
            .map(|tally| {
                (
                    tally.name.as_str(),
                    tally.began_at,
                    tally.entered,
                    tally.left,
                    tally.inside,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("早班", minute(480), 2, 0, 1),
                ("中班", minute(960), 0, 1, 0),
                ("", minute(1_320), 0, 0, 0)
            ]
        );
        assert_eq!((ledger.people(), ledger.non_regular()), (1, (1, 0)));
    }
}
