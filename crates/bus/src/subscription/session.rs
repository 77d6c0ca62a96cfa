use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::ledger::{Ledger, Place, Span};
use super::worker::{Event, Worker, put_aside};
use super::{Batch, Ticket};
use crate::group::{Change, GroupContext, give_up, take};
use crate::lifeline::keep_brokers;
use crate::received::Received;

/// Least time between two commits while batches follow each other.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
/// How long a batch that was given back rests before it is delivered again.
const REDELIVERY_PAUSE: Duration = Duration::from_millis(500);
/// How long the worker waits for an acknowledgement before it stops the flow of records, to serve the group.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest sleep. The wake-up call of the client library is missed when two events come at once.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a last commit is tried again while the group changes or its coordinator moves.
const SETTLING: Duration = Duration::from_secs(10);
/// Pause between two such tries.
const SETTLING_PAUSE: Duration = Duration::from_millis(50);

/// Why a session ended.
pub(super) enum End {
    /// The subscription is over.
    Over,
    /// The consumer can do no more; a new one begins at the committed offsets.
    Rebuild,
}

/// The life of one consumer.
pub(super) struct Session<'worker, V> {
    worker: &'worker Worker<V>,
    consumer: BaseConsumer<GroupContext>,
    changes: Receiver<Change>,
    wakes: Receiver<()>,
    ledger: Ledger,
    assigned: BTreeSet<Place>,
    records: Vec<Received<V>>,
    spans: BTreeMap<Place, Span>,
    bytes: usize,
    opened: Option<Instant>,
    next_batch: u64,
    last_commit: Instant,
    not_before: Option<Instant>,
    paused: bool,
    drain: Option<(Instant, Option<oneshot::Sender<()>>)>,
}

impl<'worker, V: Send> Session<'worker, V> {
    pub(super) fn open(worker: &'worker Worker<V>, next_batch: u64) -> Result<Self, KafkaError> {
        let (context, changes) = GroupContext::new(worker.bus.context());
        let mut consumer: BaseConsumer<GroupContext> = worker.config().create_with_context(context)?;
        keep_brokers(consumer.client());
        let (wake, wakes) = bounded(1);
        consumer.set_nonempty_callback(move || {
            wake.try_send(()).ok();
        });
        let names: Vec<&str> = worker.topics.keys().map(String::as_str).collect();
        consumer.subscribe(&names)?;
        Ok(Self {
            worker,
            consumer,
            changes,
            wakes,
            ledger: Ledger::default(),
            assigned: BTreeSet::new(),
            records: Vec::new(),
            spans: BTreeMap::new(),
            bytes: 0,
            opened: None,
            next_batch,
            last_commit: Instant::now(),
            not_before: None,
            paused: false,
            drain: None,
        })
    }

    pub(super) fn run(&mut self) -> End {
        loop {
            if let ControlFlow::Break(end) = self.absorb_events() {
                return end;
            }
            if let Some((deadline, _)) = &self.drain
                && (self.ledger.in_flight() == 0 || Instant::now() >= *deadline)
            {
                return End::Over;
            }
            self.commit_if_due();
            self.deliver_if_due();
            let step = if self.is_full() {
                self.wait_for_room()
            } else {
                self.read_on()
            };
            if let ControlFlow::Break(end) = step {
                return end;
            }
        }
    }

    /// The number that the next batch would have got.
    pub(super) fn next_batch(&self) -> u64 {
        self.next_batch
    }

    /// Leaves the group, after a last commit.
    pub(super) fn close(mut self) -> Option<oneshot::Sender<()>> {
        self.settle();
        self.consumer.context().close();
        // A change that came after the last look at the queue still waits for an answer.
        while let Ok(change) = self.changes.try_recv() {
            if let Change::Revoked { partitions, .. } = change {
                give_up(&self.consumer, &partitions).ok();
            }
        }
        self.worker.assigned.send_replace(Arc::default());
        self.drain.take().and_then(|(_, done)| done)
    }

