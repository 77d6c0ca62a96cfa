mod ledger;
mod session;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use mineseal_schemas::{DecodeError, Record, Topic, decode};
use tokio::sync::{mpsc, oneshot, watch};

use crate::bus::Bus;
use crate::error::BusError;
use crate::received::Received;
use worker::{Event, Worker};

pub use ledger::Span;

/// Where a group begins that has never committed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the oldest record that is kept.
    Earliest,
    /// With the next record that is written.
    Latest,
}

/// How to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// The group's name without prefix; its members share the partitions.
    pub group: String,
    /// Most records in a batch.
    pub max_records: usize,
    /// A batch is closed when its values have this many bytes.
    pub max_bytes: usize,
    /// Longest time that a record waits for others to fill its batch.
    pub linger: Duration,
    /// Most batches that are delivered and not yet acknowledged.
    pub max_in_flight: usize,
    /// Where a new group begins.
    pub start_at: StartAt,
    /// How long the acknowledgement of delivered batches is waited for when partitions go to another member. What
    /// is not acknowledged then is delivered again, to that member.
    pub release_grace: Duration,
    /// Silence after which the group gives our partitions to others.
    pub session_timeout: Duration,
}

impl SubscriptionSettings {
    /// Batches of up to 500 records, 8 MiB or 20 ms, two of them in flight, from the oldest record on.
    #[must_use]
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            max_records: 500,
            max_bytes: 8 << 20,
            linger: Duration::from_millis(20),
            max_in_flight: 2,
            start_at: StartAt::Earliest,
            release_grace: Duration::from_secs(15),
            session_timeout: Duration::from_secs(10),
        }
    }
}

/// Records that were read together, in the order of their partitions.
///
/// A batch that is dropped without [`Batch::acknowledge`] was not handled: it is delivered again after a moment,
/// together with all that was delivered after it.
#[derive(Debug)]
pub struct Batch<V> {
    /// The records. Those that could not be read are not among them; they are in `dead-letters`.
    pub records: Vec<Received<V>>,
    /// Which offsets they cover, one span for each partition.
    pub spans: Vec<Span>,
    ticket: Ticket,
}

impl<V> Batch<V> {
    /// Everything in it was handled: it is not delivered again.
    pub fn acknowledge(mut self) {
        self.ticket.acknowledge();
    }

    /// The records, and the ticket to acknowledge later, where both go different ways.
    #[must_use]
    pub fn split(self) -> (Vec<Received<V>>, Ticket) {
        (self.records, self.ticket)
    }
}

/// The right, and the duty, to acknowledge a [`Batch`]. Dropping it gives the batch back.
#[derive(Debug)]
pub struct Ticket {
    batch: u64,
    events: Sender<Event>,
    used: bool,
}

impl Ticket {
    /// Everything in the batch was handled.
    pub fn acknowledge(&mut self) {
        self.finish(Event::Acknowledged(self.batch));
    }

    fn finish(&mut self, event: Event) {
        if !std::mem::replace(&mut self.used, true) {
            // When the reading thread is gone, so is the need to tell it.
            self.events.send(event).ok();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.finish(Event::GivenBack(self.batch));
    }
}

/// A member of a group that reads one or several topics.
///
/// It runs on a thread of its own, which keeps its membership however long the handling of a batch takes.
pub struct Subscription<V> {
    batches: mpsc::Receiver<Batch<V>>,
    assigned: watch::Receiver<Arc<Vec<(Topic, i32)>>>,
    events: Sender<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Bus {
    /// Joins `settings.group` and reads the topic of `R`. Waits for brokers and topic in the background.
    ///
    /// # Errors
    /// When the client library refuses the settings, or outside a tokio runtime.
    pub fn subscribe<R: Record + Send + 'static>(
        &self,
        settings: SubscriptionSettings,
    ) -> Result<Subscription<R>, BusError> {
        self.subscribe_with(&[R::TOPIC], settings, |_, bytes| decode(bytes))
    }

    /// As [`Bus::subscribe`], for several topics: `read` makes one value type of all of them.
    ///
    /// # Errors
    /// As for `subscribe`.
    pub fn subscribe_with<V: Send + 'static>(
        &self,
        topics: &[Topic],
        settings: SubscriptionSettings,
        read: impl Fn(Topic, &[u8]) -> Result<V, DecodeError> + Send + 'static,
    ) -> Result<Subscription<V>, BusError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BusError::Thread("subscription"))?;
        let (events, event_receiver) = unbounded();
        // Never more batches than may be in flight, so that sending never has to wait.
        let (batch_sender, batches) = mpsc::channel(settings.max_in_flight.max(1));
        let (assigned_sender, assigned) = watch::channel(Arc::default());
        let worker = Worker {
            bus: self.clone(),
            topics: topics
                .iter()
                .map(|topic| (self.topic_name(*topic), *topic))
                .collect(),
            settings,
            read: Box::new(read),
            runtime,
            publisher: self.publisher()?,
            events: event_receiver,
            event_sender: events.clone(),
            batches: batch_sender,
            assigned: assigned_sender,
        };
        worker.check_settings()?;
        let thread = std::thread::Builder::new()
            .name(format!(
                "read-{}",
                topics.first().map_or("nothing", |topic| topic.name())
            ))
            .spawn(move || worker.run())
            .map_err(|_| BusError::Thread("subscription"))?;
        Ok(Subscription {
            batches,
            assigned,
            events,
            thread: Some(thread),
        })
    }
}

impl<V> Subscription<V> {
    /// The next batch. None only after the thread has ended, which it does not by itself.
    pub async fn next(&mut self) -> Option<Batch<V>> {
        self.batches.recv().await
    }

    /// The partitions that are ours now.
    #[must_use]
    pub fn assigned(&self) -> Arc<Vec<(Topic, i32)>> {
        Arc::clone(&self.assigned.borrow())
    }

    /// For those who want to know when partitions come and go.
    #[must_use]
    pub fn watch_assigned(&self) -> watch::Receiver<Arc<Vec<(Topic, i32)>>> {
        self.assigned.clone()
    }

    /// Stops reading, waits up to `deadline` for the acknowledgement of what was delivered, commits it and leaves
    /// the group. Batches that nobody took out yet are left for the next member. Tickets that are still out may be
    /// acknowledged meanwhile.
    ///
    /// # Errors
    /// When the thread does not end in time; it then ends in the background.
    pub async fn drain(mut self, deadline: Duration) -> Result<(), BusError> {
        let (done, ended) = oneshot::channel();
        self.events.send(Event::Drain { deadline, done }).ok();
        self.batches.close();
        while self.batches.try_recv().is_ok() {}
        // The thread may also need a moment to leave the group.
        let waited = tokio::time::timeout(deadline + Duration::from_secs(5), ended).await;
        if waited.is_err() {
            return Err(BusError::Thread("subscription"));
        }
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join());
            joined.await.ok();
        }
        Ok(())
    }
}

impl<V> Drop for Subscription<V> {
    /// The thread commits what was acknowledged and ends in the background.
    fn drop(&mut self) {
        self.events.send(Event::Stop).ok();
    }
}

impl<V> fmt::Debug for Subscription<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Subscription")
            .field("assigned", &self.assigned())
            .finish_non_exhaustive()
    }
}
