//! What travels on the bus: one Rust type and one Avro schema for each topic.
//!
//! Values are Avro in single-object encoding (0xC3 0x01, CRC-64-AVRO fingerprint, body), so that a value
//! carries its schema's identity without another server to run. Every version of a schema that ever shipped is
//! compiled in: what an older build wrote stays readable.

mod keys;
mod records;
mod registry;
#[cfg(feature = "samples")]
pub mod samples;
pub mod topics;
pub mod wire;

pub use records::*;
pub use registry::{MAX_RECORD_BYTES, schema_texts};
pub use topics::{Partitions, Record, Topic, UnknownTopic};
pub use wire::{DecodeError, EncodeError, decode, encode};
