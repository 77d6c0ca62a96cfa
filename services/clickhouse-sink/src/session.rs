//! One membership in the group: reads, cuts batches, commits, and answers the group.

mod flow;
mod offsets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use mineseal_bus::Bus;
use mineseal_bus::group::{Change, GroupContext, give_up, take};
use mineseal_schemas::Topic;
use mineseal_telemetry::Health;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use tokio::sync::mpsc;

use self::flow::Flow;
use crate::flight::{Flight, Stage};
use crate::partition::Partition;
use crate::range::Place;
use crate::sender::{HEALTH, Job, Stored};
use crate::settings::SinkSettings;
use crate::tables::TOPICS;

/// Longest wait for a record.
const IDLE: Duration = Duration::from_millis(100);
/// Longest wait for a record while an answer of the store is due.
const WHILE_STORING: Duration = Duration::from_millis(10);
/// Pause before the group is asked again for committed offsets.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Why a session ended.
pub(crate) enum End {
    /// Somebody asked for it.
    Stopped,
    /// A new session may do better.
    Again(KafkaError),
}

/// The way to the store and back.
pub(crate) struct Outlets {
    pub(crate) jobs: mpsc::UnboundedSender<Job>,
    pub(crate) stored: Receiver<Stored>,
}

pub(crate) struct Session<'sink> {
    settings: &'sink SinkSettings,
    bus: &'sink Bus,
    health: &'sink Health,
    outlets: &'sink Outlets,
    stop: &'sink AtomicBool,
    consumer: BaseConsumer<GroupContext>,
    changes: Receiver<Change>,
    /// Changes that were not answered yet, in their order.
    unanswered: VecDeque<Change>,
    ask_not_before: Option<Instant>,
    topics: BTreeMap<String, Topic>,
    partitions: BTreeMap<Place, Partition>,
    flight: Option<Flight>,
    next_flight: u64,
    /// When the oldest record that waits for a flight was read.
    oldest: Option<Instant>,
    flow: Flow,
}

impl<'sink> Session<'sink> {
    pub(crate) fn open(
        settings: &'sink SinkSettings,
        bus: &'sink Bus,
        health: &'sink Health,
        outlets: &'sink Outlets,
        stop: &'sink AtomicBool,
        next_flight: u64,
    ) -> Result<Self, KafkaError> {
        let (context, changes) = GroupContext::new(bus.context());
        let consumer: BaseConsumer<GroupContext> =
            offsets::consumer_config(settings, bus).create_with_context(context)?;
        mineseal_bus::keep_brokers(consumer.client());
        let topics: BTreeMap<String, Topic> = TOPICS
            .iter()
            .map(|topic| (bus.topic_name(*topic), *topic))
            .collect();
        let names: Vec<&str> = topics.keys().map(String::as_str).collect();
        consumer.subscribe(&names)?;
        Ok(Self {
            settings,
            bus,
            health,
            outlets,
            stop,
            consumer,
            changes,
            unanswered: VecDeque::new(),
            ask_not_before: None,
            topics,
            partitions: BTreeMap::new(),
            flight: None,
            next_flight,
            oldest: None,
            flow: Flow::Reading,
        })
    }

    /// The number of the flight that would come next.
    pub(crate) fn next_flight(&self) -> u64 {
        self.next_flight
    }

    pub(crate) fn run(&mut self) -> End {
        match self.work() {
            Ok(()) => End::Stopped,
            Err(error) => End::Again(error),
        }
    }

    /// Leaves the group. What was not settled is found by the next owner.
    pub(crate) fn close(mut self) {
        self.flight = None;
        self.consumer.context().close();
        self.unanswered.extend(self.changes.try_iter());
        for change in self.unanswered.drain(..) {
            if let Change::Revoked { partitions, .. } = change
                && let Err(error) = give_up(&self.consumer, &partitions)
            {
                tracing::debug!(%error, "while leaving the group");
            }
        }
    }

