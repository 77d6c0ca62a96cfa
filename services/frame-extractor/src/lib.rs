//! Reads cameras and files and publishes the sampled pictures to `frames`.
//!
//! Extractors share the registered cameras through a consumer group on `cameras`: the cameras of a partition
//! belong to its owner. Each camera is a task of its own with a thread of its own for FFmpeg; what befalls one
//! does not touch another. A file goes on after the last frame that Kafka has, in the same session; a live
//! source begins a new session each time it is opened.
//!
//! The extractor also answers requests for evidence with the frame's picture, with the clip around it and with the
//! picture at full size.

mod bookmark;
mod camera;
mod capture_clock;
mod clips;
mod counters;
mod credentials;
mod error;
mod evidence;
mod file;
mod fleet;
mod live;
mod position;
mod pressure;
mod reading;
mod resume;
mod views;

use std::sync::Arc;

use mineseal_bus::Bus;
use mineseal_evidence::EvidenceStore;
use mineseal_settings::ExtractorSettings;
use mineseal_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

pub use error::ExtractorError;

use clips::Rings;
use counters::Counters;
use pressure::Pressure;
use views::Views;

/// What all cameras of this process share.
pub(crate) struct Shared {
    pub(crate) settings: ExtractorSettings,
    pub(crate) bus: Bus,
    pub(crate) publisher: mineseal_bus::Publisher,
    pub(crate) counters: Counters,
    pub(crate) rings: Rings,
    pub(crate) pressure: Pressure,
    pub(crate) views: Views,
}

/// Runs until `shutdown`, then stops all cameras and leaves both groups. While `store` does not take evidence, what can be
/// kept back waits, and everything else goes on.
///
/// # Errors
/// The bus refuses its settings.
pub async fn run(
    settings: ExtractorSettings,
    store: EvidenceStore,
    bus: Bus,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), ExtractorError> {
    let rings = Rings::new(settings.evidence_ring_seconds, settings.evidence_ring_megabytes);
    let shared = Arc::new(Shared {
        rings,
        pressure: Pressure::default(),
        views: Views::new(store.clone()),
        settings,
        publisher: bus.publisher()?,
        bus,
        counters: Counters::new(metrics),
    });
    tokio::spawn(tell_of(store.clone()));
    let answering = [
        tokio::spawn(evidence::run(
            Arc::clone(&shared),
            store.clone(),
            shutdown.clone(),
        )),
        tokio::spawn(clips::run(Arc::clone(&shared), store, shutdown.clone())),
    ];
    let tended = fleet::run(shared, shutdown.clone()).await;
    shutdown.cancel();
    for answered in answering {
        match answered.await {
            Ok(answered) => answered?,
            Err(error) => tracing::error!(%error, "the answering of evidence requests broke off"),
        }
    }
    Ok(tended?)
}

/// An S3 server that does not take evidence is told of at the start, not at the first alarm.
async fn tell_of(store: EvidenceStore) {
    match store.check().await {
        Ok(()) => tracing::info!(?store, "evidence can be stored"),
        Err(error) => tracing::error!(%error, "no evidence can be stored; it is tried again with each alarm"),
    }
}
