//! Where reading begins, and the states that belong to it.
//!
//! Both must be of the same moment. An earlier owner of a partition may have left a transaction that is being
//! committed just now, and the two come from different topics. So: first the offsets, which Kafka withholds while a
//! transaction that carries them is open; then the end of `counter-state`, open transactions included; then the
//! states, once no open transaction lies before that end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mineseal_bus::group::GroupContext;
use mineseal_bus::{Bus, LoggingContext, keep_brokers};
use mineseal_schemas::{CounterState, Topic, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::CounterError;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// Time between two log lines about the same waiting.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// Why there is no restored partition.
pub(crate) enum NotRestored {
    /// Somebody asked the counter to end.
    Stopped,
    /// It cannot go on at all.
    Over(CounterError),
    /// The client library refused something; a new session may succeed.
    Client(KafkaError),
}

impl From<KafkaError> for NotRestored {
    fn from(error: KafkaError) -> Self {
        Self::Client(error)
    }
}

/// One partition at one moment.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// The next offset of `detections`; none where nothing was ever committed.
    pub(crate) next_offset: Option<i64>,
    /// The newest state of each mine, by its key, with its own offset on `counter-state`.
    pub(crate) states: BTreeMap<String, (i64, CounterState)>,
}

/// Reads the changelog. Lives as long as a session.
pub(crate) struct Restorer {
    bus: Bus,
    detections: String,
    changelog: String,
    committed: BaseConsumer<LoggingContext>,
    uncommitted: BaseConsumer<LoggingContext>,
}

