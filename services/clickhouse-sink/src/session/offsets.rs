//! Offsets, and the ranges in their metadata.

use std::collections::BTreeMap;
use std::time::Duration;

use mineseal_bus::Bus;
use mineseal_bus::group::GroupContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::flight::Flight;
use crate::range::{Place, Range};
use crate::settings::SinkSettings;

const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Where partitions begin.
pub(crate) struct Committed {
    pub(crate) positions: TopicPartitionList,
    /// What was on its way.
    pub(crate) ranges: BTreeMap<Place, Range>,
}

pub(crate) fn consumer_config(settings: &SinkSettings, bus: &Bus) -> ClientConfig {
    let timeout = settings.session_timeout.as_millis();
    let mut config = bus.client_config();
    config
        .set("group.id", bus.group_name(&settings.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        // A range must be read the same again: without records whose transaction may still be aborted.
        .set("isolation.level", "read_committed")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", timeout.to_string())
        .set("heartbeat.interval.ms", (timeout / 5).to_string())
        // A commit waits for its answer, and nothing is read meanwhile.
        .set("socket.timeout.ms", "10000")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.error.backoff.ms", "200")
        .set("topic.metadata.refresh.interval.ms", "10000");
    for (name, value) in &bus.settings().properties {
        config.set(name, value);
    }
    config
}

/// Asks where to begin with `list`, and which ranges were on their way.
pub(crate) fn committed(
    consumer: &BaseConsumer<GroupContext>,
    bus: &Bus,
    list: &TopicPartitionList,
) -> Result<Committed, KafkaError> {
    let found = consumer.committed_offsets(list.clone(), ASK_TIMEOUT)?;
    let mut positions = TopicPartitionList::new();
    let mut ranges = BTreeMap::new();
    for element in found.elements() {
        element.error()?;
        let (topic, partition) = (element.topic(), element.partition());
        let position = match element.offset() {
            Offset::Offset(offset) => Offset::Offset(offset),
            _ => Offset::Beginning,
        };
        positions.add_partition_offset(topic, partition, position)?;
        let metadata = element.metadata();
        match (bus.topic_of(topic), Range::of_metadata(metadata)) {
            (Some(topic), Some(range)) => {
                ranges.insert((topic, partition), range);
            }
            _ if metadata.is_empty() => {}
            _ => {
                tracing::error!(
                    topic,
                    partition,
                    metadata,
                    "unknown metadata on the committed offset; who wrote it?"
                );
            }
        }
    }
    Ok(Committed { positions, ranges })
}

/// Commits the ranges of a flight, before it is sent, and makes sure that the brokers have them: the answer to a
/// commit only tells of a failure when all partitions have failed.
pub(crate) fn announce(
    consumer: &BaseConsumer<GroupContext>,
    bus: &Bus,
    flight: &Flight,
) -> Result<(), KafkaError> {
    let ranges = flight
        .batches()
        .iter()
        .map(|(place, batch)| (*place, batch.range));
    let list = commit(
        consumer,
        bus,
        ranges.map(|(place, range)| (place, range.first, range.to_metadata())),
    )?;
    let found = consumer.committed_offsets(list.clone(), ASK_TIMEOUT)?;
    let differs = |code| Err(KafkaError::ConsumerCommit(code));
    for wanted in list.elements() {
        let Some(element) = found.find_partition(wanted.topic(), wanted.partition()) else {
            return differs(RDKafkaErrorCode::UnknownPartition);
        };
        element.error()?;
        if (element.offset(), element.metadata()) != (wanted.offset(), wanted.metadata()) {
            return differs(RDKafkaErrorCode::Inconsistent);
        }
    }
    Ok(())
}

/// Commits the offsets after a flight that is stored.
pub(crate) fn settle(
    consumer: &BaseConsumer<GroupContext>,
    bus: &Bus,
    flight: &Flight,
) -> Result<(), KafkaError> {
    let ranges = flight
        .batches()
        .iter()
        .map(|(place, batch)| (*place, batch.range));
    let offsets = ranges.map(|(place, range)| (place, range.last.saturating_add(1), String::new()));
    commit(consumer, bus, offsets).map(|_| ())
}

fn commit(
    consumer: &BaseConsumer<GroupContext>,
    bus: &Bus,
    offsets: impl Iterator<Item = (Place, i64, String)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset, metadata) in offsets {
        let mut element = list.add_partition(&bus.topic_name(topic), partition);
        element.set_offset(Offset::Offset(offset))?;
        if !metadata.is_empty() {
            element.set_metadata(metadata);
        }
    }
    consumer.commit(&list, CommitMode::Sync)?;
    Ok(list)
}
