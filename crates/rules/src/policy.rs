use mineseal_domain::{AlarmKind, MineState, Severity, UtcMicros};
use serde::{Deserialize, Serialize};

/// What a mine may do: the part of its registration that alarms depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Producing, stopped or closing.
    pub state: MineState,
    /// People who may be underground at once.
    pub headcount_limit: i64,
    /// The post must be manned although the mine does not produce.
    pub watch_ordered: bool,
}

impl Policy {
    /// Whether what `kind` stands for is an alarm at all.
    pub(crate) fn forbids(&self, kind: AlarmKind) -> bool {
        match kind {
            AlarmKind::PersonEnteredStoppedMine | AlarmKind::BeltRunsInStoppedMine => {
                self.state != MineState::Producing
            }
            AlarmKind::PostEmpty => self.state == MineState::Producing || self.watch_ordered,
            AlarmKind::HeadcountOverLimit
            | AlarmKind::HeadcountInconsistent
            | AlarmKind::CameraFault
            | AlarmKind::CameraOffline
            | AlarmKind::NonRegularEntry
            | AlarmKind::NonRegularExit
            | AlarmKind::EntryGateReversed
            | AlarmKind::ExitGateReversed
            | AlarmKind::PositioningMismatch => true,
        }
    }
}

/// How grave `kind` is in a mine of `state` at the time `at`.
///
/// A stopped mine's alarms are one level graver than a producing mine's, and between 22:00 and 06:00 in Shanghai
/// one more; a closing mine's are of the top level. An empty post is no sign of work: it stays one level below.
#[must_use]
pub fn severity(kind: AlarmKind, state: MineState, at: UtcMicros) -> Severity {
    let base = match kind {
        AlarmKind::HeadcountOverLimit | AlarmKind::PositioningMismatch => Severity::Warning,
        AlarmKind::PersonEnteredStoppedMine
        | AlarmKind::HeadcountInconsistent
        | AlarmKind::BeltRunsInStoppedMine
        | AlarmKind::PostEmpty
        | AlarmKind::CameraFault
        | AlarmKind::CameraOffline
        | AlarmKind::NonRegularEntry
        | AlarmKind::NonRegularExit
        | AlarmKind::EntryGateReversed
        | AlarmKind::ExitGateReversed => Severity::Notice,
    };
    let post = kind == AlarmKind::PostEmpty;
    match state {
        MineState::Producing => base,
        MineState::Stopped => {
            let daytime = if post { base } else { graver(base) };
            if is_night(at) { graver(daytime) } else { daytime }
        }
        MineState::Closing if post && !is_night(at) => Severity::Warning,
        MineState::Closing => Severity::Critical,
    }
}

fn is_night(at: UtcMicros) -> bool {
    !(6..22).contains(&at.shanghai_hour())
}

fn graver(severity: Severity) -> Severity {
    match severity {
        Severity::Notice => Severity::Warning,
        Severity::Warning | Severity::Critical => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-06-30 at this hour in Shanghai.
    fn hour(hour: i64) -> UtcMicros {
        UtcMicros((1_719_676_800 + hour * 3_600) * 1_000_000)
    }

    #[test]
    fn the_table_of_severities() {
        use AlarmKind::*;
        use Severity::*;
        // Kind; producing; stopped by day and by night; closing by day and by night.
        let table = [
            (
                PersonEnteredStoppedMine,
                [Notice, Warning, Critical, Critical, Critical],
            ),
            (
                HeadcountOverLimit,
                [Warning, Critical, Critical, Critical, Critical],
            ),
            (
                HeadcountInconsistent,
                [Notice, Warning, Critical, Critical, Critical],
            ),
            (
                BeltRunsInStoppedMine,
                [Notice, Warning, Critical, Critical, Critical],
            ),
            (PostEmpty, [Notice, Notice, Warning, Warning, Critical]),
            (CameraFault, [Notice, Warning, Critical, Critical, Critical]),
            (CameraOffline, [Notice, Warning, Critical, Critical, Critical]),
            (NonRegularEntry, [Notice, Warning, Critical, Critical, Critical]),
            (NonRegularExit, [Notice, Warning, Critical, Critical, Critical]),
            (EntryGateReversed, [Notice, Warning, Critical, Critical, Critical]),
            (ExitGateReversed, [Notice, Warning, Critical, Critical, Critical]),
            (
                PositioningMismatch,
                [Warning, Critical, Critical, Critical, Critical],
            ),
        ];
        for (kind, expected) in table {
            let found = [
                severity(kind, MineState::Producing, hour(23)),
                severity(kind, MineState::Stopped, hour(12)),
                severity(kind, MineState::Stopped, hour(23)),
                severity(kind, MineState::Closing, hour(12)),
                severity(kind, MineState::Closing, hour(23)),
            ];
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn night_runs_from_22_to_6() {
        let nights: Vec<i64> = (0..24).filter(|&at| is_night(hour(at))).collect();
        assert_eq!(nights, [0, 1, 2, 3, 4, 5, 22, 23]);
        assert!(is_night(UtcMicros(hour(6).0 - 1)));
        assert!(!is_night(UtcMicros(hour(22).0 - 1)));
    }

    #[test]
    fn what_is_forbidden_in_which_state() {
        let policy = |state, watch_ordered| Policy {
            state,
            headcount_limit: 10,
            watch_ordered,
        };
        let producing = policy(MineState::Producing, false);
        let stopped = policy(MineState::Stopped, false);
        assert!(!producing.forbids(AlarmKind::PersonEnteredStoppedMine));
        assert!(!producing.forbids(AlarmKind::BeltRunsInStoppedMine));
        assert!(producing.forbids(AlarmKind::PostEmpty));
        assert!(stopped.forbids(AlarmKind::PersonEnteredStoppedMine));
        assert!(!stopped.forbids(AlarmKind::PostEmpty));
        assert!(policy(MineState::Stopped, true).forbids(AlarmKind::PostEmpty));
        assert!(policy(MineState::Closing, true).forbids(AlarmKind::PostEmpty));
    }
}
