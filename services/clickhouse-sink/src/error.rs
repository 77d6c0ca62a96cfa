use mineseal_bus::BusError;
use mineseal_store::StoreError;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// What waiting does not mend. Nothing is lost by any of it: what was not stored is still on the bus.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The store's settings are wrong, it refuses us, or a newer build has been there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus's settings are wrong.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The client library refuses the settings of the consumer.
    #[error("the settings of the bus are not usable: {0}; see the section [kafka]")]
    Settings(#[source] KafkaError),
    /// The reading thread.
    #[error("the thread that reads {0}")]
    Thread(&'static str),
}
