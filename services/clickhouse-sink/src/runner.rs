use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mineseal_bus::Bus;
use mineseal_store::{Store, StoreError};
use mineseal_telemetry::{Health, Metrics, ServiceState};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::SinkError;
use crate::sender::{HEALTH, Sender};
use crate::session::{End, Outlets, Session};
use crate::settings::SinkSettings;

/// Pause before a session that failed is followed by a new one.
const SESSION_PAUSE: Duration = Duration::from_secs(1);
const FIRST_CONNECT_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_CONNECT_PAUSE: Duration = Duration::from_secs(5);
/// The reading thread gives a sign at least so often; a commit may take most of it.
const SILENCE: Duration = Duration::from_secs(60);

/// Stores until `shutdown`; then what is on its way is finished, and the group is left. Migrates the database
/// first, and waits for it, and for the bus, as long as they are away.
///
/// # Errors
/// Only what no waiting mends; see [`SinkError`].
pub async fn run(
    settings: SinkSettings,
    bus: Bus,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), SinkError> {
    health.register(HEALTH, SILENCE);
    let publisher = bus.publisher()?;
    let store = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        store = connect(&settings, &health) => store?,
    };
    let (jobs, waiting) = mpsc::unbounded_channel();
    let (answers, stored) = crossbeam_channel::unbounded();
    let last_warning = Mutex::new(None);
    let sender = Sender {
        store,
        publisher,
        health: health.clone(),
        metrics,
        answers,
        last_warning,
    };
    let concurrency = settings.concurrency;
    let sending = tokio::spawn(sender.serve(waiting, concurrency));

    let stop = Arc::new(AtomicBool::new(false));
    // Also when this future is dropped.
    let _stop_thread = StopOnDrop(Arc::clone(&stop));
    let (done, mut ended) = oneshot::channel();
    let thread_stop = Arc::clone(&stop);
    let thread_health = health.clone();
    let outlets = Outlets { jobs, stored };
    let reader = std::thread::Builder::new().name("clickhouse-sink".to_owned());
    let started = reader.spawn(move || {
        let result = read(&settings, &bus, &thread_health, outlets, &thread_stop);
        done.send(result).ok();
    });
    started.map_err(|_| SinkError::Thread("could not be started"))?;

    let panicked = |_| SinkError::Thread("panicked");
    let result = tokio::select! {
        result = &mut ended => result,
        () = shutdown.cancelled() => {
            stop.store(true, Ordering::Relaxed);
            (&mut ended).await
        }
    };
    // The thread has dropped its end of the channel, so this ends.
    sending
        .await
        .map_err(|_| SinkError::Thread("panicked while sending"))?;
    health.set(HEALTH, ServiceState::Stopped, "");
    result.map_err(panicked)?
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn connect(settings: &SinkSettings, health: &Health) -> Result<Store, StoreError> {
    let mut pause = FIRST_CONNECT_PAUSE;
    let mut warned = false;
    loop {
        let connected = async {
            let store = Store::connect(settings.store.clone()).await?;
            store.migrate().await?;
            Ok::<Store, StoreError>(store)
        };
        match connected.await {
            Ok(store) => {
                health.set(HEALTH, ServiceState::Ready, "");
                return Ok(store);
            }
            Err(error) if error.is_passing() => {
                if !warned {
                    tracing::warn!(%error, "waiting for ClickHouse");
                    warned = true;
                }
                health.set(HEALTH, ServiceState::Waiting, &error.to_string());
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_CONNECT_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The reading thread: one session after the other.
fn read(
    settings: &SinkSettings,
    bus: &Bus,
    health: &Health,
    outlets: Outlets,
    stop: &AtomicBool,
) -> Result<(), SinkError> {
    let mut next_flight = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut session = match Session::open(settings, bus, health, &outlets, stop, next_flight) {
            Ok(session) => session,
            Err(error) => return Err(SinkError::Settings(error)),
        };
        let end = session.run();
        next_flight = session.next_flight();
        session.close();
        match end {
            End::Stopped => break,
            End::Again(error) => {
                tracing::error!(%error, brokers = bus.settings().brokers, "the sink begins a new session");
            }
        }
        let until = Instant::now() + SESSION_PAUSE;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
    Ok(())
}
