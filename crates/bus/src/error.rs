use std::time::Duration;

use mineseal_schemas::{DecodeError, EncodeError, Topic};
use rdkafka::error::KafkaError;
use thiserror::Error;

/// What can go wrong on the bus.
#[derive(Debug, Error)]
pub enum BusError {
    /// The client library refuses the settings.
    #[error("the settings of the bus (brokers {brokers}) are not usable: {source}; see the section [kafka]")]
    Settings {
        /// As configured.
        brokers: String,
        /// What it says.
        source: KafkaError,
    },
    /// No broker answered in time.
    #[error("Kafka at {brokers} did not answer within {waited:?}; is it running, and is the address right?")]
    Unreachable {
        /// As configured.
        brokers: String,
        /// How long.
        waited: Duration,
    },
    /// Topics could not be created or read.
    #[error("topic {topic}: {detail}")]
    Topic {
        /// With prefix.
        topic: String,
        /// What is wrong and how to mend it.
        detail: String,
    },
    /// The record does not fit its schema.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The record cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The queue of records that wait for the broker is full: slow down, or drop what may be dropped.
    #[error(
        "the queue of records for topic {topic} is full; the broker takes them more slowly than they come"
    )]
    QueueFull {
        /// Where the record was to go.
        topic: Topic,
    },
    /// The broker, or the client on its way there, refused a record for good.
    #[error("a record for topic {topic} was not written: {source}")]
    Publish {
        /// Where the record was to go.
        topic: Topic,
        /// Why.
        source: KafkaError,
    },
    /// What was queued could not be written in time.
    #[error("{left} records still wait for the broker after {waited:?}")]
    Flush {
        /// How many.
        left: i32,
        /// How long.
        waited: Duration,
    },
    /// No record lies at that place: it was never written, or its time was over.
    #[error("no record at {topic} partition {partition} offset {offset}: {reason}")]
    Absent {
        /// With prefix.
        topic: String,
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// Which of both.
        reason: String,
    },
    /// Any other answer of the client library.
    #[error("cannot {action}: {source}")]
    Kafka {
        /// What was tried.
        action: &'static str,
        /// What it says.
        source: KafkaError,
    },
    /// A thread could not be started or ended before its time.
    #[error("cannot run the thread {0}")]
    Thread(&'static str),
}
