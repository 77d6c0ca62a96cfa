use std::collections::BTreeMap;
use std::time::Duration;

use mineseal_schemas::{Partitions, Topic};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::{Instant, sleep};

use crate::bus::Bus;
use crate::context::LoggingContext;
use crate::error::BusError;

const WAIT: Duration = Duration::from_secs(10);

/// How the topics are cut and copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicLayout {
    /// Partitions of each topic that is keyed by mine: the most counters that can share the work.
    pub mine_partitions: i32,
    /// Partitions of each topic that is keyed by camera: the most inference pods that can share the work.
    pub camera_partitions: i32,
    /// Copies of each partition.
    pub replication: i32,
}

impl TopicLayout {
    /// Partitions of `topic`.
    #[must_use]
    pub fn partitions(&self, topic: Topic) -> i32 {
        match topic.partitions() {
            Partitions::ByMine => self.mine_partitions,
            Partitions::ByCamera => self.camera_partitions,
            Partitions::One => 1,
        }
    }
}

impl Bus {
    /// Creates the topics that are missing and leaves the others as they are, whatever their number of
    /// partitions: keys would move if it changed. Returns the layout that holds now.
    ///
    /// # Errors
    /// When a topic cannot be created, or when topics that must be cut alike are not.
    pub async fn ensure_topics(&self, wanted: TopicLayout) -> Result<TopicLayout, BusError> {
        let admin: AdminClient<LoggingContext> = self
            .client_config()
            .create_with_context(self.context())
            .map_err(|source| self.settings_error(source))?;
        let names: Vec<String> = Topic::ALL.iter().map(|topic| self.topic_name(*topic)).collect();
        let configurations: Vec<Vec<(&str, String)>> = Topic::ALL
            .iter()
            .map(|topic| configuration(*topic, wanted.replication))
            .collect();
        let topics = Topic::ALL.iter().zip(&names).zip(&configurations);
        let new_topics: Vec<NewTopic<'_>> = topics
            .map(|((topic, name), configuration)| {
                let replication = TopicReplication::Fixed(wanted.replication);
                let fresh = NewTopic::new(name, wanted.partitions(*topic), replication);
                configuration
                    .iter()
                    .fold(fresh, |fresh, (key, value)| fresh.set(key, value))
            })
            .collect();
        let options = AdminOptions::new()
            .operation_timeout(Some(WAIT))
            .request_timeout(Some(WAIT));
        let results = admin
            .create_topics(&new_topics, &options)
            .await
            .map_err(|source| BusError::Kafka {
                action: "create the topics",
                source,
            })?;
        for result in results {
            match result {
                Ok(name) => tracing::info!(topic = name, "created"),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let detail = format!("cannot be created: {code}");
                    return Err(BusError::Topic { topic, detail });
                }
            }
        }
        self.layout_found(wanted).await
    }

    /// Waits until every topic is known with a leader for every partition.
    async fn layout_found(&self, wanted: TopicLayout) -> Result<TopicLayout, BusError> {
        let began = Instant::now();
        loop {
            let found = self.partition_counts().await?;
            if found.len() == Topic::ALL.len() {
                return self.check_layout(wanted, &found);
            }
            if began.elapsed() > WAIT * 3 {
                let missing = Topic::ALL.into_iter().find(|topic| !found.contains_key(topic));
                return Err(BusError::Topic {
                    topic: missing.map(|topic| self.topic_name(topic)).unwrap_or_default(),
                    detail: "was created, but no broker leads it; look at the brokers' log".to_owned(),
                });
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Partitions of each of our topics that is whole: exists, and has a leader everywhere.
    pub(crate) async fn partition_counts(&self) -> Result<BTreeMap<Topic, i32>, BusError> {
        let bus = self.clone();
        let ask = move || {
            let client: BaseConsumer<LoggingContext> =
                bus.client_config().create_with_context(bus.context())?;
            let metadata = client.fetch_metadata(None, WAIT)?;
            bus.context().works();
            let whole = metadata.topics().iter().filter_map(|found| {
                let topic = bus.topic_of(found.name())?;
                let led = found.partitions().iter().all(|partition| partition.leader() >= 0);
                let count = i32::try_from(found.partitions().len()).ok()?;
                (led && count > 0).then_some((topic, count))
            });
            Ok(whole.collect())
        };
        let answer = tokio::task::spawn_blocking(ask)
            .await
            .map_err(|_| BusError::Thread("metadata"))?;
        answer.map_err(|source| BusError::Kafka {
            action: "ask for the topics",
            source,
        })
    }

    fn check_layout(
        &self,
        wanted: TopicLayout,
        found: &BTreeMap<Topic, i32>,
    ) -> Result<TopicLayout, BusError> {
        let holds = TopicLayout {
            mine_partitions: found
                .get(&Topic::Detections)
                .copied()
                .unwrap_or(wanted.mine_partitions),
            camera_partitions: found
                .get(&Topic::Frames)
                .copied()
                .unwrap_or(wanted.camera_partitions),
            replication: wanted.replication,
        };
        for (topic, count) in found {
            let alike = holds.partitions(*topic);
            if *count != alike {
                return Err(BusError::Topic {
                    topic: self.topic_name(*topic),
                    detail: format!(
                        "has {count} partitions where {alike} are needed: topics with the same key must be cut \
                         alike; delete it, or copy its records into a new topic with {alike} partitions"
                    ),
                });
            }
        }
        if (holds.mine_partitions, holds.camera_partitions)
            != (wanted.mine_partitions, wanted.camera_partitions)
        {
            tracing::warn!(
                ?wanted,
                ?holds,
                "the topics exist with other partition counts, which stay"
            );
        }
        Ok(holds)
    }
}

/// The topic's own settings.
fn configuration(topic: Topic, replication: i32) -> Vec<(&'static str, String)> {
    let mut configuration = vec![
        ("compression.type", "producer".to_owned()),
        (
            "max.message.bytes",
            crate::publisher::MAX_MESSAGE_BYTES.to_string(),
        ),
        (
            "min.insync.replicas",
            if replication >= 3 { "2" } else { "1" }.to_owned(),
        ),
    ];
    match topic.retention_ms() {
        None => configuration.extend([
            ("cleanup.policy", "compact".to_owned()),
            // The segment that is written to is never compacted, so it must not grow old.
            ("segment.ms", "3600000".to_owned()),
            ("segment.bytes", (64 << 20).to_string()),
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
        ]),
        Some(retention) => {
            configuration.push(("cleanup.policy", "delete".to_owned()));
            configuration.push(("retention.ms", retention.to_string()));
        }
    }
    if let Some(bytes) = topic.retention_bytes() {
        // Whole segments are deleted: many small ones, so that the limit is kept closely.
        configuration.extend([
            ("retention.bytes", bytes.to_string()),
            ("segment.bytes", (bytes / 16).to_string()),
            ("segment.ms", "60000".to_owned()),
        ]);
    }
    configuration
}
