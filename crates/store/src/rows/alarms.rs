use clickhouse::Row;
use mineseal_domain::{AlarmKind, AlarmPhase, Severity, UtcMicros};
use mineseal_schemas::{Alarm, Disposition, Evidence, Receipt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RecordPlace, StoredRecord, stored_row};
use crate::codes::{name_of, value_of};

/// One step in an alarm's life.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct AlarmRow {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    pub revision: i32,
    pub mine: String,
    pub camera: Option<String>,
    pub kind: String,
    pub severity: String,
    pub phase: String,
    pub raised_at: UtcMicros,
    pub at: UtcMicros,
    pub people: i64,
    pub mine_state: String,
    pub message: String,
    pub rule_version: i32,
    pub frame_partition: Option<i32>,
    pub frame_offset: Option<i64>,
    /// Timestamp of the record on the bus.
    pub counted_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

impl AlarmRow {
    /// Why; `None` for a kind that a newer build has written.
    #[must_use]
    pub fn kind(&self) -> Option<AlarmKind> {
        value_of(&self.kind)
    }

    /// How grave.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        value_of(&self.severity)
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Option<AlarmPhase> {
        value_of(&self.phase)
    }
}

stored_row!(AlarmRow, "alarms", counted_at);

impl StoredRecord for Alarm {
    type Row = AlarmRow;

    fn into_row(self, place: RecordPlace) -> AlarmRow {
        AlarmRow {
            id: self.id,
            revision: self.revision,
            mine: self.mine.into(),
            camera: self.camera.map(String::from),
            kind: name_of(&self.kind),
            severity: name_of(&self.severity),
            phase: name_of(&self.phase),
            raised_at: self.raised_at,
            at: self.at,
            people: self.people,
            mine_state: name_of(&self.mine_state),
            message: self.message,
            rule_version: self.rule_version,
            frame_partition: self.frame.map(|frame| frame.partition),
            frame_offset: self.frame.map(|frame| frame.offset),
            counted_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}

/// What a person did with an alarm.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct DispositionRow {
    #[serde(with = "clickhouse::serde::uuid")]
    pub alarm: Uuid,
    pub mine: String,
    pub verdict: String,
    pub note: String,
    pub decided_by: String,
    pub at: UtcMicros,
    /// Timestamp of the record on the bus.
    pub written_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

stored_row!(DispositionRow, "dispositions", written_at);

impl StoredRecord for Disposition {
    type Row = DispositionRow;

    fn into_row(self, place: RecordPlace) -> DispositionRow {
        DispositionRow {
            alarm: self.alarm,
            mine: self.mine.into(),
            verdict: name_of(&self.verdict),
            note: self.note,
            decided_by: self.by,
            at: self.at,
            written_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}

/// Where a piece of evidence lies.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct EvidenceRow {
    #[serde(with = "clickhouse::serde::uuid")]
    pub request: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    pub alarm: Uuid,
    pub mine: String,
    pub camera: String,
    pub kind: String,
    pub object: String,
    pub sha256: String,
    pub size_bytes: i64,
    pub captured_at: UtcMicros,
    /// Timestamp of the record on the bus.
    pub written_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

stored_row!(EvidenceRow, "evidence", written_at);

impl StoredRecord for Evidence {
    type Row = EvidenceRow;

    fn into_row(self, place: RecordPlace) -> EvidenceRow {
        EvidenceRow {
            request: self.request,
            alarm: self.alarm,
            mine: self.mine.into(),
            camera: self.camera.into(),
            kind: name_of(&self.kind),
            object: self.object,
            sha256: self.sha256,
            size_bytes: self.size_bytes,
            captured_at: self.captured_at,
            written_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}

/// What an upper platform answered.
#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "columns are named and explained in the migrations and the records"
)]
pub struct ReceiptRow {
    pub platform: String,
    pub mine: String,
    /// Topic of what was sent.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    pub outcome: String,
    pub status: i32,
    pub answer: String,
    pub attempts: i32,
    pub occurred_at: UtcMicros,
    pub answered_at: UtcMicros,
    /// Timestamp of the record on the bus.
    pub written_at: UtcMicros,
    pub record_partition: i32,
    pub record_offset: i64,
}

stored_row!(ReceiptRow, "receipts", written_at);

impl StoredRecord for Receipt {
    type Row = ReceiptRow;

    fn into_row(self, place: RecordPlace) -> ReceiptRow {
        ReceiptRow {
            platform: self.platform,
            mine: self.mine.into(),
            topic: self.topic,
            partition: self.partition,
            offset: self.offset,
            outcome: name_of(&self.outcome),
            status: self.status,
            answer: self.answer,
            attempts: self.attempts,
            occurred_at: self.occurred_at,
            answered_at: self.answered_at,
            written_at: place.written_at,
            record_partition: place.partition,
            record_offset: place.offset,
        }
    }
}
