//! Rows, and the records that become rows. Columns with codes hold the names that travel on the bus.

mod alarms;
mod frames;
mod results;

use clickhouse::{RowOwned, RowWrite};
use mineseal_domain::UtcMicros;
use mineseal_schemas::Record;

pub use alarms::{AlarmRow, DispositionRow, EvidenceRow, ReceiptRow};
pub use frames::FrameLatencyRow;
pub use results::{ActivityRow, CameraHealthRow, CrossingRow, HeadcountRow};

/// A row that can be stored.
pub trait StoredRow: RowOwned + RowWrite + Send + Sync + 'static {
    /// Its table.
    const TABLE: &'static str;
    /// The column with the timestamp of its record on the bus.
    const WRITTEN_AT: &'static str;

    /// Where its record lies: no two rows of a table have the same.
    fn place(&self) -> RecordPlace;
}

macro_rules! stored_row {
    ($row:ident, $table:literal, $written_at:ident) => {
        impl crate::rows::StoredRow for $row {
            const TABLE: &'static str = $table;
            const WRITTEN_AT: &'static str = stringify!($written_at);

            fn place(&self) -> RecordPlace {
                RecordPlace {
                    partition: self.record_partition,
                    offset: self.record_offset,
                    written_at: self.$written_at,
                }
            }
        }
    };
}
use stored_row;

/// Where and when a record was written on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPlace {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The record's timestamp.
    pub written_at: UtcMicros,
}

/// A record of the bus that is stored as one row.
pub trait StoredRecord: Record {
    /// The row.
    type Row: StoredRow;

    /// The row of this record, which lies at `place`.
    fn into_row(self, place: RecordPlace) -> Self::Row;
}
