//! The topics of the bus: names, keys, how long what they carry is kept.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// A topic of the bus. Its schemas lie in `schemas/avro/<name>/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Registered mines.
    Mines,
    /// Registered cameras.
    Cameras,
    /// Sampled pictures.
    Frames,
    /// What was found in each picture.
    Detections,
    /// Objects that went over a line.
    Crossings,
    /// Belt, post and vehicles.
    Activity,
    /// Conditions of the cameras' pictures.
    CameraHealth,
    /// People underground.
    Headcounts,
    /// Steps in the lives of alarms.
    Alarms,
    /// What people did with alarms.
    Dispositions,
    /// What to keep for an alarm.
    EvidenceRequests,
    /// Where evidence lies.
    Evidence,
    /// People underground by their cards.
    Positioning,
    /// Corrections of headcounts.
    Corrections,
    /// The counter's changelog.
    CounterState,
    /// What upper platforms answered.
    Receipts,
    /// Records that could not be read or handled.
    DeadLetters,
}

/// How a topic is cut into partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partitions {
    /// Keyed by mine. All topics of this kind have the same number of partitions, so that a mine lies in the
    /// partition of the same number in each of them.
    ByMine,
    /// Keyed by camera. All topics of this kind have the same number of partitions.
    ByCamera,
    /// So little that one partition is enough.
    One,
}

/// A name that no topic has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no topic is called {0:?}; the topics are {names}", names = Topic::names())]
pub struct UnknownTopic(pub String);

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 17] = [
        Self::Mines,
        Self::Cameras,
        Self::Frames,
        Self::Detections,
        Self::Crossings,
        Self::Activity,
        Self::CameraHealth,
        Self::Headcounts,
        Self::Alarms,
        Self::Dispositions,
        Self::EvidenceRequests,
        Self::Evidence,
        Self::Positioning,
        Self::Corrections,
        Self::CounterState,
        Self::Receipts,
        Self::DeadLetters,
    ];

    /// The name without a prefix, such as `frames`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mines => "mines",
            Self::Cameras => "cameras",
            Self::Frames => "frames",
            Self::Detections => "detections",
            Self::Crossings => "crossings",
            Self::Activity => "activity",
            Self::CameraHealth => "camera-health",
            Self::Headcounts => "headcounts",
            Self::Alarms => "alarms",
            Self::Dispositions => "dispositions",
            Self::EvidenceRequests => "evidence-requests",
            Self::Evidence => "evidence",
            Self::Positioning => "positioning",
            Self::Corrections => "corrections",
            Self::CounterState => "counter-state",
            Self::Receipts => "receipts",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// The name on the bus: `mineseal` gives `mineseal.frames`; an empty prefix gives the bare name.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> String {
        if prefix.is_empty() {
            self.name().to_owned()
        } else {
            format!("{prefix}.{}", self.name())
        }
    }

    /// Whether only the newest record of each key is kept, for ever.
    #[must_use]
    pub fn compacted(self) -> bool {
        matches!(
            self,
            Self::Mines | Self::Cameras | Self::Headcounts | Self::Corrections | Self::CounterState
        )
    }

    /// How long records are kept, milliseconds; none for compacted topics.
    #[must_use]
    pub fn retention_ms(self) -> Option<i64> {
        match self {
            Self::Mines | Self::Cameras | Self::Headcounts | Self::Corrections | Self::CounterState => None,
            Self::Frames => Some(10 * MINUTE_MS),
            Self::Detections | Self::Positioning => Some(DAY_MS),
            // An alarm and what was done with it outlive a year's inspection.
            Self::Alarms | Self::Dispositions => Some(400 * DAY_MS),
            Self::Crossings
            | Self::Activity
            | Self::CameraHealth
            | Self::EvidenceRequests
            | Self::Evidence
            | Self::Receipts
            | Self::DeadLetters => Some(30 * DAY_MS),
        }
    }

    /// How many bytes of one partition are kept; none where time alone decides.
    #[must_use]
    pub fn retention_bytes(self) -> Option<i64> {
        match self {
            Self::Frames => Some(1 << 30),
            _ => None,
        }
    }

    /// How it is cut into partitions.
    #[must_use]
    pub fn partitions(self) -> Partitions {
        match self {
            Self::Cameras | Self::Frames | Self::EvidenceRequests | Self::Evidence => Partitions::ByCamera,
            // A few in a year, which every counter reads.
            Self::Corrections | Self::DeadLetters => Partitions::One,
            Self::Mines
            | Self::Detections
            | Self::Crossings
            | Self::Activity
            | Self::CameraHealth
            | Self::Headcounts
            | Self::Alarms
            | Self::Dispositions
            | Self::Positioning
            | Self::CounterState
            | Self::Receipts => Partitions::ByMine,
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    /// Reads a name without prefix.
    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.name() == name)
            .ok_or_else(|| UnknownTopic(name.to_owned()))
    }
}

/// The value of a topic.
pub trait Record: Serialize + DeserializeOwned {
    /// Where it travels.
    const TOPIC: Topic;

    /// Its key on the bus: decides its partition, and what it replaces in a compacted topic.
    fn key(&self) -> String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for topic in Topic::ALL {
            assert_eq!(topic.name().parse(), Ok(topic));
        }
        assert_eq!(
            Topic::CameraHealth.with_prefix("mineseal"),
            "mineseal.camera-health"
        );
        assert_eq!(Topic::Frames.with_prefix(""), "frames");
        let message = "frame".parse::<Topic>().map_err(|error| error.to_string());
        assert!(message.is_err_and(|text| text.contains("\"frame\"") && text.contains("frames")));
    }

    #[test]
    fn a_topic_is_either_compacted_or_kept_for_a_time() {
        for topic in Topic::ALL {
            assert_eq!(topic.compacted(), topic.retention_ms().is_none(), "{topic}");
        }
    }
}
