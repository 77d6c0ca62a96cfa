use clickhouse::Row;
use mineseal_domain::UtcMicros;
use mineseal_schemas::{Activity, CameraHealth, Crossing, Headcount};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RecordPlace, StoredRecord, stored_row};
use crate::codes::name_of;

/// An object went over a line.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct CrossingRow {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    pub mine: String,
    pub camera: String,
    pub line: String,
    pub direction: String,
    pub class: String,
    pub regular: bool,
    pub track: i64,
    pub score: f32,
    pub captured_at: UtcMicros,
    #[serde(with = "clickhouse::serde::uuid")]
    pub session: Uuid,
    pub from_sequence: i64,
    pub to_sequence: i64,
    #[serde(rename = "path.x")]
    pub path_x: Vec<f32>,
    #[serde(rename = "path.y")]
    pub path_y: Vec<f32>,
    pub rule_version: i32,
    pub model: String,
    pub frame_partition: i32,
    pub frame_offset: i64,
    /// Timestamp of the record on the bus.
    pub counted_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
    pub counted: bool,
}

stored_row!(CrossingRow, "crossings", counted_at);

impl StoredRecord for Crossing {
    type Row = CrossingRow;

    fn into_row(self, place: RecordPlace) -> CrossingRow {
        CrossingRow {
            id: self.id,
            mine: self.mine.into(),
            camera: self.camera.into(),
            line: self.line,
            direction: name_of(&self.direction),
            class: name_of(&self.class),
            regular: self.regular,
            track: self.track,
            score: self.score,
            captured_at: self.captured_at,
            session: self.session,
            from_sequence: self.from_sequence,
            to_sequence: self.to_sequence,
            path_x: self.path.iter().map(|point| point.x).collect(),
            path_y: self.path.iter().map(|point| point.y).collect(),
            rule_version: self.rule_version,
            model: self.model,
            frame_partition: self.frame.partition,
            frame_offset: self.frame.offset,
            counted_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
            counted: self.counted,
        }
    }
}

/// People underground.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct HeadcountRow {
    pub mine: String,
    pub people: i64,
    #[serde(rename = "mouths.camera")]
    pub mouth_cameras: Vec<String>,
    #[serde(rename = "mouths.line")]
    pub mouth_lines: Vec<String>,
    #[serde(rename = "mouths.entered")]
    pub mouth_entered: Vec<i64>,
    #[serde(rename = "mouths.left")]
    pub mouth_left: Vec<i64>,
    pub at: UtcMicros,
    /// Partition of topic `detections` that it was derived from.
    pub partition: i32,
    /// Offset in that partition at which it is true.
    pub offset: i64,
    pub inconsistent: bool,
    pub rule_version: i32,
    /// Timestamp of the record on the bus.
    pub counted_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
    pub corrected: i64,
    pub non_regular_entered: i64,
    pub non_regular_left: i64,
    #[serde(rename = "shifts.name")]
    pub shift_names: Vec<String>,
    #[serde(rename = "shifts.began_at")]
    pub shift_began_at: Vec<UtcMicros>,
    #[serde(rename = "shifts.entered")]
    pub shift_entered: Vec<i64>,
    #[serde(rename = "shifts.left")]
    pub shift_left: Vec<i64>,
    #[serde(rename = "shifts.inside")]
    pub shift_inside: Vec<i64>,
}

stored_row!(HeadcountRow, "headcounts", counted_at);

impl StoredRecord for Headcount {
    type Row = HeadcountRow;

    fn into_row(self, place: RecordPlace) -> HeadcountRow {
        let (mouths, shifts) = (&self.mouths, &self.shifts);
        HeadcountRow {
            mine: self.mine.into(),
            people: self.people,
            mouth_cameras: mouths.iter().map(|mouth| mouth.camera.to_string()).collect(),
            mouth_lines: mouths.iter().map(|mouth| mouth.line.clone()).collect(),
            mouth_entered: mouths.iter().map(|mouth| mouth.entered).collect(),
            mouth_left: mouths.iter().map(|mouth| mouth.left).collect(),
            at: self.at,
            partition: self.partition,
            offset: self.offset,
            inconsistent: self.inconsistent,
            rule_version: self.rule_version,
            counted_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
            corrected: self.corrected,
            non_regular_entered: self.non_regular_entered,
            non_regular_left: self.non_regular_left,
            shift_names: shifts.iter().map(|shift| shift.name.clone()).collect(),
            shift_began_at: shifts.iter().map(|shift| shift.began_at).collect(),
            shift_entered: shifts.iter().map(|shift| shift.entered).collect(),
            shift_left: shifts.iter().map(|shift| shift.left).collect(),
            shift_inside: shifts.iter().map(|shift| shift.inside).collect(),
        }
    }
}

/// Work that was seen to begin, to end or to happen.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct ActivityRow {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    pub mine: String,
    pub camera: String,
    pub kind: String,
    pub state: String,
    pub at: UtcMicros,
    pub frame_partition: i32,
    pub frame_offset: i64,
    /// Timestamp of the record on the bus.
    pub counted_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

stored_row!(ActivityRow, "activity", counted_at);

impl StoredRecord for Activity {
    type Row = ActivityRow;

    fn into_row(self, place: RecordPlace) -> ActivityRow {
        ActivityRow {
            id: self.id,
            mine: self.mine.into(),
            camera: self.camera.into(),
            kind: name_of(&self.kind),
            state: name_of(&self.state),
            at: self.at,
            frame_partition: self.frame.partition,
            frame_offset: self.frame.offset,
            counted_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}

/// The condition of a camera's picture.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct CameraHealthRow {
    pub mine: String,
    pub camera: String,
    pub condition: String,
    pub since: UtcMicros,
    pub at: UtcMicros,
    pub mean_luma: f32,
    pub luma_deviation: f32,
    pub sharpness: f32,
    pub dark_share: f32,
    pub bright_share: f32,
    pub change: f32,
    pub fingerprint: i64,
    #[serde(rename = "regions.region")]
    pub region_names: Vec<String>,
    #[serde(rename = "regions.motion")]
    pub region_motion: Vec<f32>,
    #[serde(rename = "regions.mean_luma")]
    pub region_mean_luma: Vec<f32>,
    pub frame_partition: i32,
    pub frame_offset: i64,
    /// Timestamp of the record on the bus.
    pub counted_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

stored_row!(CameraHealthRow, "camera_health", counted_at);

impl StoredRecord for CameraHealth {
    type Row = CameraHealthRow;

    fn into_row(self, place: RecordPlace) -> CameraHealthRow {
        let measures = self.measures;
        CameraHealthRow {
            mine: self.mine.into(),
            camera: self.camera.into(),
            condition: name_of(&self.condition),
            since: self.since,
            at: self.at,
            mean_luma: measures.mean_luma,
            luma_deviation: measures.luma_deviation,
            sharpness: measures.sharpness,
            dark_share: measures.dark_share,
            bright_share: measures.bright_share,
            change: measures.change,
            fingerprint: measures.fingerprint,
            region_names: measures
                .regions
                .iter()
                .map(|region| region.region.clone())
                .collect(),
            region_motion: measures.regions.iter().map(|region| region.motion).collect(),
            region_mean_luma: measures.regions.iter().map(|region| region.mean_luma).collect(),
            frame_partition: self.frame.partition,
            frame_offset: self.frame.offset,
            counted_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}
