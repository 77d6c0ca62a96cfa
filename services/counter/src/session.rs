//! One membership in the group, with its producer, its partitions and their states.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use mineseal_bus::group::{Change, GroupContext, give_up, take};
use mineseal_bus::{Bus, keep_brokers};
use mineseal_schemas::Topic;
use mineseal_telemetry::Metrics;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::counting::{Counting, Trouble};
use crate::error::CounterError;
use crate::restore::{NotRestored, Restorer};
use crate::runner::Registered;
use crate::settings::CounterSettings;
use crate::stepper::Stepper;
use crate::transactions::{Failure, Transactions};

/// Longest time between two looks at whether we shall end.
const IDLE: Duration = Duration::from_millis(100);
const INITIALISE_TIMEOUT: Duration = Duration::from_secs(5);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a session ended.
pub(crate) enum End {
    /// Somebody asked for it.
    Stopped,
    /// A new session may do better.
    Again(KafkaError),
    /// No session would.
    Over(CounterError),
}

impl From<NotRestored> for End {
    fn from(reason: NotRestored) -> Self {
        match reason {
            NotRestored::Stopped => Self::Stopped,
            NotRestored::Over(error) => Self::Over(error),
            NotRestored::Client(error) => Self::Again(error),
        }
    }
}

/// What a session works with.
pub(crate) struct Setting<'counter, S> {
    pub(crate) stepper: &'counter S,
    pub(crate) settings: &'counter CounterSettings,
    pub(crate) bus: &'counter Bus,
    pub(crate) registered: &'counter Registered,
    /// Told of every committed transaction.
    pub(crate) metrics: Option<&'counter Metrics>,
    /// Of the producer, and of the member if it has a lasting one.
    pub(crate) identity: &'counter str,
    pub(crate) stop: &'counter AtomicBool,
}

pub(crate) struct Session<'counter, S: Stepper> {
    setting: &'counter Setting<'counter, S>,
    detections: String,
    consumer: BaseConsumer<GroupContext>,
    changes: Receiver<Change>,
    restorer: Restorer,
    counting: Counting<'counter, S>,
}

impl<'counter, S: Stepper> Session<'counter, S> {
    /// Shuts out an earlier producer of the same identity, and then joins the group.
    pub(crate) fn open(setting: &'counter Setting<'counter, S>) -> Result<Self, End> {
        let Setting {
            stepper,
            bus,
            registered,
            metrics,
            ..
        } = *setting;
        let refused = |error| End::Over(CounterError::Settings(error));
        let transactions = setting.producer()?;
        let restorer = Restorer::new(bus).map_err(refused)?;
        let (context, changes) = GroupContext::new(bus.context());
        let consumer: BaseConsumer<GroupContext> = setting
            .member_config()
            .create_with_context(context)
            .map_err(refused)?;
        keep_brokers(consumer.client());
        let detections = bus.topic_name(Topic::Detections);
        consumer.subscribe(&[&detections]).map_err(End::Again)?;
        let counting = Counting::new(stepper, bus, registered, metrics, transactions);
        Ok(Self {
            setting,
            detections,
            consumer,
            changes,
            restorer,
            counting,
        })
    }

    /// Counts until somebody asks it to end.
    pub(crate) fn run(mut self) -> Result<(), End> {
        let result = self.work();
        // Whatever is still open is undone, by us or by the brokers; the next owner takes it in again.
        if self.counting.open().is_some()
            && let Err(failure) = self.counting.transactions.abort()
        {
            tracing::warn!(%failure, "the last transaction is left to the brokers to end");
        }
        self.consumer.context().close();
        while let Ok(change) = self.changes.try_recv() {
            if let Change::Revoked { partitions, .. } = change
                && let Err(error) = give_up(&self.consumer, &partitions)
            {
                tracing::debug!(%error, "while leaving the group");
            }
        }
        result
    }

