use clickhouse::Row;
use mineseal_domain::UtcMicros;
use mineseal_schemas::Detections;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RecordPlace, StoredRecord, stored_row};

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
    /// Timestamp of the record on the bus.
    pub written_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

stored_row!(FrameLatencyRow, "frame_latencies", written_at);

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
            written_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}