impl Restorer {
    pub(crate) fn new(bus: &Bus) -> Result<Self, KafkaError> {
        let mut config = bus.client_config();
        config
            // Needed to assign; no group is joined and nothing is committed.
            .set("group.id", bus.group_name("counter-restore"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50")
            .set("isolation.level", "read_committed");
        let committed: BaseConsumer<LoggingContext> = config.create_with_context(bus.context())?;
        let uncommitted: BaseConsumer<LoggingContext> = config
            .set("isolation.level", "read_uncommitted")
            .create_with_context(bus.context())?;
        keep_brokers(committed.client());
        keep_brokers(uncommitted.client());
        Ok(Self {
            bus: bus.clone(),
            detections: bus.topic_name(Topic::Detections),
            changelog: bus.topic_name(Topic::CounterState),
            committed,
            uncommitted,
        })
    }

    /// Serves what the idle clients report, so that it does not pile up.
    pub(crate) fn serve(&self) {
        for client in [&self.committed, &self.uncommitted] {
            if let Some(Err(error)) = client.poll(Duration::ZERO) {
                tracing::debug!(%error, "between two restorations");
            }
        }
    }

    /// Restores `partitions`. Waits for brokers and for open transactions as long as it takes.
    pub(crate) fn restore(
        &self,
        member: &BaseConsumer<GroupContext>,
        partitions: &BTreeSet<i32>,
        stopped: impl Fn() -> bool,
    ) -> Result<BTreeMap<i32, Restored>, NotRestored> {
        let began = Instant::now();
        let mut restored = self.offsets(member, partitions, &stopped)?;
        let mut to_read = BTreeSet::new();
        for partition in partitions {
            if self.wait_until_stable(*partition, &stopped)? > 0 {
                to_read.insert(*partition);
            }
        }
        self.read(to_read, &mut restored, &stopped)?;
        let mines: usize = restored.values().map(|restored| restored.states.len()).sum();
        tracing::info!(?partitions, mines, took = ?began.elapsed(), "states restored");
        Ok(restored)
    }

    fn offsets(
        &self,
        member: &BaseConsumer<GroupContext>,
        partitions: &BTreeSet<i32>,
        stopped: &impl Fn() -> bool,
    ) -> Result<BTreeMap<i32, Restored>, NotRestored> {
        let mut waiting = Waiting::default();
        loop {
            let mut list = TopicPartitionList::new();
            for partition in partitions {
                list.add_partition(&self.detections, *partition);
            }
            let answer = member.committed_offsets(list, ANSWER_TIMEOUT).and_then(|answer| {
                let elements = answer.elements();
                let offsets = elements.iter().map(|element| {
                    element.error()?;
                    let next_offset = match element.offset() {
                        Offset::Offset(offset) => Some(offset),
                        _ => None,
                    };
                    Ok((
                        element.partition(),
                        Restored {
                            next_offset,
                            states: BTreeMap::new(),
                        },
                    ))
                });
                offsets.collect()
            });
            match answer {
                Ok(offsets) => return Ok(offsets),
                Err(error) => waiting.pause(self, stopped, || {
                    tracing::warn!(%error, "the committed offsets cannot be read yet, waiting");
                })?,
            }
        }
    }

    /// Waits until no open transaction lies before the present end of a partition of the changelog. Returns that
    /// end.
    fn wait_until_stable(&self, partition: i32, stopped: &impl Fn() -> bool) -> Result<i64, NotRestored> {
        let mut waiting = Waiting::default();
        let mut end = None;
        loop {
            let ask = |consumer: &BaseConsumer<LoggingContext>| {
                consumer.fetch_watermarks(&self.changelog, partition, ANSWER_TIMEOUT)
            };
            let looked = match end {
                None => ask(&self.uncommitted)
                    .inspect(|(_, high)| end = Some(*high))
                    .map(|_| ()),
                Some(_) => Ok(()),
            };
            // For a reader of committed records the end is where the first open transaction begins.
            let answer = looked
                .and_then(|()| ask(&self.committed))
                .map(|(_, stable)| (stable, end));
            match answer {
                Ok((stable, Some(end))) if stable >= end => return Ok(end),
                Ok((stable, _)) => waiting.pause(self, stopped, || {
                    tracing::warn!(
                        partition,
                        stable,
                        ?end,
                        "an earlier counter left a transaction open; waiting until the brokers have ended it"
                    );
                })?,
                Err(error) => waiting.pause(self, stopped, || {
                    tracing::warn!(%error, topic = self.changelog, "cannot be read yet, waiting");
                })?,
            }
        }
    }

    fn read(
        &self,
        mut unread: BTreeSet<i32>,
        restored: &mut BTreeMap<i32, Restored>,
        stopped: &impl Fn() -> bool,
    ) -> Result<(), NotRestored> {
        if unread.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for partition in &unread {
            list.add_partition_offset(&self.changelog, *partition, Offset::Beginning)?;
        }
        self.committed.assign(&list)?;
        while !unread.is_empty() {
            if stopped() {
                return Err(NotRestored::Stopped);
            }
            match self.committed.poll(Duration::from_millis(200)) {
                None => {}
                Some(Ok(message)) => {
                    if let Some(partition) = restored.get_mut(&message.partition()) {
                        self.take(partition, &message)?;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    unread.remove(&partition);
                }
                Some(Err(error)) => tracing::debug!(%error, "while restoring"),
            }
        }
        self.committed.unassign()?;
        Ok(())
    }

    fn take(&self, restored: &mut Restored, message: &BorrowedMessage<'_>) -> Result<(), NotRestored> {
        self.bus.statistics().count_received(Topic::CounterState);
        let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
        let Some(payload) = message.payload() else {
            restored.states.remove(&key);
            return Ok(());
        };
        match decode::<CounterState>(payload) {
            Ok(state) => {
                restored.states.insert(key, (message.offset(), state));
                Ok(())
            }
            Err(error) => Err(NotRestored::Over(CounterError::Changelog {
                topic: self.changelog.clone(),
                partition: message.partition(),
                offset: message.offset(),
                reason: error.to_string(),
            })),
        }
    }
}

/// Waiting with a word about it now and then.
#[derive(Default)]
struct Waiting {
    warned: Option<Instant>,
    attempts: u32,
}

impl Waiting {
    fn pause(
        &mut self,
        restorer: &Restorer,
        stopped: &impl Fn() -> bool,
        warn: impl FnOnce(),
    ) -> Result<(), NotRestored> {
        self.attempts += 1;
        // A transaction that is being ended just now takes a few milliseconds; that is not worth a word.
        if self.attempts > 5 && self.warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY) {
            warn();
            self.warned = Some(Instant::now());
        }
        if stopped() {
            return Err(NotRestored::Stopped);
        }
        // Nothing is assigned to them, so this only waits, and serves their events.
        restorer.serve();
        restorer.uncommitted.poll(PAUSE);
        Ok(())
    }
}
