//! The sink: everything that is to be kept goes from the bus into ClickHouse. Exactly once.
//!
//! 1. Records are read and gathered to a batch: the offsets from its first to its last record of one partition.
//! 2. That range is committed on the bus, as metadata of the offset where it begins.
//! 3. The rows are sent under a token that names topic, partition and range.
//! 4. The offset after the range is committed.
//!
//! Whoever finds a committed range, after a crash or when the partition came to him, reads exactly that range again,
//! asks the table which of its records are there, and sends the others under the same token. The range is read the
//! same again, because only records of committed transactions are read at all; and nothing but that range needs to be
//! asked for, because nothing else can have been sent. The same holds after an insert whose answer was lost.

mod batch;
mod error;
mod flight;
mod partition;
mod range;
mod runner;
mod sender;
mod session;
mod settings;
mod tables;

pub use error::SinkError;
pub use runner::run;
pub use settings::SinkSettings;
