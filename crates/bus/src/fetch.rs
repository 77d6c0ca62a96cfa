use std::time::{Duration, Instant};

use mineseal_schemas::{Record, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::bus::Bus;
use crate::context::LoggingContext;
use crate::error::BusError;
use crate::received::Received;

impl Bus {
    /// Reads the one record at `partition` and `offset` of its topic.
    ///
    /// # Errors
    /// [`BusError::Absent`] when no record lies there or none came within `deadline`.
    pub async fn fetch_one<R: Record + Send + 'static>(
        &self,
        partition: i32,
        offset: i64,
        deadline: Duration,
    ) -> Result<Received<R>, BusError> {
        let bus = self.clone();
        let fetch = move || bus.fetch_one_blocking(partition, offset, deadline);
        tokio::task::spawn_blocking(fetch)
            .await
            .map_err(|_| BusError::Thread("fetch"))?
    }

    fn fetch_one_blocking<R: Record>(
        &self,
        partition: i32,
        offset: i64,
        deadline: Duration,
    ) -> Result<Received<R>, BusError> {
        let topic = self.topic_name(R::TOPIC);
        let absent = |reason: String| BusError::Absent {
            topic: topic.clone(),
            partition,
            offset,
            reason,
        };
        let mut config = self.client_config();
        config
            // Needed to assign; no group is joined and nothing is committed.
            .set("group.id", self.group_name("fetch"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            // One record is wanted, not all that follow it.
            .set("queued.min.messages", "1")
            .set("fetch.message.max.bytes", "65536");
        let consumer: BaseConsumer<LoggingContext> = config
            .create_with_context(self.context())
            .map_err(|source| self.settings_error(source))?;
        let mut place = TopicPartitionList::new();
        let failed = |source| BusError::Kafka {
            action: "read one record",
            source,
        };
        place
            .add_partition_offset(&topic, partition, Offset::Offset(offset))
            .map_err(failed)?;
        consumer.assign(&place).map_err(failed)?;
        let until = Instant::now() + deadline;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(absent(format!(
                    "none came within {deadline:?}; it may not be written yet"
                )));
            }
            match consumer.poll(left.min(Duration::from_millis(200))) {
                None => {}
                Some(Ok(message)) if message.offset() == offset => {
                    self.context().works();
                    self.statistics().count_received(R::TOPIC);
                    let value = decode(message.payload().unwrap_or_default())?;
                    return Ok(Received::new(value, R::TOPIC, &message));
                }
                Some(Ok(message)) => {
                    return Err(absent(format!(
                        "the next record lies at offset {}; this one's time was over",
                        message.offset()
                    )));
                }
                Some(Err(error)) => match lasting(&error) {
                    Some(reason) => return Err(absent(reason)),
                    None => tracing::debug!(%error, topic, partition, "while reading one record"),
                },
            }
        }
    }
}

/// Why waiting will not help, if so.
fn lasting(error: &KafkaError) -> Option<String> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
            Some("the topic holds no record there (any more)".to_owned())
        }
        Some(RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            Some("there is no such topic or partition".to_owned())
        }
        _ => None,
    }
}
