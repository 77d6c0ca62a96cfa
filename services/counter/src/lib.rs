//! The counter: detections in; crossings, headcounts, activity, alarms, health and requests for evidence out.
//! Exactly once.
//!
//! One thread reads `detections` and works in short transactions. Each holds what came out of its records, the
//! changed states of the mines on `counter-state`, and the offsets that were read: they become visible together, or
//! not at all. The state of a mine lives in memory; it is a cache of `counter-state`, from which it is restored
//! when its partition becomes ours, and whenever a transaction was not committed.
//!
//! What is counted is decided by a [`Stepper`], which knows nothing of Kafka.

mod counting;
mod engine_stepper;
mod error;
mod outputs;
mod restore;
mod runner;
mod session;
mod settings;
mod stepper;
mod transactions;

pub use engine_stepper::EngineStepper;
pub use error::CounterError;
pub use runner::run_with;
pub use settings::CounterSettings;
pub use stepper::{Input, Registrations, StepError, Stepper};

use mineseal_bus::Bus;
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
    run_with(EngineStepper::default(), settings, bus, shutdown).await
}
