use mineseal_domain::MineCode;
use mineseal_rules::{AlarmStep, RULE_VERSION};
use mineseal_schemas::{
    Activity, Alarm, CameraHealth, Correction, Crossing, EvidenceRequest, FrameLocation, Headcount,
};

/// A record that follows from an input.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Somebody or something went over a line.
    Crossing(Crossing),
    /// People underground.
    Headcount(Headcount),
    /// A correction of the headcount, with what became of it.
    Correction(Correction),
    /// Belt, post, vehicle.
    Activity(Activity),
    /// A step in the life of an alarm.
    Alarm(Alarm),
    /// The condition of a camera's picture.
    CameraHealth(CameraHealth),
    /// What to keep for an alarm.
    EvidenceRequest(EvidenceRequest),
}

pub(crate) fn alarm(mine: &MineCode, step: AlarmStep, frame: Option<FrameLocation>) -> Alarm {
    Alarm {
        id: step.id,
        revision: step.revision,
        mine: mine.clone(),
        camera: step.camera,
        kind: step.kind,
        severity: step.severity,
        phase: step.phase,
        raised_at: step.raised_at,
        at: step.at,
        people: step.people,
        mine_state: step.mine_state,
        message: step.message,
        rule_version: RULE_VERSION,
        frame,
    }
}
