use mineseal_bus::BusError;
use mineseal_domain::MineCode;
use mineseal_schemas::{EncodeError, Topic};
use rdkafka::error::KafkaError;
use thiserror::Error;

use crate::stepper::StepError;

/// What ends the counter. A broker that is away is not among it: that is waited for.
#[derive(Debug, Error)]
pub enum CounterError {
    /// The settings are refused, or the tables of registrations cannot be read.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A key of those who may correct headcounts cannot be used.
    #[error("the key {path:?} cannot be used: {reason}; `mineseal headcount key NAME` makes a pair")]
    Key {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The client library refuses the settings.
    #[error("the client library refuses the counter's settings")]
    Settings(#[source] KafkaError),
    /// A mine's state on `counter-state` cannot be read. Going on without it would count wrongly.
    #[error(
        "the state of mine {mine} at {topic} partition {partition} offset {offset} (format {format}) cannot be read: \
         {source}; run the version that wrote it, or a newer one"
    )]
    State {
        /// Whose.
        mine: MineCode,
        /// With prefix.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// How it was written.
        format: i32,
        /// What the engine says.
        source: StepError,
    },
    /// A record on `counter-state` is none.
    #[error("the record at {topic} partition {partition} offset {offset} is no state of a mine: {reason}")]
    Changelog {
        /// With prefix.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A mine's state cannot be written.
    #[error("the state of mine {mine} cannot be written: {source}")]
    WriteState {
        /// Whose.
        mine: MineCode,
        /// What the engine says.
        source: StepError,
    },
    /// An output does not fit its schema.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// An output is longer than any message may be.
    #[error(
        "a record for topic {topic} with key {key} has {bytes} bytes, which is more than the brokers take"
    )]
    TooLong {
        /// Where it was to go.
        topic: Topic,
        /// Its key.
        key: String,
        /// Its length.
        bytes: usize,
    },
    /// The thread that counts could not be started, or it panicked.
    #[error("the counting thread {0}")]
    Thread(&'static str),
}
