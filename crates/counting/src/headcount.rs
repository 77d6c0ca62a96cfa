use mineseal_domain::{CameraCode, Direction, UtcMicros};
use serde::{Deserialize, Serialize};

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
/// midnight: only crossings and corrections change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadcountLedger {
    /// Sorted by camera and line.
    mouths: Vec<MouthTally>,
    /// Sum of all corrections.
    corrected: i64,
    last_correction: Option<Correction>,
    inconsistent: bool,
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
        self.inconsistent |= self.people() < 0;
    }

    /// Applies a correction. The ledger is consistent again, unless it is still below zero.
    pub fn correct(&mut self, correction: Correction) {
        self.corrected = self.corrected.saturating_add(correction.change);
        self.last_correction = Some(correction);
        self.inconsistent = self.people() < 0;
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
}
