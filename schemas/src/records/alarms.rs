use mineseal_domain::{
    AlarmKind, AlarmPhase, CameraCode, DispositionVerdict, MineCode, MineState, Severity, UtcMicros,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FrameLocation;

/// Topic `alarms`, key mine code: one step in an alarm's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The same through its whole life; UUIDv5, so the same input gives the same identity.
    pub id: Uuid,
    /// Counts the steps from 0.
    pub revision: i32,
    /// The mine.
    pub mine: MineCode,
    /// The camera that showed it, if one did.
    pub camera: Option<CameraCode>,
    /// Why.
    pub kind: AlarmKind,
    /// How grave.
    pub severity: Severity,
    /// Where it stands.
    pub phase: AlarmPhase,
    /// When it began.
    pub raised_at: UtcMicros,
    /// Event time of this step.
    pub at: UtcMicros,
    /// People underground, or people seen, at this step.
    pub people: i64,
    /// The state of the mine that made it an alarm; a later change does not touch it.
    pub mine_state: MineState,
    /// One sentence in Chinese for the operator.
    pub message: String,
    /// Version of the rules.
    pub rule_version: i32,
    /// Where the deciding frame lies, if one decided it.
    pub frame: Option<FrameLocation>,
}

/// Topic `dispositions`, key mine code: what a person did with an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disposition {
    /// The alarm.
    pub alarm: Uuid,
    /// Its mine.
    pub mine: MineCode,
    /// What he found.
    pub verdict: DispositionVerdict,
    /// In his words.
    pub note: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: UtcMicros,
}

/// Topic `evidence-requests`, key camera code: what to keep for an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRequest {
    /// UUIDv5 over the alarm and its revision.
    pub id: Uuid,
    /// The alarm.
    pub alarm: Uuid,
    /// Its mine.
    pub mine: MineCode,
    /// The camera.
    pub camera: CameraCode,
    /// The moment.
    pub captured_at: UtcMicros,
    /// Where the deciding frame lies.
    pub frame: FrameLocation,
    /// Clip before the moment, seconds.
    pub seconds_before: f32,
    /// Clip after the moment, seconds.
    pub seconds_after: f32,
}

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A JPEG of the moment.
    Picture,
    /// An mp4 around it.
    Clip,
}

/// Topic `evidence`, key camera code: where a piece of evidence lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The request that asked for it.
    pub request: Uuid,
    /// The alarm.
    pub alarm: Uuid,
    /// Its mine.
    pub mine: MineCode,
    /// The camera.
    pub camera: CameraCode,
    /// Picture or clip.
    pub kind: EvidenceKind,
    /// Path in the object store.
    pub object: String,
    /// Of the bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size_bytes: i64,
    /// When the picture was taken, or the clip's moment.
    pub captured_at: UtcMicros,
}
