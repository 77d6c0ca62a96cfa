use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mineseal_schemas::{Record, decode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use crate::bus::Bus;
use crate::context::LoggingContext;
use crate::error::BusError;
use crate::lifeline::keep_brokers;

/// How long the reading thread waits for records before it looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(200);

/// One key of a compacted topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<R> {
    /// The newest record.
    pub value: R,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When it was written, milliseconds since 1970.
    pub timestamp_millis: i64,
}

/// Everything that the topic holds, by key.
pub type Snapshot<R> = Arc<BTreeMap<String, Arc<Entry<R>>>>;

/// A compacted topic in memory: read from its beginning, then followed.
///
/// It needs no group: every process that asks has all of it.
#[derive(Debug)]
pub struct Table<R> {
    snapshots: watch::Receiver<Snapshot<R>>,
    stop: Arc<Stop>,
}

/// The reading thread ends when the last table that holds this goes.
#[derive(Debug, Default)]
struct Stop;

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        Self {
            snapshots: self.snapshots.clone(),
            stop: Arc::clone(&self.stop),
        }
    }
}

impl<R> Table<R> {
    /// What the topic holds now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<R> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// The entry under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<Entry<R>>> {
        self.snapshots.borrow().get(key).cloned()
    }

    /// Waits for the next change after the last one that this handle has waited for, and returns what holds then.
    /// None when the reading has ended, which only happens when the process ends.
    pub async fn changed(&mut self) -> Option<Snapshot<R>> {
        self.snapshots.changed().await.ok()?;
        Some(Arc::clone(&self.snapshots.borrow_and_update()))
    }

    /// For those who want to watch in their own way.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Snapshot<R>> {
        self.snapshots.clone()
    }
}

impl Bus {
    /// Reads the compacted topic of `R` to its present end and then follows it. Waits for as long as the brokers,
    /// or the topic, are away.
    ///
    /// A record that cannot be read is left out, with an error in the log: it stays in the topic, and what its
    /// key held before keeps holding.
    ///
    /// # Errors
    /// When the client library refuses the settings.
    pub async fn table<R: Record + Send + Sync + 'static>(&self) -> Result<Table<R>, BusError> {
        let mut config = self.client_config();
        config
            // Needed to assign; no group is joined and nothing is committed.
            .set("group.id", self.group_name("table"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("queued.max.messages.kbytes", "8192")
            .set("fetch.wait.max.ms", "100");
        let consumer: BaseConsumer<LoggingContext> = config
            .create_with_context(self.context())
            .map_err(|source| self.settings_error(source))?;
        keep_brokers(consumer.client());
        let (sender, mut snapshots) = watch::channel(Snapshot::default());
        let stop = Arc::new(Stop);
        let reader = Reader::<R> {
            bus: self.clone(),
            consumer,
            sender,
            entries: BTreeMap::new(),
            unread: BTreeSet::new(),
            stop: Arc::downgrade(&stop),
        };
        std::thread::Builder::new()
            .name(format!("table-{}", R::TOPIC))
            .spawn(move || reader.run())
            .map_err(|_| BusError::Thread("table"))?;
        // The first snapshot is sent when the end was reached.
        snapshots.changed().await.map_err(|_| BusError::Thread("table"))?;
        Ok(Table { snapshots, stop })
    }
}

struct Reader<R> {
    bus: Bus,
    consumer: BaseConsumer<LoggingContext>,
    sender: watch::Sender<Snapshot<R>>,
    entries: BTreeMap<String, Arc<Entry<R>>>,
    /// Partitions whose end was not reached yet.
    unread: BTreeSet<i32>,
    stop: std::sync::Weak<Stop>,
}

impl<R: Record> Reader<R> {
    fn run(mut self) {
        let topic = self.bus.topic_name(R::TOPIC);
        let partitions = loop {
            if self.stop.strong_count() == 0 {
                return;
            }
            match self.partitions(&topic) {
                Ok(partitions) if !partitions.is_empty() => break partitions,
                Ok(_) => tracing::warn!(topic, "the topic does not exist yet, waiting for it"),
                Err(error) => {
                    tracing::warn!(topic, brokers = self.bus.settings().brokers, %error, "cannot read, waiting");
                }
            }
            // Serves the client's events while it waits.
            self.consumer.poll(Duration::from_secs(1));
        };
        let mut assignment = TopicPartitionList::new();
        for partition in &partitions {
            if let Err(error) = assignment.add_partition_offset(&topic, *partition, Offset::Beginning) {
                tracing::error!(topic, partition, %error, "cannot be read");
            }
        }
        if let Err(error) = self.consumer.assign(&assignment) {
            tracing::error!(topic, %error, "cannot be read");
            return;
        }
        self.unread = partitions;
        self.follow();
    }

    fn partitions(&self, topic: &str) -> Result<BTreeSet<i32>, KafkaError> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), Duration::from_secs(5))?;
        let found = metadata.topics().iter().filter(|found| found.name() == topic);
        Ok(found
            .flat_map(|found| found.partitions())
            .map(|partition| partition.id())
            .collect())
    }

    fn follow(mut self) {
        let mut restored = false;
        let mut changed = false;
        while self.stop.strong_count() > 0 {
            // One snapshot for all that is there at once: copying the map for each record would be slow.
            let wait = if changed { Duration::ZERO } else { POLL };
            let polled = self.consumer.poll(wait);
            let nothing_more = polled.is_none();
            match polled {
                Some(Ok(message)) => changed |= Self::apply(&self.bus, &mut self.entries, &message),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.unread.remove(&partition);
                }
                Some(Err(error)) => tracing::debug!(topic = %R::TOPIC, %error, "while following"),
                None => {}
            }
            let due = if restored {
                changed && nothing_more
            } else {
                self.unread.is_empty()
            };
            if due {
                (restored, changed) = (true, false);
                self.sender.send_replace(Arc::new(self.entries.clone()));
            }
        }
    }

    /// True when it changed something.
    fn apply(
        bus: &Bus,
        entries: &mut BTreeMap<String, Arc<Entry<R>>>,
        message: &BorrowedMessage<'_>,
    ) -> bool {
        bus.context().works();
        bus.statistics().count_received(R::TOPIC);
        let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
        let Some(payload) = message.payload() else {
            return entries.remove(&key).is_some();
        };
        match decode(payload) {
            Ok(value) => {
                let entry = Entry {
                    value,
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp_millis: message.timestamp().to_millis().unwrap_or_default(),
                };
                entries.insert(key, Arc::new(entry));
                true
            }
            Err(error) => {
                let (partition, offset) = (message.partition(), message.offset());
                tracing::error!(topic = %R::TOPIC, key, partition, offset, %error, "left out");
                false
            }
        }
    }
}