    fn absorb_events(&mut self) -> ControlFlow<End> {
        while let Ok(event) = self.worker.events.try_recv() {
            self.absorb(event)?;
        }
        ControlFlow::Continue(())
    }

    fn absorb(&mut self, event: Event) -> ControlFlow<End> {
        match event {
            Event::Acknowledged(batch) => self.ledger.acknowledge(batch),
            Event::GivenBack(batch) => {
                if self.drain.is_none() && self.ledger.knows(batch) {
                    return self.rewind();
                }
                self.ledger.abandon(batch);
            }
            Event::Drain { deadline, done } => {
                self.drain = Some((Instant::now() + deadline, Some(done)));
                self.drop_open_batch();
            }
            Event::Stop => return ControlFlow::Break(End::Over),
        }
        ControlFlow::Continue(())
    }

    /// Reads what is in flight once more.
    fn rewind(&mut self) -> ControlFlow<End> {
        self.worker.bus.statistics().count_redelivery();
        self.drop_open_batch();
        self.not_before = Some(Instant::now() + REDELIVERY_PAUSE);
        let positions = self.ledger.rewind();
        let positions = positions
            .into_iter()
            .filter(|(place, _)| self.assigned.contains(place))
            .collect();
        let sought = self
            .list(&positions)
            .and_then(|list| self.consumer.seek_partitions(list, SEEK_TIMEOUT))
            .and_then(|list| list.elements().iter().try_for_each(|element| element.error()));
        match sought {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                tracing::warn!(%error, "cannot read a batch again in place, joining the group anew");
                ControlFlow::Break(End::Rebuild)
            }
        }
    }

    fn is_full(&self) -> bool {
        let settings = &self.worker.settings;
        self.drain.is_some() || self.records.len() >= settings.max_records || self.bytes >= settings.max_bytes
    }

    fn deliver_if_due(&mut self) {
        if self.spans.is_empty() || self.drain.is_some() {
            return;
        }
        let settings = &self.worker.settings;
        let ripe = self.is_full()
            || self
                .opened
                .is_some_and(|opened| opened.elapsed() >= settings.linger);
        let rested = self.not_before.is_none_or(|moment| Instant::now() >= moment);
        if !ripe || !rested || self.ledger.in_flight() >= settings.max_in_flight {
            return;
        }
        self.not_before = None;
        let batch = self.next_batch;
        self.next_batch += 1;
        let spans: Vec<Span> = std::mem::take(&mut self.spans).into_values().collect();
        let records = std::mem::take(&mut self.records);
        (self.bytes, self.opened) = (0, None);
        self.ledger.deliver(batch, spans.clone());
        if records.is_empty() {
            // Only records that went to the dead letters: nobody needs to see that.
            self.ledger.acknowledge(batch);
            return;
        }
        let ticket = Ticket {
            batch,
            events: self.worker.event_sender.clone(),
            used: false,
        };
        // Has room for all that may be in flight; when the receiver is gone, the ticket's drop says so.
        self.worker
            .batches
            .try_send(Batch {
                records,
                spans,
                ticket,
            })
            .ok();
    }

    /// The open batch cannot grow: waits for an acknowledgement. After a while it stops the flow of records, so
    /// that it can poll, which serves the group.
    fn wait_for_room(&mut self) -> ControlFlow<End> {
        match self.worker.events.recv_timeout(if self.paused {
            LONGEST_WAIT
        } else {
            self.patience()
        }) {
            Ok(event) => self.absorb(event),
            Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(End::Over),
            Err(RecvTimeoutError::Timeout) => {
                self.pause();
                self.poll_once()?;
                self.handle_changes()
            }
        }
    }

    fn patience(&self) -> Duration {
        match (&self.drain, self.not_before) {
            (Some(_), _) => LONGEST_WAIT,
            (None, Some(moment)) if moment > Instant::now() => {
                moment.saturating_duration_since(Instant::now())
            }
            (None, _) => PATIENCE,
        }
    }

    fn read_on(&mut self) -> ControlFlow<End> {
        self.resume();
        if self.poll_once()? {
            return self.handle_changes();
        }
        self.handle_changes()?;
        let linger_left = self
            .opened
            .map(|opened| self.worker.settings.linger.saturating_sub(opened.elapsed()));
        let wait = match linger_left {
            Some(left) if self.ledger.in_flight() < self.worker.settings.max_in_flight => {
                left.min(LONGEST_WAIT)
            }
            _ => LONGEST_WAIT,
        };
        let event = select! {
            recv(self.worker.events) -> event => event.ok(),
            recv(self.wakes) -> _ => None,
            default(wait) => None,
        };
        event.map_or(ControlFlow::Continue(()), |event| self.absorb(event))
    }

    /// True when a record came.
    fn poll_once(&mut self) -> ControlFlow<End, bool> {
        let worker = self.worker;
        match self.consumer.poll(Duration::ZERO) {
            None => ControlFlow::Continue(false),
            Some(Ok(message)) => {
                let Some(topic) = worker.topics.get(message.topic()).copied() else {
                    return ControlFlow::Continue(true);
                };
                worker.bus.context().works();
                worker.bus.statistics().count_received(topic);
                let place = (topic, message.partition());
                let payload = message.payload().unwrap_or_default();
                match (worker.read)(topic, payload) {
                    Ok(value) => {
                        self.records.push(Received::new(value, topic, &message));
                        self.bytes += payload.len();
                    }
                    Err(error) => put_aside(worker, topic, &message, &error)?,
                }
                let offset = message.offset();
                self.ledger.read(place, offset);
                let fresh = Span {
                    topic,
                    partition: place.1,
                    first_offset: offset,
                    next_offset: offset + 1,
                };
                self.spans.entry(place).or_insert(fresh).next_offset = offset + 1;
                self.opened.get_or_insert_with(Instant::now);
                ControlFlow::Continue(true)
            }
            Some(Err(KafkaError::MessageConsumptionFatal(error))) => {
                tracing::error!(%error, "the consumer can do no more, there will be a new one");
                ControlFlow::Break(End::Rebuild)
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "while reading");
                ControlFlow::Continue(false)
            }
        }
    }

    fn handle_changes(&mut self) -> ControlFlow<End> {
        while let Ok(change) = self.changes.try_recv() {
            self.worker.bus.statistics().count_rebalance();
            let answer = match change {
                Change::Assigned(partitions) => {
                    self.assigned.extend(self.places(&partitions));
                    // Those that it had stay stopped otherwise: they are not assigned once more. Where there is still no
                    // room, all are stopped together again.
                    self.resume();
                    take(&self.consumer, &partitions)
                }
                Change::Revoked { partitions, lost } => {
                    let places = self.places(&partitions);
                    self.let_go(&places, lost)?;
                    give_up(&self.consumer, &partitions)
                }
            };
            self.worker
                .assigned
                .send_replace(Arc::new(self.assigned.iter().copied().collect()));
            tracing::info!(group = self.worker.settings.group, assigned = ?self.assigned, "partitions changed");
            if let Err(error) = answer {
                tracing::warn!(%error, "the group's change could not be carried out, joining it anew");
                return ControlFlow::Break(End::Rebuild);
            }
        }
        ControlFlow::Continue(())
    }

    /// Partitions go: waits for what is in flight, commits what was acknowledged, forgets the rest.
    fn let_go(&mut self, places: &BTreeSet<Place>, lost: bool) -> ControlFlow<End> {
        self.records
            .retain(|record| !places.contains(&(record.topic, record.partition)));
        self.spans.retain(|place, _| !places.contains(place));
        if !lost {
            let deadline = Instant::now() + self.worker.settings.release_grace;
            while self.ledger.touches(places) {
                let left = deadline.saturating_duration_since(Instant::now());
                match self.worker.events.recv_timeout(left) {
                    // What goes away need not be read again here.
                    Ok(Event::GivenBack(batch)) if self.ledger.knows(batch) => {
                        self.rewind()?;
                        break;
                    }
                    Ok(event) => self.absorb(event)?,
                    Err(_) => {
                        tracing::warn!(?places, "not acknowledged in time; the next member gets it again");
                        break;
                    }
                }
            }
            self.settle();
        }
        self.ledger.release(places);
        self.assigned.retain(|place| !places.contains(place));
        ControlFlow::Continue(())
    }

    fn commit_if_due(&mut self) {
        let interval = if self.consumer.context().commit_failed().load(Ordering::Relaxed) {
            COMMIT_INTERVAL * 10
        } else if self.ledger.in_flight() == 0 && self.spans.is_empty() {
            Duration::ZERO
        } else {
            COMMIT_INTERVAL
        };
        if self.last_commit.elapsed() < interval {
            return;
        }
        if self.consumer.context().commit_has_failed() {
            self.worker.bus.statistics().count_commit(false);
            self.ledger.commit_again();
        }
        // A refusal is heard of in the context, like that of a commit that was sent.
        self.commit(CommitMode::Async).ok();
    }

    /// The last commit before partitions go: all that was acknowledged, not only what no commit has named yet. A commit
    /// that was sent without waiting may be refused after this member has left, when nobody hears it any more. While
    /// members join, the coordinator refuses commits for a moment: those are tried again.
    fn settle(&mut self) {
        let deadline = Instant::now() + SETTLING;
        loop {
            self.ledger.commit_again();
            let Err(error) = self.commit(CommitMode::Sync) else {
                return;
            };
            let hope = error.rdkafka_error_code().is_some_and(passes) && !self.consumer.assignment_lost();
            if !hope || Instant::now() >= deadline {
                return;
            }
            std::thread::park_timeout(SETTLING_PAUSE);
        }
    }

    fn commit(&mut self, mode: CommitMode) -> Result<(), KafkaError> {
        if !self.ledger.has_to_commit() {
            return Ok(());
        }
        let positions = self.ledger.take_to_commit();
        let committed = self
            .list(&positions)
            .and_then(|list| self.consumer.commit(&list, mode));
        self.worker.bus.statistics().count_commit(committed.is_ok());
        if let Err(error) = &committed {
            tracing::warn!(%error, "offsets were not committed; what they cover may be delivered again");
            self.consumer
                .context()
                .commit_failed()
                .store(true, Ordering::Relaxed);
        }
        self.last_commit = Instant::now();
        committed
    }

    fn pause(&mut self) {
        self.paused = self.paused
            || self
                .consumer
                .assignment()
                .and_then(|all| self.consumer.pause(&all))
                .is_ok();
    }

    fn resume(&mut self) {
        if self.paused
            && self
                .consumer
                .assignment()
                .and_then(|all| self.consumer.resume(&all))
                .is_ok()
        {
            self.paused = false;
        }
    }

    fn drop_open_batch(&mut self) {
        self.records.clear();
        self.spans.clear();
        (self.bytes, self.opened) = (0, None);
    }

    fn places(&self, partitions: &TopicPartitionList) -> BTreeSet<Place> {
        let elements = partitions.elements();
        let known = elements
            .iter()
            .filter_map(|element| Some((*self.worker.topics.get(element.topic())?, element.partition())));
        known.collect()
    }

    fn list(&self, positions: &BTreeMap<Place, i64>) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in positions {
            let name = self.worker.bus.topic_name(*topic);
            list.add_partition_offset(&name, *partition, Offset::Offset(*offset))?;
        }
        Ok(list)
    }
}

/// Whether a commit that was refused for this reason may succeed a little later, in the same membership.
///
/// A generation that is refused may only be the one before: where others join, the broker answers a commit that was
/// sent beside our own joining after it, when the next generation has begun. Where it is refused for good, the client
/// library has taken the assignment for lost before it tells.
fn passes(reason: RDKafkaErrorCode) -> bool {
    matches!(
        reason,
        RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::CoordinatorLoadInProgress
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::BrokerTransportFailure
    )
}
