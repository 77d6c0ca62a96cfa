use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mineseal_schemas::Topic;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, Statistics, TopicPartitionList};
use tokio::sync::watch;

use crate::bus::Bus;
use crate::context::LoggingContext;
use crate::error::BusError;
use crate::lifeline::{Reporting, keep_brokers};

const POLL: Duration = Duration::from_millis(200);

/// A share in a topic's partitions, among the members of a group; nothing is read through it.
///
/// The records come from a [`crate::Table`], whose entries name their partitions. Two members may believe for a
/// moment that the same partition is theirs: what follows from it must bear that.
pub struct Membership {
    partitions: watch::Receiver<Arc<BTreeSet<i32>>>,
    stop: Arc<AtomicBool>,
}

impl Membership {
    /// Our partitions now; empty until the group has answered for the first time.
    #[must_use]
    pub fn partitions(&self) -> Arc<BTreeSet<i32>> {
        Arc::clone(&self.partitions.borrow())
    }

    /// Waits for the next change, and returns what holds then. None when the reading thread has ended.
    pub async fn changed(&mut self) -> Option<Arc<BTreeSet<i32>>> {
        self.partitions.changed().await.ok()?;
        Some(Arc::clone(&self.partitions.borrow_and_update()))
    }
}

impl Bus {
    /// Joins `group` (without prefix) for a share of `topic`. Dropping the result leaves it.
    ///
    /// # Errors
    /// When the client library refuses the settings.
    pub fn join(&self, topic: Topic, group: &str) -> Result<Membership, BusError> {
        let (sender, partitions) = watch::channel(Arc::default());
        let mut config = self.client_config();
        config
            .set("group.id", self.group_name(group))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500");
        let context = Shares {
            logging: self.context(),
            sender,
        };
        let failed = |source| self.settings_error(source);
        let consumer: BaseConsumer<Shares> = config.create_with_context(context).map_err(failed)?;
        keep_brokers(consumer.client());
        consumer.subscribe(&[&self.topic_name(topic)]).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new()
            .name(format!("join-{topic}"))
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    // A partition that is ours is read from its end on; what comes is in the table already.
                    if let Some(Err(error)) = consumer.poll(POLL) {
                        tracing::debug!(%topic, %error, "while a member");
                    }
                }
            })
            .map_err(|_| BusError::Thread("membership"))?;
        Ok(Membership { partitions, stop })
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Membership")
            .field("partitions", &self.partitions())
            .finish_non_exhaustive()
    }
}

struct Shares {
    logging: LoggingContext,
    sender: watch::Sender<Arc<BTreeSet<i32>>>,
}

impl ClientContext for Shares {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logging.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.logging.stats(statistics);
    }
}

impl Reporting for Shares {
    fn logging(&self) -> &LoggingContext {
        &self.logging
    }
}

impl ConsumerContext for Shares {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        change: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let changed: BTreeSet<i32> = list
            .elements()
            .iter()
            .map(|element| element.partition())
            .collect();
        let mut ours = BTreeSet::clone(&self.sender.borrow());
        let answer = if change == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            ours.extend(changed);
            list.set_all_offsets(Offset::End)
                .and_then(|()| consumer.incremental_assign(list))
        } else {
            ours.retain(|partition| !changed.contains(partition));
            consumer.incremental_unassign(list)
        };
        if let Err(error) = answer {
            tracing::warn!(%error, "the group's change could not be carried out");
        }
        tracing::info!(partitions = ?ours, "the share changed");
        self.sender.send_replace(Arc::new(ours));
    }
}
