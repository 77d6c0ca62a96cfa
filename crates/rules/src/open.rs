use std::collections::BTreeMap;

use mineseal_domain::{AlarmKind, AlarmPhase, CameraCode, MineCode, MineState, Severity, UtcMicros};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::policy::severity;

/// Namespace of the identities of alarms.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f2a_5c61_0b7e_5d43_9a1c_64f0_2e97_b3d8);

/// An alarm that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAlarm {
    /// UUIDv5 over mine, kind, camera and the time at which it was raised.
    pub id: Uuid,
    /// Number of the newest step.
    pub revision: i32,
    /// As raised, or graver.
    pub severity: Severity,
    /// When it began.
    pub raised_at: UtcMicros,
    /// The most (or, for an inconsistent count, the fewest) people so far.
    pub people: i64,
    /// The state of the mine when it was raised: a later change does not touch it.
    pub mine_state: MineState,
    /// Where it was seen, in the operator's words.
    pub place: String,
}

/// One step in the life of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmStep {
    /// The same through its whole life.
    pub id: Uuid,
    /// Counts the steps from 0.
    pub revision: i32,
    /// The camera that showed it; none for the headcount, which is the mine's.
    pub camera: Option<CameraCode>,
    /// Why.
    pub kind: AlarmKind,
    /// How grave.
    pub severity: Severity,
    /// Raised, updated or cleared.
    pub phase: AlarmPhase,
    /// When it began.
    pub raised_at: UtcMicros,
    /// Event time of this step.
    pub at: UtcMicros,
    /// People underground at this step.
    pub people: i64,
    /// The state of the mine when the alarm was raised.
    pub mine_state: MineState,
    /// One sentence in Chinese.
    pub message: String,
}

/// Of each kind one alarm is open for each camera.
pub(crate) type AlarmKey = (AlarmKind, Option<CameraCode>);

/// The open alarms of one mine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenAlarms {
    mine: MineCode,
    open: BTreeMap<AlarmKey, OpenAlarm>,
    /// When each was raised last, and how many were at that very time.
    raised: BTreeMap<AlarmKey, (UtcMicros, u32)>,
}

impl OpenAlarms {
    pub(crate) fn new(mine: MineCode) -> Self {
        Self {
            mine,
            open: BTreeMap::new(),
            raised: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, key: &AlarmKey) -> Option<&OpenAlarm> {
        self.open.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AlarmKey, &OpenAlarm)> {
        self.open.iter()
    }

    /// Raises an alarm, or gives none if it is open already.
    pub(crate) fn raise(
        &mut self,
        key: AlarmKey,
        at: UtcMicros,
        mine_state: MineState,
        people: i64,
        place: &str,
        message: String,
    ) -> Option<AlarmStep> {
        if self.open.contains_key(&key) {
            return None;
        }
        let times = match self.raised.get(&key) {
            Some(&(before, times)) if before == at => times.saturating_add(1),
            _ => 0,
        };
        self.raised.insert(key.clone(), (at, times));
        let alarm = OpenAlarm {
            id: identity(&self.mine, &key, at, times),
            revision: 0,
            severity: severity(key.0, mine_state, at),
            raised_at: at,
            people,
            mine_state,
            place: place.to_owned(),
        };
        let raised = step(&key, &alarm, AlarmPhase::Raised, at, people, message);
        self.open.insert(key, alarm);
        Some(raised)
    }

    /// Updates an open alarm; what goes on into the night of a stopped mine becomes graver with it.
    pub(crate) fn update(
        &mut self,
        key: &AlarmKey,
        at: UtcMicros,
        people: i64,
        message: String,
    ) -> Option<AlarmStep> {
        let alarm = self.open.get_mut(key)?;
        alarm.revision = alarm.revision.saturating_add(1);
        alarm.people = people;
        alarm.severity = alarm.severity.max(severity(key.0, alarm.mine_state, at));
        Some(step(key, alarm, AlarmPhase::Updated, at, people, message))
    }

    /// Clears an open alarm.
    pub(crate) fn clear(
        &mut self,
        key: &AlarmKey,
        at: UtcMicros,
        people: i64,
        message: impl FnOnce(&OpenAlarm) -> String,
    ) -> Option<AlarmStep> {
        let mut alarm = self.open.remove(key)?;
        alarm.revision = alarm.revision.saturating_add(1);
        let message = message(&alarm);
        Some(step(key, &alarm, AlarmPhase::Cleared, at, people, message))
    }

    /// Forgets when alarms of `camera` were raised; its open ones stay.
    pub(crate) fn forget(&mut self, camera: &CameraCode) {
        self.raised.retain(|(_, of), _| of.as_ref() != Some(camera));
    }
}

fn step(
    key: &AlarmKey,
    alarm: &OpenAlarm,
    phase: AlarmPhase,
    at: UtcMicros,
    people: i64,
    message: String,
) -> AlarmStep {
    AlarmStep {
        id: alarm.id,
        revision: alarm.revision,
        camera: key.1.clone(),
        kind: key.0,
        severity: alarm.severity,
        phase,
        raised_at: alarm.raised_at,
        at,
        people,
        mine_state: alarm.mine_state,
        message,
    }
}

/// `times` tells apart alarms that were raised, cleared and raised again within one frame.
fn identity(mine: &MineCode, key: &AlarmKey, raised_at: UtcMicros, times: u32) -> Uuid {
    let kind = match key.0 {
        AlarmKind::PersonEnteredStoppedMine => "person_entered_stopped_mine",
        AlarmKind::HeadcountOverLimit => "headcount_over_limit",
        AlarmKind::HeadcountInconsistent => "headcount_inconsistent",
        AlarmKind::BeltRunsInStoppedMine => "belt_runs_in_stopped_mine",
        AlarmKind::PostEmpty => "post_empty",
        AlarmKind::CameraFault => "camera_fault",
        AlarmKind::CameraOffline => "camera_offline",
        AlarmKind::NonRegularEntry => "non_regular_entry",
        AlarmKind::NonRegularExit => "non_regular_exit",
        AlarmKind::EntryGateReversed => "entry_gate_reversed",
        AlarmKind::ExitGateReversed => "exit_gate_reversed",
        AlarmKind::PositioningMismatch => "positioning_mismatch",
    };
    let camera = key.1.as_ref().map_or("", CameraCode::as_str);
    let name = format!("{mine}/{kind}/{camera}/{}/{times}", raised_at.0);
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}
