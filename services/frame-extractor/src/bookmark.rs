//! How far a file source was read, kept longer than its frames: as metadata of a committed offset, in a group
//! of the camera's own that never has members. Kafka keeps it for a week after the last time it was written.

use std::time::Duration;

use mineseal_bus::{Bus, BusError, LoggingContext, Published};
use mineseal_domain::{CameraCode, UtcMicros};
use mineseal_schemas::Topic;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::position::Position;

const TIMEOUT: Duration = Duration::from_secs(10);
/// First word of the metadata; tells how the rest is written.
const FORM: &str = "position-1";

/// Notes that `published` holds the frame at `position`.
pub(crate) fn write(
    bus: &Bus,
    camera: &CameraCode,
    position: Position,
    published: Published,
) -> Result<(), BusError> {
    let failed = |source| BusError::Kafka {
        action: "note how far a file was read",
        source,
    };
    let mut place = TopicPartitionList::new();
    let topic = bus.topic_name(Topic::Frames);
    place
        .add_partition(&topic, published.partition)
        .set_metadata(text_of(position));
    place
        .set_partition_offset(&topic, published.partition, Offset::Offset(published.offset))
        .map_err(failed)?;
    consumer(bus, camera)?
        .commit(&place, CommitMode::Sync)
        .map_err(failed)
}

/// What was noted last.
pub(crate) fn read(
    bus: &Bus,
    camera: &CameraCode,
    partition: i32,
) -> Result<Option<(Position, Published)>, BusError> {
    let failed = |source| BusError::Kafka {
        action: "ask how far a file was read",
        source,
    };
    let topic = bus.topic_name(Topic::Frames);
    let mut place = TopicPartitionList::new();
    place.add_partition(&topic, partition);
    let noted = consumer(bus, camera)?
        .committed_offsets(place, TIMEOUT)
        .map_err(failed)?;
    let Some(noted) = noted.find_partition(&topic, partition) else {
        return Ok(None);
    };
    let Offset::Offset(offset) = noted.offset() else {
        return Ok(None);
    };
    Ok(position_of(noted.metadata()).map(|position| (position, Published { partition, offset })))
}

fn consumer(bus: &Bus, camera: &CameraCode) -> Result<BaseConsumer<LoggingContext>, BusError> {
    let mut config = bus.client_config();
    config
        .set("group.id", bus.group_name(&format!("frame-extractor.{camera}")))
        .set("enable.auto.commit", "false");
    config
        .create_with_context(bus.context())
        .map_err(|source| BusError::Kafka {
            action: "note how far a file was read",
            source,
        })
}

fn text_of(position: Position) -> String {
    let Position {
        session,
        sequence,
        media_time_micros,
        captured_at,
    } = position;
    format!(
        "{FORM} {session} {sequence} {media_time_micros} {}",
        captured_at.0
    )
}

fn position_of(text: &str) -> Option<Position> {
    let mut words = text.split(' ');
    if words.next() != Some(FORM) {
        return None;
    }
    Some(Position {
        session: words.next()?.parse().ok()?,
        sequence: words.next()?.parse().ok()?,
        media_time_micros: words.next()?.parse().ok()?,
        captured_at: UtcMicros(words.next()?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::new_session;

    #[test]
    fn what_is_written_can_be_read_and_nothing_else() {
        let position = Position {
            session: new_session("a.mp4"),
            sequence: 41,
            media_time_micros: 4_100_000,
            captured_at: UtcMicros(1_719_660_264_000_000),
        };
        assert_eq!(position_of(&text_of(position)), Some(position));
        for other in ["", "position-2 x", "position-1", "position-1 a b c d"] {
            assert_eq!(position_of(other), None, "{other}");
        }
    }
}
