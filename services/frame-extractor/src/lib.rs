//! Reads cameras and files and publishes the sampled pictures to `frames`.
//!
//! Extractors share the registered cameras through a consumer group on `cameras`: the cameras of a partition
//! belong to its owner. Each camera is a task of its own with a thread of its own for FFmpeg; what befalls one
//! does not touch another. A file goes on after the last frame that Kafka has, in the same session; a live
//! source begins a new session each time it is opened.
//!
//! The extractor also answers requests for evidence with the frame's picture.

mod bookmark;
mod camera;
mod counters;
mod credentials;
mod error;
mod evidence;
mod file;
mod fleet;
mod live;
mod position;
mod reading;
mod resume;

use std::path::Path;
use std::sync::Arc;

use mineseal_bus::Bus;
use mineseal_evidence::EvidenceStore;
use mineseal_settings::ExtractorSettings;
use mineseal_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

pub use error::ExtractorError;

use counters::Counters;

/// What all cameras of this process share.
pub(crate) struct Shared {
    pub(crate) settings: ExtractorSettings,
    pub(crate) bus: Bus,
    pub(crate) publisher: mineseal_bus::Publisher,
    pub(crate) counters: Counters,
}

/// Runs until `shutdown`, then stops all cameras and leaves both groups. `evidence` is the folder of the
/// evidence store.
///
/// # Errors
/// The evidence store cannot be written, or the bus refuses its settings.
pub async fn run(
    settings: ExtractorSettings,
    evidence: &Path,
    bus: Bus,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), ExtractorError> {
    let store = EvidenceStore::open(&evidence.to_string_lossy())?;
    let shared = Arc::new(Shared {
        settings,
        publisher: bus.publisher()?,
        bus: bus.clone(),
        counters: Counters::new(metrics),
    });
    let answering = tokio::spawn(evidence::run(bus, store, shutdown.clone()));
    let tended = fleet::run(shared, shutdown.clone()).await;
    shutdown.cancel();
    match answering.await {
        Ok(answered) => answered?,
        Err(error) => tracing::error!(%error, "the answering of evidence requests broke off"),
    }
    Ok(tended?)
}