    fn work(&mut self) -> Result<(), KafkaError> {
        while !self.stop.load(Ordering::Relaxed) {
            self.health.beat(HEALTH);
            self.read_one()?;
            self.note_answers();
            self.advance(true);
            self.relieve()?;
            self.answer_group()?;
        }
        // What is on its way, and then what was read.
        let deadline = Instant::now() + self.settings.release_grace;
        self.finish(deadline);
        self.oldest = self
            .oldest
            .and(Instant::now().checked_sub(self.settings.batch_interval));
        self.advance(true);
        self.finish(deadline);
        Ok(())
    }

    /// Brings the flight to its end, or to `deadline`.
    fn finish(&mut self, deadline: Instant) {
        while self.flight.is_some() && Instant::now() < deadline {
            if let Ok(stored) = self.outlets.stored.recv_timeout(WHILE_STORING) {
                self.note(stored);
            }
            self.advance(false);
        }
    }

    fn read_one(&mut self) -> Result<(), KafkaError> {
        if matches!(self.flow, Flow::Full { .. }) {
            if let Ok(stored) = self.outlets.stored.recv_timeout(WHILE_STORING) {
                self.note(stored);
            }
            return Ok(());
        }
        let storing = self
            .flight
            .as_ref()
            .is_some_and(|flight| flight.stage() == Stage::Storing);
        let longest = if storing { WHILE_STORING } else { IDLE };
        let left = self.oldest.map_or(longest, |since| {
            self.settings.batch_interval.saturating_sub(since.elapsed())
        });
        // A batch that is due waits for the flight before it: then there is no hurry.
        let wait = if self.flight.is_some() {
            longest
        } else {
            left.min(longest)
        };
        let message = match self.consumer.poll(wait) {
            None => return Ok(()),
            Some(Ok(message)) => message,
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => {
                tracing::debug!(%error, "while reading");
                return Ok(());
            }
        };
        let Some(topic) = self.topics.get(message.topic()).copied() else {
            return Ok(());
        };
        let Some(partition) = self.partitions.get_mut(&(topic, message.partition())) else {
            return Ok(());
        };
        let statistics = self.bus.statistics();
        self.bus.context().works();
        statistics.count_received(topic);
        let was_reading_again = partition.reads_again();
        partition.read(&message, &self.bus.settings().client_id);
        let joins_the_others = was_reading_again && !partition.reads_again();
        if partition.is_ready() {
            self.oldest.get_or_insert_with(Instant::now);
        }
        let place = (topic, message.partition());
        drop(message);
        if joins_the_others && self.flow == Flow::Paused {
            self.consumer.pause(&self.list([place]))?;
        }
        Ok(())
    }

    fn note_answers(&mut self) {
        while let Ok(stored) = self.outlets.stored.try_recv() {
            self.note(stored);
        }
    }

    fn note(&mut self, stored: Stored) {
        if let Some(flight) = &mut self.flight
            && flight.number == stored.flight
        {
            flight.stored(stored.place);
        }
    }

    /// Does what can be done without waiting for the store: starts a flight if `start`, commits.
    fn advance(&mut self, start: bool) {
        if self.flight.is_none() && start && self.is_due() {
            self.start_flight();
        }
        let Some(flight) = &mut self.flight else { return };
        if !flight.may_commit() || flight.stage() == Stage::Storing {
            return;
        }
        let announcing = flight.stage() == Stage::Announcing;
        let committed = match announcing {
            true => offsets::announce(&self.consumer, self.bus, flight),
            false => offsets::settle(&self.consumer, self.bus, flight),
        };
        self.bus.statistics().count_commit(committed.is_ok());
        match committed {
            Err(error) => {
                tracing::warn!(%error, announcing, "offsets were not committed, trying again");
                flight.commit_failed();
            }
            Ok(()) if announcing => {
                flight.announced();
                for (place, batch) in flight.batches() {
                    let token = batch.range.token(&self.bus.topic_name(place.0), place.1);
                    let (flight, batch) = (flight.number, Arc::clone(batch));
                    // The other end lives as long as this thread.
                    self.outlets
                        .jobs
                        .send(Job {
                            flight,
                            place: *place,
                            batch,
                            token,
                        })
                        .ok();
                }
            }
            Ok(()) => self.flight = None,
        }
    }

