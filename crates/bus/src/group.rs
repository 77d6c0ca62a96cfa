//! A group's member whose partitions come and go between two polls, not inside a callback: what the client library
//! reports is queued, and the thread that polls answers it when it is ready to.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};

use crate::context::LoggingContext;
use crate::lifeline::Reporting;

/// Partitions come or go. The group waits until that is answered.
#[derive(Debug)]
pub enum Change {
    /// To be answered with [`take`], with offsets to begin at or without.
    Assigned(TopicPartitionList),
    /// To be answered with [`give_up`].
    Revoked {
        /// Which.
        partitions: TopicPartitionList,
        /// They belong to others already: nothing can be committed any more.
        lost: bool,
    },
}

/// For the consumer of such a member.
#[derive(Debug)]
pub struct GroupContext {
    logging: LoggingContext,
    changes: Sender<Change>,
    closing: AtomicBool,
    commit_failed: AtomicBool,
}

impl GroupContext {
    /// The context, and where its changes arrive.
    #[must_use]
    pub fn new(logging: LoggingContext) -> (Self, Receiver<Change>) {
        let (changes, receiver) = unbounded();
        let closing = AtomicBool::new(false);
        (
            Self {
                logging,
                changes,
                closing,
                commit_failed: AtomicBool::new(false),
            },
            receiver,
        )
    }

    /// From now on partitions are given up at once. To be called before the consumer is dropped: that waits until
    /// its partitions are given up, and nobody looks at the queue any more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether a commit has failed since the last call.
    pub fn commit_has_failed(&self) -> bool {
        self.commit_failed.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn commit_failed(&self) -> &AtomicBool {
        &self.commit_failed
    }
}

impl ClientContext for GroupContext {
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

impl Reporting for GroupContext {
    fn logging(&self) -> &LoggingContext {
        &self.logging
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        change: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = change == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let answer = match assigned {
                true => Ok(()),
                false => give_up(consumer, partitions),
            };
            if let Err(error) = answer {
                tracing::warn!(%error, "cannot give partitions up while leaving the group");
            }
            return;
        }
        let partitions = partitions.clone();
        let change = match assigned {
            true => Change::Assigned(partitions),
            false => Change::Revoked {
                partitions,
                lost: consumer.assignment_lost(),
            },
        };
        // The receiver lives as long as the consumer.
        self.changes.send(change).ok();
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(%error, "offsets were not committed, trying again");
            self.commit_failed.store(true, Ordering::Relaxed);
        }
    }
}

/// Answers [`Change::Assigned`]: reads from these partitions too.
///
/// # Errors
/// When the client library refuses; the member should then leave the group and join it anew.
pub fn take(consumer: &BaseConsumer<GroupContext>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        _ => consumer.assign(partitions),
    }
}

/// Answers [`Change::Revoked`].
///
/// # Errors
/// As for [`take`].
pub fn give_up(consumer: &BaseConsumer<GroupContext>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        _ => consumer.unassign(),
    }
}
