use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mineseal_bus::Bus;
use mineseal_schemas::{Camera, Correction, Mine, Positioning};
use mineseal_telemetry::Metrics;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::CounterError;
use crate::session::{End, Session, Setting};
use crate::settings::CounterSettings;
use crate::stepper::{Registrations, Stepper};

/// Pause before a session that failed is followed by a new one.
const SESSION_PAUSE: Duration = Duration::from_secs(1);

/// Where a batch takes the registrations from.
pub(crate) type Registered = Box<dyn Fn() -> Registrations + Send>;

/// Counts with `stepper` until `shutdown`, and then commits what it has begun and leaves the group.
///
/// # Errors
/// Only what no waiting mends; see [`CounterError`].
pub async fn run_with<S: Stepper>(
    stepper: S,
    settings: CounterSettings,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), CounterError> {
    run_measured(stepper, settings, bus, None, shutdown).await
}

/// As [`run_with`]; `metrics` are told what became of the records of each transaction once it is committed.
pub(crate) async fn run_measured<S: Stepper>(
    stepper: S,
    settings: CounterSettings,
    bus: Bus,
    metrics: Option<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), CounterError> {
    let tables = async {
        tokio::try_join!(
            bus.table::<Mine>(),
            bus.table::<Camera>(),
            bus.table::<Correction>(),
            bus.table::<Positioning>()
        )
    };
    let (mines, cameras, corrections, positioning) = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        tables = tables => tables?,
    };
    let registered: Registered = Box::new(move || Registrations {
        mines: mines.snapshot(),
        cameras: cameras.snapshot(),
        corrections: corrections.snapshot(),
        positioning: positioning.snapshot(),
    });

    let stop = Arc::new(AtomicBool::new(false));
    // Also when this future is dropped.
    let _stop_thread = StopOnDrop(Arc::clone(&stop));
    let (done, mut ended) = oneshot::channel();
    let stopped = Arc::clone(&stop);
    std::thread::Builder::new()
        .name("counter".to_owned())
        .spawn(move || {
            let result = count(&stepper, &settings, &bus, &registered, metrics.as_ref(), &stopped);
            done.send(result).ok();
        })
        .map_err(|_| CounterError::Thread("could not be started"))?;
    let panicked = |_| CounterError::Thread("panicked");
    tokio::select! {
        result = &mut ended => return result.map_err(panicked)?,
        () = shutdown.cancelled() => stop.store(true, Ordering::Relaxed),
    }
    ended.await.map_err(panicked)?
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn count<S: Stepper>(
    stepper: &S,
    settings: &CounterSettings,
    bus: &Bus,
    registered: &Registered,
    metrics: Option<&Metrics>,
    stop: &AtomicBool,
) -> Result<(), CounterError> {
    let instance = settings
        .instance
        .clone()
        .unwrap_or_else(|| Uuid::now_v7().to_string());
    let identity = format!("{}.{instance}", bus.group_name(&settings.group));
    let setting = Setting {
        stepper,
        settings,
        bus,
        registered,
        metrics,
        identity: &identity,
        stop,
    };
    while !stop.load(Ordering::Relaxed) {
        match Session::open(&setting).and_then(Session::run) {
            Ok(()) | Err(End::Stopped) => break,
            Err(End::Over(error)) => return Err(error),
            Err(End::Again(error)) => {
                tracing::error!(%error, brokers = bus.settings().brokers, "the counter begins a new session");
            }
        }
        let until = Instant::now() + SESSION_PAUSE;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
    Ok(())
}