    fn work(&mut self) -> Result<(), End> {
        while !self.setting.stop.load(Ordering::Relaxed) {
            let settings = self.setting.settings;
            let wait = self.counting.open().map_or(IDLE, |open| {
                settings
                    .commit_interval
                    .saturating_sub(open.began.elapsed())
                    .min(IDLE)
            });
            match self.consumer.poll(wait) {
                None => self.restorer.serve(),
                Some(Ok(message)) => {
                    let taken = self.counting.take_in(&message);
                    drop(message);
                    taken.or_else(|trouble| self.recover(trouble))?;
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(End::Again(error)),
                Some(Err(error)) => tracing::debug!(%error, "while reading"),
            }
            let due = self.counting.open().is_some_and(|open| {
                open.records >= settings.max_records || open.began.elapsed() >= settings.commit_interval
            });
            if due {
                self.commit()?;
            }
            self.handle_changes()?;
        }
        self.commit()
    }

    fn handle_changes(&mut self) -> Result<(), End> {
        while let Ok(change) = self.changes.try_recv() {
            self.setting.bus.statistics().count_rebalance();
            match change {
                Change::Assigned(list) => {
                    // Restoring may take longer than a transaction may stay open.
                    self.commit()?;
                    let positions = self.restore(&partitions_of(&list))?;
                    take(&self.consumer, &positions).map_err(End::Again)?;
                }
                Change::Revoked { partitions, lost } => {
                    let theirs = partitions_of(&partitions);
                    let mut again = BTreeSet::new();
                    if lost {
                        // Others count these already; nothing of ours can be committed.
                        again = self.undo()?;
                        again.retain(|partition| !theirs.contains(partition));
                    } else {
                        self.commit()?;
                    }
                    self.counting.drop_partitions(&theirs);
                    give_up(&self.consumer, &partitions).map_err(End::Again)?;
                    self.take_in_again(&again)?;
                }
            }
            tracing::info!(partitions = ?self.counting.partitions(), "partitions changed");
        }
        Ok(())
    }

    /// Puts the committed states of `partitions` in the place of what we have, and says where reading begins.
    fn restore(&mut self, partitions: &BTreeSet<i32>) -> Result<TopicPartitionList, End> {
        let stopped = || self.setting.stop.load(Ordering::Relaxed);
        let mut positions = TopicPartitionList::new();
        for (partition, restored) in self.restorer.restore(&self.consumer, partitions, stopped)? {
            let position = restored.next_offset.map_or(Offset::Beginning, Offset::Offset);
            positions
                .add_partition_offset(&self.detections, partition, position)
                .map_err(End::Again)?;
            self.counting.adopt(partition, restored).map_err(End::Over)?;
        }
        Ok(positions)
    }

    fn commit(&mut self) -> Result<(), End> {
        let committed = self.counting.commit(|| self.consumer.group_metadata());
        committed.or_else(|trouble| self.recover(trouble))
    }

    /// The open transaction came to nothing.
    fn recover(&mut self, trouble: Trouble) -> Result<(), End> {
        self.setting.bus.statistics().count_commit(false);
        match trouble {
            Trouble::Over(error) => Err(End::Over(error)),
            Trouble::Transaction(Failure::Abort(error)) => {
                tracing::warn!(%error, "a transaction is aborted and taken in again");
                let touched = self.undo()?;
                self.take_in_again(&touched)
            }
            Trouble::Transaction(failure) => {
                tracing::warn!(%failure, "the producer can do no more; a new one takes the transaction in again");
                let touched = self.counting.forget_open();
                self.counting.transactions = self.setting.producer()?;
                self.take_in_again(&touched)
            }
        }
    }

    /// Undoes the open transaction and says which partitions it had touched.
    fn undo(&mut self) -> Result<BTreeSet<i32>, End> {
        if self.counting.open().is_some()
            && let Err(failure) = self.counting.transactions.abort()
        {
            tracing::warn!(%failure, "a transaction cannot be aborted; there is a new producer");
            self.counting.transactions = self.setting.producer()?;
        }
        Ok(self.counting.forget_open())
    }

    /// Whether the transaction was committed or not is read from the brokers: an answer that got lost says neither.
    fn take_in_again(&mut self, touched: &BTreeSet<i32>) -> Result<(), End> {
        if touched.is_empty() {
            return Ok(());
        }
        let positions = self.restore(touched)?;
        let sought = self
            .consumer
            .seek_partitions(positions, SEEK_TIMEOUT)
            .map_err(End::Again)?;
        sought
            .elements()
            .iter()
            .try_for_each(|element| element.error())
            .map_err(End::Again)
    }
}

impl<S> Setting<'_, S> {
    /// A producer that has shut out every earlier one of the same identity, and ended what those left open.
    fn producer(&self) -> Result<Transactions, End> {
        let transactions = Transactions::new(self.bus, self.settings, self.identity)
            .map_err(|error| End::Over(CounterError::Settings(error)))?;
        loop {
            match transactions.initialise(INITIALISE_TIMEOUT) {
                Ok(()) => return Ok(transactions),
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    tracing::warn!(%error, brokers = self.bus.settings().brokers, "no transactions yet, waiting");
                }
                Err(error) => return Err(End::Again(error)),
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(End::Stopped);
            }
        }
    }

    fn member_config(&self) -> ClientConfig {
        let timeout = self.settings.session_timeout.as_millis();
        let mut config = self.bus.client_config();
        config
            .set("group.id", self.bus.group_name(&self.settings.group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            // Committed offsets too are only shown when no transaction that carries them is open.
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", timeout.to_string())
            .set("heartbeat.interval.ms", (timeout / 5).to_string())
            .set("queued.max.messages.kbytes", "32768")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.error.backoff.ms", "200");
        if self.settings.instance.is_some() {
            config.set("group.instance.id", self.identity);
        }
        config
    }
}

fn partitions_of(list: &TopicPartitionList) -> BTreeSet<i32> {
    list.elements()
        .iter()
        .map(|element| element.partition())
        .collect()
}
