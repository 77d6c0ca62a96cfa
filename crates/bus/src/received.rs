use mineseal_schemas::Topic;
use rdkafka::message::{BorrowedMessage, Message as _};

use crate::trace::TraceContext;

/// A record with its place on the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Received<V> {
    /// The record.
    pub value: V,
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When it was written, by the clock of the writer, milliseconds since 1970; 0 where Kafka does not say.
    pub timestamp_millis: i64,
    /// The trace that it belongs to.
    pub trace: TraceContext,
}

impl<V> Received<V> {
    pub(crate) fn new(value: V, topic: Topic, message: &BorrowedMessage<'_>) -> Self {
        Self {
            value,
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp_millis: message.timestamp().to_millis().unwrap_or_default(),
            trace: TraceContext::of_message(message),
        }
    }

    /// The same place with another value.
    pub fn map<W>(self, change: impl FnOnce(V) -> W) -> Received<W> {
        Received {
            value: change(self.value),
            topic: self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_millis: self.timestamp_millis,
            trace: self.trace,
        }
    }
}
