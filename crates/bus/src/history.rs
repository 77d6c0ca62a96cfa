use std::time::Duration;

use mineseal_schemas::{Record, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::bus::Bus;
use crate::context::LoggingContext;
use crate::error::BusError;
use crate::received::Received;

impl Bus {
    /// Reads all that a topic holds now, partition after partition, each from offset `from` or from its oldest
    /// record to its present end. Records that cannot be read are left out, with a warning. Blocks.
    ///
    /// # Errors
    /// When the brokers do not answer within `deadline`, or `each` gives an error.
    pub fn read_history<R: Record, E: From<BusError>>(
        &self,
        from: Option<i64>,
        deadline: Duration,
        mut each: impl FnMut(Received<R>) -> Result<(), E>,
    ) -> Result<(), E> {
        let topic = self.topic_name(R::TOPIC);
        let failed = |source| BusError::Kafka {
            action: "read a topic from its beginning",
            source,
        };
        let mut config = self.client_config();
        config
            // Needed to assign; no group is joined and nothing is committed.
            .set("group.id", self.group_name("history"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer<LoggingContext> = config
            .create_with_context(self.context())
            .map_err(|source| self.settings_error(source))?;
        let metadata = consumer.fetch_metadata(Some(&topic), deadline).map_err(failed)?;
        let mut partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions().iter().map(|partition| partition.id()))
            .collect();
        partitions.sort_unstable();
        for partition in partitions {
            let mut place = TopicPartitionList::new();
            place
                .add_partition_offset(&topic, partition, from.map_or(Offset::Beginning, Offset::Offset))
                .map_err(failed)?;
            consumer.assign(&place).map_err(failed)?;
            loop {
                match consumer.poll(deadline) {
                    None => return Err(self.unreachable(deadline).into()),
                    Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => break,
                    Some(Err(error)) => tracing::debug!(%error, topic, partition, "while reading a topic"),
                    Some(Ok(message)) => match decode(message.payload().unwrap_or_default()) {
                        Ok(value) => each(Received::new(value, R::TOPIC, &message))?,
                        Err(error) => {
                            tracing::warn!(%error, topic, partition, offset = message.offset(), "left out");
                        }
                    },
                }
            }
        }
        Ok(())
    }
}
