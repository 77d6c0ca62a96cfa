//! The counter: detections in; crossings, headcounts, activity, alarms, health and requests for evidence out.
//! Exactly once.
//!
//! One thread reads `detections` and works in short transactions. Each holds what came out of its records, the
//! changed states of the mines on `counter-state`, and the offsets that were read: they become visible together, or
//! not at all. The state of a mine lives in memory; it is a cache of `counter-state`, from which it is restored
//! when its partition becomes ours, and whenever a transaction was not committed.
//!
//! What is counted is decided by a [`Stepper`], which knows nothing of Kafka.

mod corrections;
mod counting;
mod engine_stepper;
mod error;
mod outputs;
pub mod replay;
mod restore;
mod runner;
mod session;
mod settings;
mod stepper;
mod transactions;

pub use corrections::{CORRECTION_KEYS_FOLDER, CorrectionKeys, SigningKey};
pub use engine_stepper::EngineStepper;
pub use error::CounterError;
pub use runner::run_with;
pub use settings::CounterSettings;
pub use stepper::{Input, Registrations, StepError, Stepper};

use mineseal_bus::Bus;
use mineseal_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

/// Counts with the engine until `shutdown`, and then commits what it has begun and leaves the group.
///
/// # Errors
/// Only what no waiting mends; see [`CounterError`].
pub async fn run(
    settings: CounterSettings,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), CounterError> {
    let stepper = EngineStepper::new(settings.correction_keys.clone());
    run_with(stepper, settings, bus, shutdown).await
}

/// As [`run`]; counts in `metrics` what became of the frames: `mineseal_counter_inputs_total` with the label `fate`,
/// whose values are the names of [`mineseal_engine::Statistics`]. A frame counts once its transaction is committed.
///
/// # Errors
/// As for [`run`].
pub async fn run_counted(
    settings: CounterSettings,
    bus: Bus,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), CounterError> {
    let stepper = EngineStepper::new(settings.correction_keys.clone());
    runner::run_measured(stepper, settings, bus, Some(metrics), shutdown).await
}
