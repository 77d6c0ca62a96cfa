use std::time::Duration;

use mineseal_bus::{Bus, BusError, Entry, LoggingContext};
use mineseal_schemas::{Camera, Frame, Topic, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::bookmark;
use crate::position::Position;
use crate::reading::now;

/// Records that are looked through first, going back from the end; then four times as many, and so on.
const FIRST_WINDOW: i64 = 256;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a file source's last frame.
#[derive(Debug)]
pub(crate) enum Found {
    /// It was read as far as this.
    Position(Position),
    /// It was never read.
    Nothing,
    /// If there was a frame, it is no longer kept.
    MayBeGone,
}

/// How far a file source was read: by its last frame in `frames`, else by its bookmark.
pub(crate) async fn last_position(bus: &Bus, registered: &Entry<Camera>) -> Result<Found, BusError> {
    let (bus, code) = (bus.clone(), registered.value.code.clone());
    // Records with the same key lie in the same partition number of all topics that are keyed by camera.
    let partition = registered.partition;
    let registered_millis = registered.timestamp_millis;
    let look = move || {
        let marked = bookmark::read(&bus, &code, partition)?;
        let since = marked.map_or(0, |(_, published)| published.offset);
        let (frame, nothing_was_deleted) = last_frame(&bus, partition, code.as_str(), since)?;
        Ok(match (frame, marked) {
            (Some(frame), _) => Found::Position(Position::of(&frame)),
            (None, Some((position, _))) => Found::Position(position),
            (None, None) if nothing_was_deleted => Found::Nothing,
            (None, None) => {
                let age_millis = now().0 / 1000 - registered_millis;
                let kept_millis = Topic::Frames.retention_ms().unwrap_or(i64::MAX);
                if age_millis < kept_millis {
                    Found::Nothing
                } else {
                    Found::MayBeGone
                }
            }
        })
    };
    tokio::task::spawn_blocking(look)
        .await
        .map_err(|_| BusError::Thread("resume"))?
}

/// The newest frame under `key` from offset `since` on, and whether the partition still has all that was ever
/// written to it.
fn last_frame(bus: &Bus, partition: i32, key: &str, since: i64) -> Result<(Option<Frame>, bool), BusError> {
    let failed = |source| BusError::Kafka {
        action: "look for a camera's last frame",
        source,
    };
    let topic = bus.topic_name(Topic::Frames);
    let mut config = bus.client_config();
    config
        // Needed to assign; no group is joined and nothing is committed.
        .set("group.id", bus.group_name("resume"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "16384");
    let consumer: BaseConsumer<LoggingContext> = config.create_with_context(bus.context()).map_err(failed)?;
    let (low, high) = consumer
        .fetch_watermarks(&topic, partition, TIMEOUT)
        .map_err(failed)?;
    let floor = low.max(since);
    let (mut end, mut window) = (high, FIRST_WINDOW);
    while end > floor {
        let begin = (end - window).max(floor);
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset(&topic, partition, Offset::Offset(begin))
            .map_err(failed)?;
        consumer.assign(&place).map_err(failed)?;
        if let Some(value) = newest_in_window(&consumer, key, end).map_err(failed)? {
            return Ok((Some(decode(&value)?), low == 0));
        }
        (end, window) = (begin, window.saturating_mul(4));
    }
    Ok((None, low == 0))
}

/// The value of the last record under `key` before offset `end`.
fn newest_in_window(
    consumer: &BaseConsumer<LoggingContext>,
    key: &str,
    end: i64,
) -> Result<Option<Vec<u8>>, KafkaError> {
    let mut newest = None;
    loop {
        match consumer.poll(TIMEOUT) {
            Some(Ok(message)) if message.offset() >= end => return Ok(newest),
            Some(Ok(message)) => {
                if message.key() == Some(key.as_bytes()) {
                    newest = message.payload().map(<[u8]>::to_vec);
                }
                if message.offset() + 1 >= end {
                    return Ok(newest);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(newest),
            Some(Err(error)) => return Err(error),
            None => {
                return Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::OperationTimedOut,
                ));
            }
        }
    }
}
