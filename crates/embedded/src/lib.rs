//! The engines that mineseal brings along, so that it runs on one machine with nothing prepared: the real
//! Apache Kafka, run from jars that Maven fetches, and the real ClickHouse server, run from a library that npm
//! fetches; each is a child process.
//!
//! A cluster has its own; then nothing in here is used.

mod clickhouse;
mod kafka;
mod ports;
mod supervise;

pub use clickhouse::{
    CLICKHOUSE_LIBRARY_VERSION, ClickHouseNode, ClickHouseNodeError, ClickHouseNodeSettings,
    ClickHouseProgress,
};
pub use kafka::{
    KAFKA_VERSION, KafkaCluster, KafkaListener, KafkaNode, KafkaNodeError, KafkaNodeSettings, KafkaProgress,
};
pub use ports::free_port;
pub use supervise::{ChildProcess, ChildSpec, PreparedChild, SuperviseError};
