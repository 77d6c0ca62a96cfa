use clickhouse::Row;
use mineseal_domain::UtcMicros;
use mineseal_schemas::Detections;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RecordPlace, StoredRecord, StoredRow};

/// How long one frame took on its way.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct FrameLatencyRow {
    pub mine: String,
    pub camera: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub session: Uuid,
    pub sequence: i64,
    pub captured_at: UtcMicros,
    pub published_at: UtcMicros,
    pub inferred_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

impl StoredRow for FrameLatencyRow {
    const TABLE: &'static str = "frame_latencies";
}

impl StoredRecord for Detections {
    type Row = FrameLatencyRow;

    fn into_row(self, place: RecordPlace) -> FrameLatencyRow {
        FrameLatencyRow {
            mine: self.mine.into(),
            camera: self.camera.into(),
            session: self.session,
            sequence: self.sequence,
            captured_at: self.captured_at,
            published_at: self.published_at,
            inferred_at: self.inferred_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}
