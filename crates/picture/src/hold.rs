use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

/// After a longer silence nobody knows what was between, and evidence is gathered anew.
const LONGEST_GAP_MICROS: i64 = 60_000_000;

/// Holds a conclusion back until the evidence for it has lasted: one frame says nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hold {
    since: Option<UtcMicros>,
    seen: Option<UtcMicros>,
    doubts: u32,
}

impl Hold {
    /// Takes what the frame of time `at` says; returns since when it has been so, once that is `lasting` micros
    /// or more. Up to `tolerated` frames in a row that say otherwise are overlooked. Time that goes back, or
    /// jumps by more than a minute, starts anew.
    pub(crate) fn step(
        &mut self,
        at: UtcMicros,
        evidence: bool,
        lasting: i64,
        tolerated: u32,
    ) -> Option<UtcMicros> {
        let gap = self.seen.map_or(0, |seen| at.micros_since(seen));
        if !(0..=LONGEST_GAP_MICROS).contains(&gap) {
            *self = Self::default();
        }
        self.seen = Some(at);
        if evidence {
            self.doubts = 0;
            self.since.get_or_insert(at);
        } else {
            self.doubts = self.doubts.saturating_add(1);
            if self.doubts > tolerated {
                self.since = None;
            }
        }
        self.since
            .filter(|since| evidence && at.micros_since(*since) >= lasting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn second(second: i64) -> UtcMicros {
        UtcMicros(second * SECOND)
    }

    #[test]
    fn evidence_must_last() {
        let mut hold = Hold::default();
        for at in 0..10 {
            assert_eq!(hold.step(second(at), true, 10 * SECOND, 0), None);
        }
        assert_eq!(hold.step(second(10), true, 10 * SECOND, 0), Some(second(0)));
        assert_eq!(hold.step(second(11), false, 10 * SECOND, 0), None);
        assert_eq!(
            hold.step(second(12), true, 10 * SECOND, 0),
            None,
            "a doubt starts it anew"
        );
    }

    #[test]
    fn tolerated_doubts_do_not_start_it_anew() {
        let mut hold = Hold::default();
        let steps = (0..=10)
            .map(|at| hold.step(second(at), at % 3 != 1, 9 * SECOND, 1))
            .collect::<Vec<_>>();
        assert_eq!(steps[9], Some(second(0)));
        assert_eq!(steps[10], None, "a doubtful frame itself never concludes");
    }

    #[test]
    fn silence_and_time_going_back_start_it_anew() {
        let mut hold = Hold::default();
        hold.step(second(0), true, 10 * SECOND, 0);
        assert_eq!(hold.step(second(100), true, 10 * SECOND, 0), None);
        assert_eq!(hold.step(second(50), true, 10 * SECOND, 0), None);
        assert_eq!(hold.step(second(60), true, 10 * SECOND, 0), Some(second(50)));
        assert_eq!(
            hold.step(UtcMicros(i64::MIN), true, 0, 0),
            Some(UtcMicros(i64::MIN))
        );
        assert_eq!(hold.step(UtcMicros(i64::MAX), true, 1, 0), None);
    }
}
