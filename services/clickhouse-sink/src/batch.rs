use mineseal_bus::{TraceContext, dead_letter};
use mineseal_domain::UtcMicros;
use mineseal_schemas::DeadLetter;
use mineseal_store::RecordPlace;
use rdkafka::message::Message;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::range::Range;
use crate::tables::Rows;

/// Records of one partition that are stored together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) range: Range,
    /// It was announced before, by us or by another, and may have been stored.
    pub(crate) repeated: bool,
    pub(crate) rows: Rows,
    /// Those that could not be read.
    pub(crate) dead: Vec<DeadLetter>,
    /// Cancelled when the partition is not ours any more: then another sends it.
    pub(crate) given_up: CancellationToken,
    /// Of the records that are traced; they end with the batch, when it is stored.
    traced: Vec<Span>,
}

impl Batch {
    pub(crate) fn new(range: Range, repeated: bool, rows: Rows) -> Self {
        Self {
            range,
            repeated,
            rows,
            dead: Vec::new(),
            given_up: CancellationToken::new(),
            traced: Vec::new(),
        }
    }

    /// Adds a record. A tombstone of a compacted topic says nothing that is stored.
    pub(crate) fn add(&mut self, message: &impl Message, service: &str) {
        let place = RecordPlace {
            partition: message.partition(),
            offset: message.offset(),
            written_at: UtcMicros(written_at(message).saturating_mul(1_000)),
        };
        let Some(value) = message.payload() else { return };
        let trace = TraceContext::of_message(message);
        if trace.is_sampled() {
            let span = tracing::info_span!("store", topic = message.topic(), offset = place.offset);
            trace.adopt(&span);
            self.traced.push(span);
        }
        if let Err(error) = self.rows.add(value, place) {
            let (topic, partition, offset) = (message.topic(), place.partition, place.offset);
            tracing::warn!(topic, partition, offset, %error, "cannot be read, goes to dead-letters");
            self.dead.push(dead_letter(message, service, &error.to_string()));
        }
    }

    /// What it weighs against the limit of rows.
    pub(crate) fn weight(&self) -> usize {
        self.rows.len() + self.dead.len()
    }
}

/// The record's timestamp, milliseconds; 0 where there is none.
pub(crate) fn written_at(message: &impl Message) -> i64 {
    message.timestamp().to_millis().unwrap_or_default()
}