    fn is_due(&self) -> bool {
        self.oldest
            .is_some_and(|since| since.elapsed() >= self.settings.batch_interval)
            || self.weight() >= self.settings.batch_rows
    }

    fn start_flight(&mut self) {
        let taken = self.partitions.iter_mut().filter_map(|(place, partition)| {
            let batch = partition.take()?;
            Some((*place, Arc::new(batch)))
        });
        let batches: BTreeMap<Place, Arc<_>> = taken.collect();
        let waits = self.partitions.values().any(Partition::is_ready);
        self.oldest = waits.then(Instant::now);
        if !batches.is_empty() {
            self.flight = Some(Flight::new(self.next_flight, batches));
            self.next_flight += 1;
        }
    }

    fn answer_group(&mut self) -> Result<(), KafkaError> {
        self.unanswered.extend(self.changes.try_iter());
        if self.ask_not_before.is_some_and(|moment| Instant::now() < moment) {
            return Ok(());
        }
        while let Some(change) = self.unanswered.pop_front() {
            self.ask_not_before = None;
            match change {
                Change::Assigned(list) => match offsets::committed(&self.consumer, self.bus, &list) {
                    Ok(found) => self.adopt(found)?,
                    Err(error) => {
                        tracing::warn!(%error, "the group does not say where to begin, asking again");
                        self.unanswered.push_front(Change::Assigned(list));
                        self.ask_not_before = Some(Instant::now() + ASK_AGAIN);
                        return Ok(());
                    }
                },
                Change::Revoked { partitions, lost } => {
                    self.let_go(&self.places(&partitions), lost);
                    give_up(&self.consumer, &partitions)?;
                }
            }
            self.bus.statistics().count_rebalance();
            tracing::info!(partitions = self.partitions.len(), "partitions changed");
        }
        Ok(())
    }

    /// Begins to read partitions that came to us.
    fn adopt(&mut self, found: offsets::Committed) -> Result<(), KafkaError> {
        let offsets::Committed { positions, ranges } = found;
        let places = self.places(&positions);
        for place in &places {
            let range = ranges.get(place).copied();
            if let Some(range) = range {
                let (topic, partition) = *place;
                tracing::info!(%topic, partition, ?range, "was on its way, is sent once more under its token");
            }
            self.partitions.insert(*place, Partition::new(place.0, range));
        }
        take(&self.consumer, &positions)?;
        if self.flow == Flow::Paused {
            let free = places.iter().filter(|place| !ranges.contains_key(place)).copied();
            self.consumer.pause(&self.list(free))?;
        }
        Ok(())
    }

    /// Partitions go: what is on its way is waited for, the rest is left to the next owner.
    fn let_go(&mut self, places: &BTreeSet<Place>, lost: bool) {
        if !lost {
            let deadline = Instant::now() + self.settings.release_grace;
            while self.flight.as_ref().is_some_and(|flight| flight.touches(places))
                && Instant::now() < deadline
            {
                if let Ok(stored) = self.outlets.stored.recv_timeout(WHILE_STORING) {
                    self.note(stored);
                }
                self.advance(false);
            }
        }
        if let Some(flight) = &mut self.flight {
            flight.give_up(places);
            if flight.batches().is_empty() {
                self.flight = None;
            }
        }
        self.partitions.retain(|place, _| !places.contains(place));
        if !self.partitions.values().any(Partition::is_ready) {
            self.oldest = None;
        }
    }

    fn places(&self, list: &TopicPartitionList) -> BTreeSet<Place> {
        let elements = list.elements();
        let places = elements.iter().filter_map(|element| {
            let topic = self.topics.get(element.topic())?;
            Some((*topic, element.partition()))
        });
        places.collect()
    }

    fn list(&self, places: impl IntoIterator<Item = Place>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in places {
            list.add_partition(&self.bus.topic_name(topic), partition);
        }
        list
    }
}
