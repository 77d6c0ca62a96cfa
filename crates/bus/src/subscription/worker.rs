use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use mineseal_schemas::{DecodeError, Topic};
use rdkafka::ClientConfig;
use rdkafka::message::BorrowedMessage;
use tokio::sync::{mpsc, oneshot, watch};

use super::ledger::Place;
use super::session::{End, Session};
use super::{Batch, StartAt, SubscriptionSettings};
use crate::bus::Bus;
use crate::dead_letters::dead_letter;
use crate::error::BusError;
use crate::publisher::Publisher;

/// Pause before a consumer that can do no more is replaced.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);
/// Time between two looks at whether a dead letter is still worth waiting for.
const DEAD_LETTER_PATIENCE: Duration = Duration::from_secs(1);

/// What the worker is told.
#[derive(Debug)]
pub(super) enum Event {
    Acknowledged(u64),
    GivenBack(u64),
    Drain {
        deadline: Duration,
        done: oneshot::Sender<()>,
    },
    Stop,
}

pub(super) type Read<V> = Box<dyn Fn(Topic, &[u8]) -> Result<V, DecodeError> + Send>;

/// The thread of a subscription. It lives longer than one consumer.
pub(super) struct Worker<V> {
    pub(super) bus: Bus,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) settings: SubscriptionSettings,
    pub(super) read: Read<V>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) publisher: Publisher,
    pub(super) events: Receiver<Event>,
    pub(super) event_sender: Sender<Event>,
    pub(super) batches: mpsc::Sender<Batch<V>>,
    pub(super) assigned: watch::Sender<Arc<Vec<Place>>>,
}

impl<V: Send> Worker<V> {
    pub(super) fn config(&self) -> ClientConfig {
        let mut config = self.bus.client_config();
        config
            .set("group.id", self.bus.group_name(&self.settings.group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set(
                "session.timeout.ms",
                self.settings.session_timeout.as_millis().to_string(),
            )
            .set(
                "heartbeat.interval.ms",
                (self.settings.session_timeout.as_millis() / 5).to_string(),
            )
            .set(
                "auto.offset.reset",
                match self.settings.start_at {
                    StartAt::Earliest => "earliest",
                    StartAt::Latest => "latest",
                },
            )
            .set("queued.max.messages.kbytes", "32768")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "200");
        config
    }

    /// # Errors
    /// When the client library refuses the settings.
    pub(super) fn check_settings(&self) -> Result<(), BusError> {
        let native = self.config().create_native_config();
        native.map(drop).map_err(|source| self.bus.settings_error(source))
    }

    pub(super) fn run(self) {
        let mut next_batch = 0;
        loop {
            match Session::open(&self, next_batch) {
                Ok(mut session) => {
                    let end = session.run();
                    next_batch = session.next_batch();
                    let done = session.close();
                    if matches!(end, End::Over) {
                        if let Some(done) = done {
                            done.send(()).ok();
                        }
                        return;
                    }
                }
                Err(error) => tracing::error!(%error, "cannot read from Kafka, trying again"),
            }
            let until = Instant::now() + REBUILD_PAUSE;
            loop {
                match self
                    .events
                    .recv_timeout(until.saturating_duration_since(Instant::now()))
                {
                    Ok(Event::Drain { done, .. }) => {
                        done.send(()).ok();
                        return;
                    }
                    Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Event::Acknowledged(_) | Event::GivenBack(_)) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
        }
    }
}

/// Writes a record that cannot be read to the dead letters. Only then may reading go on past it: waits for as long
/// as that takes.
pub(super) fn put_aside<V>(
    worker: &Worker<V>,
    topic: Topic,
    message: &BorrowedMessage<'_>,
    error: &DecodeError,
) -> ControlFlow<End> {
    let service = &worker.bus.settings().client_id;
    let letter = dead_letter(message, service, &error.to_string());
    tracing::warn!(%topic, partition = letter.partition, offset = letter.offset, %error, "to the dead letters");
    worker.bus.statistics().count_dead_letter(topic);
    let mut written = pin!(worker.publisher.publish(&letter));
    loop {
        let waited = worker
            .runtime
            .block_on(async { tokio::time::timeout(DEAD_LETTER_PATIENCE, &mut written).await });
        match waited {
            Ok(Ok(_)) => return ControlFlow::Continue(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the dead letter was refused; reading it again");
                return ControlFlow::Break(End::Rebuild);
            }
            Err(_) if worker.batches.is_closed() => return ControlFlow::Break(End::Over),
            Err(_) => tracing::warn!(%topic, "the dead letter is not written yet, waiting"),
        }
    }
}
