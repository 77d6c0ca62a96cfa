//! The store: ClickHouse tables for everything that the system found out, how they are made, filled and asked.
//!
//! - [`Store::connect`] reaches the server, [`Store::migrate`] brings the database to this build's version.
//! - [`Store::insert_batch`] writes rows together with a token; [`Store::repeat_batch`] writes what is missing of rows
//!   that may have been sent before.
//! - [`StoredRecord`] says which row a record of the bus becomes.
//! - The other methods of [`Store`] answer the questions of the console and of `mineseal status`.

mod codes;
mod error;
mod inserts;
mod latencies;
mod migrations;
mod queries;
mod rows;
mod store;

pub use error::StoreError;
pub use latencies::{LatencyReport, StageLatency};
pub use migrations::newest_version;
pub use queries::{DirectionCount, Period, TableSize};
pub use rows::{
    ActivityRow, AlarmRow, CameraHealthRow, CrossingRow, DispositionRow, EvidenceRow, FrameLatencyRow,
    HeadcountRow, ReceiptRow, RecordPlace, StoredRecord, StoredRow,
};
pub use store::{Store, StoreSettings};
