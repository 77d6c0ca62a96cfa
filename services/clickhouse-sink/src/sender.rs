use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender as Answers;
use mineseal_bus::Publisher;
use mineseal_store::{Store, StoreError};
use mineseal_telemetry::{Health, Metrics, ServiceState};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::batch::Batch;
use crate::range::Place;

/// Under this name the store's state stands on the health page.
pub(crate) const HEALTH: &str = "clickhouse";

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two warnings about the same trouble.
const WARN_AGAIN: Duration = Duration::from_secs(30);

/// A batch to be stored.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) flight: u64,
    pub(crate) place: Place,
    pub(crate) batch: Arc<Batch>,
    pub(crate) token: String,
}

/// The batch of `place` in `flight` is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) flight: u64,
    pub(crate) place: Place,
}

/// Sends batches to the store, again and again until it acknowledges.
pub(crate) struct Sender {
    pub(crate) store: Store,
    pub(crate) publisher: Publisher,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) answers: Answers<Stored>,
    pub(crate) last_warning: Mutex<Option<Instant>>,
}

impl Sender {
    /// Works until nobody can give it a job any more.
    pub(crate) async fn serve(self, mut jobs: mpsc::UnboundedReceiver<Job>, concurrency: usize) {
        let sender = Arc::new(self);
        let permits = Arc::new(Semaphore::new(concurrency.max(1)));
        let mut running = JoinSet::new();
        while let Some(job) = jobs.recv().await {
            while running.try_join_next().is_some() {}
            let (sender, permits) = (Arc::clone(&sender), Arc::clone(&permits));
            running.spawn(async move {
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                let given_up = job.batch.given_up.clone();
                tokio::select! {
                    () = given_up.cancelled() => {}
                    () = sender.carry_out(&job) => {
                        // Nobody listens once the sink has ended.
                        sender.answers.send(Stored { flight: job.flight, place: job.place }).ok();
                    }
                }
            });
        }
    }

    async fn carry_out(&self, job: &Job) {
        for letter in &job.batch.dead {
            if let Err(error) = self.publisher.publish(letter).await {
                let (topic, partition, offset) = (&letter.topic, letter.partition, letter.offset);
                tracing::error!(topic, partition, offset, %error, "dead-letters refuses what could not be read");
            }
        }
        let mut pause = FIRST_PAUSE;
        let began = Instant::now();
        let Batch { rows, repeated, .. } = &*job.batch;
        let mut result = match repeated {
            true => rows.repeat(&self.store, &job.token).await,
            false => rows.store(&self.store, &job.token).await,
        };
        while let Err(error) = result {
            self.report(&error);
            if matches!(error, StoreError::NotMigrated { .. })
                && let Err(error) = self.store.migrate().await
            {
                self.report(&error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            result = rows.repeat(&self.store, &job.token).await;
        }
        let table = rows.table();
        let (rows, took) = (rows.len(), began.elapsed());
        tracing::debug!(table, rows, ?took, token = job.token, "stored");
        let labels = [("table", table)];
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.metrics
            .counter("rows_stored", "Rows that ClickHouse has acknowledged", &labels)
            .inc_by(rows);
        self.metrics
            .gauge(
                "insert_seconds",
                "How long the last insert took, with what it was repeated",
                &labels,
            )
            .set(took.as_secs_f64());
        self.works();
    }

    fn works(&self) {
        let mut last = self.last_warning.lock().unwrap_or_else(PoisonError::into_inner);
        if last.take().is_some() {
            tracing::info!(url = self.store.settings().url, "ClickHouse takes rows again");
        }
        self.health.set(HEALTH, ServiceState::Ready, "");
    }

    fn report(&self, error: &StoreError) {
        self.metrics
            .counter("insert_failures", "Inserts that were not acknowledged", &[])
            .inc();
        self.health.set(HEALTH, ServiceState::Waiting, &error.to_string());
        let mut last = self.last_warning.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|moment| moment.elapsed() < WARN_AGAIN) {
            return;
        }
        *last = Some(Instant::now());
        if error.is_passing() {
            tracing::warn!(%error, "rows wait for ClickHouse, trying again until it takes them");
        } else {
            tracing::error!(%error, "ClickHouse does not take rows; they wait, and are tried again");
        }
    }
}
