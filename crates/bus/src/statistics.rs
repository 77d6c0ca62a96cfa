use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use mineseal_schemas::Topic;

/// Counters of one process's work on the bus, from its start. Cheap to raise from any thread.
#[derive(Debug, Default)]
pub struct BusStatistics {
    topics: [TopicCounters; Topic::ALL.len()],
    commits: AtomicU64,
    commit_failures: AtomicU64,
    rebalances: AtomicU64,
    redeliveries: AtomicU64,
    clients_without_brokers: AtomicU64,
    unreachable: AtomicBool,
}

#[derive(Debug, Default)]
struct TopicCounters {
    published: AtomicU64,
    publish_failures: AtomicU64,
    received: AtomicU64,
    dead_letters: AtomicU64,
    lag: AtomicI64,
}

/// The counters of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicStatistics {
    /// Which.
    pub topic: Topic,
    /// Records that all replicas have.
    pub published: u64,
    /// Records that were refused for good.
    pub publish_failures: u64,
    /// Records that were read, undecodable ones included.
    pub received: u64,
    /// Records of this topic that went to `dead-letters`.
    pub dead_letters: u64,
    /// Records behind the end, over the partitions that we read; refreshed every few seconds.
    pub lag: i64,
}

/// All counters at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusStatisticsSnapshot {
    /// By topic, in the order of [`Topic::ALL`].
    pub topics: Vec<TopicStatistics>,
    /// Offset commits that succeeded, and transactions.
    pub commits: u64,
    /// Offset commits that failed; what they covered is delivered again.
    pub commit_failures: u64,
    /// Times that partitions came or went.
    pub rebalances: u64,
    /// Batches that were given back unacknowledged, and delivered again.
    pub redeliveries: u64,
    /// Times that a client had lost every broker from its list and was given the configured ones again.
    pub clients_without_brokers: u64,
    /// The last word from the brokers was that none can be reached.
    pub unreachable: bool,
}

impl BusStatistics {
    /// Reads all of them.
    #[must_use]
    pub fn snapshot(&self) -> BusStatisticsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let topics = Topic::ALL.iter().zip(&self.topics);
        BusStatisticsSnapshot {
            topics: topics
                .map(|(topic, counters)| TopicStatistics {
                    topic: *topic,
                    published: read(&counters.published),
                    publish_failures: read(&counters.publish_failures),
                    received: read(&counters.received),
                    dead_letters: read(&counters.dead_letters),
                    lag: counters.lag.load(Ordering::Relaxed),
                })
                .collect(),
            commits: read(&self.commits),
            commit_failures: read(&self.commit_failures),
            rebalances: read(&self.rebalances),
            redeliveries: read(&self.redeliveries),
            clients_without_brokers: read(&self.clients_without_brokers),
            unreachable: self.unreachable.load(Ordering::Relaxed),
        }
    }

    /// Whether a broker can be reached, as far as we know.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        !self.unreachable.load(Ordering::Relaxed)
    }

    /// One more record that all replicas have.
    pub fn count_published(&self, topic: Topic) {
        self.of(topic).published.fetch_add(1, Ordering::Relaxed);
    }

    /// One more record that was refused.
    pub fn count_publish_failure(&self, topic: Topic) {
        self.of(topic).publish_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// One more record that was read.
    pub fn count_received(&self, topic: Topic) {
        self.of(topic).received.fetch_add(1, Ordering::Relaxed);
    }

    /// One more record of `topic` that could not be used.
    pub fn count_dead_letter(&self, topic: Topic) {
        self.of(topic).dead_letters.fetch_add(1, Ordering::Relaxed);
    }

    /// One more commit.
    pub fn count_commit(&self, succeeded: bool) {
        let counter = if succeeded {
            &self.commits
        } else {
            &self.commit_failures
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Partitions came or went.
    pub fn count_rebalance(&self) {
        self.rebalances.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch came back.
    pub fn count_redelivery(&self) {
        self.redeliveries.fetch_add(1, Ordering::Relaxed);
    }

    /// A client was given the configured brokers again.
    pub(crate) fn count_client_without_brokers(&self) {
        self.clients_without_brokers.fetch_add(1, Ordering::Relaxed);
    }

    /// Records behind the end of `topic`.
    pub fn set_lag(&self, topic: Topic, records: i64) {
        self.of(topic).lag.store(records, Ordering::Relaxed);
    }

    /// Notes whether brokers can be reached. True when that is news.
    pub(crate) fn set_unreachable(&self, unreachable: bool) -> bool {
        // A load first: this is called for every record.
        self.unreachable.load(Ordering::Relaxed) != unreachable
            && self.unreachable.swap(unreachable, Ordering::Relaxed) != unreachable
    }

    fn of(&self, topic: Topic) -> &TopicCounters {
        // The order of `Topic::ALL` is the order of declaration; a test holds that.
        &self.topics[topic as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_own_counters() {
        let statistics = BusStatistics::default();
        for (index, topic) in Topic::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                statistics.count_published(topic);
            }
        }
        for (index, topic) in statistics.snapshot().topics.iter().enumerate() {
            assert_eq!(
                (topic.topic, topic.published),
                (Topic::ALL[index], index as u64 + 1)
            );
        }
    }

    #[test]
    fn reachability_is_news_only_once() {
        let statistics = BusStatistics::default();
        assert!(!statistics.set_unreachable(false));
        assert!(statistics.set_unreachable(true));
        assert!(!statistics.set_unreachable(true));
        assert!(!statistics.is_reachable());
        assert!(statistics.set_unreachable(false));
    }
}
