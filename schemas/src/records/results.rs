use mineseal_domain::{
    ActivityKind, ActivityState, CameraCode, Direction, HealthCondition, HealthMeasures, MineCode,
    ObjectClass, Point, UtcMicros, ViewMeasures,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FrameLocation;

/// Topic `crossings`, key mine code, 30 days: an object went over a line.
///
/// Nothing in it depends on the clock of the machine that counted it: the record's Kafka timestamp says when
/// that was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// UUIDv5 over camera, session, sequence, line and track: the same input gives the same identity.
    pub id: Uuid,
    /// The mine.
    pub mine: MineCode,
    /// The camera.
    pub camera: CameraCode,
    /// Name of the line.
    pub line: String,
    /// Towards the mine or away from it.
    pub direction: Direction,
    /// What crossed.
    pub class: ObjectClass,
    /// False for a way that people should not take.
    pub regular: bool,
    /// False for a person who passed a gate against its direction: told by an alarm, not part of the headcount.
    pub counted: bool,
    /// Number of the track in its session.
    pub track: i64,
    /// Mean score of the frames that decided it.
    pub score: f32,
    /// When the deciding frame was taken.
    pub captured_at: UtcMicros,
    /// The session of the deciding frame.
    pub session: Uuid,
    /// First sequence of the frames that decided it.
    pub from_sequence: i64,
    /// Last sequence of the frames that decided it.
    pub to_sequence: i64,
    /// Anchor positions that decided it, in pixels of the published picture.
    pub path: Vec<Point>,
    /// Version of the crossing rule.
    pub rule_version: i32,
    /// The model that found it.
    pub model: String,
    /// Where the deciding frame lies.
    pub frame: FrameLocation,
}

/// Entries and exits over one line since the ledger began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MouthCount {
    /// The camera.
    pub camera: CameraCode,
    /// Name of the line.
    pub line: String,
    /// People who went in.
    pub entered: i64,
    /// People who went out.
    pub left: i64,
}

/// One shift's part of the headcount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftCount {
    /// Its name; empty for the time between two shifts.
    pub name: String,
    /// When it began.
    pub began_at: UtcMicros,
    /// People who went in during it.
    pub entered: i64,
    /// People who went out during it, of whatever shift they were.
    pub left: i64,
    /// Of those who went in during it how many are still underground, if who goes in first comes out first.
    pub inside: i64,
}

/// Topic `headcounts`, key mine code, compacted: people underground.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headcount {
    /// The mine.
    pub mine: MineCode,
    /// Entries minus exits over all mouths, plus corrections; below zero means that an entry was missed.
    pub people: i64,
    /// By mouth.
    pub mouths: Vec<MouthCount>,
    /// Event time at which it is true.
    pub at: UtcMicros,
    /// Partition of topic `detections` that it was derived from.
    pub partition: i32,
    /// Offset in that partition at which it is true.
    pub offset: i64,
    /// More people left than had entered at some time since the last correction.
    pub inconsistent: bool,
    /// Version of the crossing rule.
    pub rule_version: i32,
    /// Sum of all corrections since the ledger began.
    pub corrected: i64,
    /// Entries by ways that people should not take; they are among those of the mouths.
    pub non_regular_entered: i64,
    /// Exits by ways that people should not take; they are among those of the mouths.
    pub non_regular_left: i64,
    /// The last shifts, oldest first; the last one runs. Empty for a mine without shifts.
    pub shifts: Vec<ShiftCount>,
}

/// Topic `activity`, key mine code, 30 days: work that was seen to begin, to end or to happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// UUIDv5, as for crossings.
    pub id: Uuid,
    /// The mine.
    pub mine: MineCode,
    /// The camera.
    pub camera: CameraCode,
    /// Belt, post, vehicle.
    pub kind: ActivityKind,
    /// The state that it went into.
    pub state: ActivityState,
    /// When.
    pub at: UtcMicros,
    /// Where the deciding frame lies.
    pub frame: FrameLocation,
}

/// Topic `camera-health`, key mine code, 30 days: a camera's picture went from one condition into another, or
/// the regular report of the one that it is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraHealth {
    /// The mine.
    pub mine: MineCode,
    /// The camera.
    pub camera: CameraCode,
    /// What is wrong, or normal.
    pub condition: HealthCondition,
    /// Since when.
    pub since: UtcMicros,
    /// Event time of this report.
    pub at: UtcMicros,
    /// Measures of the deciding frame.
    pub measures: HealthMeasures,
    /// Measures of the deciding frame against others.
    #[serde(default)]
    pub view: ViewMeasures,
    /// Where the deciding frame lies.
    pub frame: FrameLocation,
}
