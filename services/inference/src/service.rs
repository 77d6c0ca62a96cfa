use std::time::Duration;

use mineseal_bus::{Bus, BusSettings, SubscriptionSettings};
use mineseal_schemas::Frame;
use mineseal_telemetry::{Health, Metrics, ServiceState};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::detectors::Detectors;
use crate::pipeline::{Outlet, confirm, read};
use crate::record::SERVICE;
use crate::{InferenceError, InferenceSettings};

/// Longest silence of the loops: a picture under way and a slow broker fit into it many times.
const SILENCE: Duration = Duration::from_secs(60);
/// How long frames in hand may take after `shutdown`, and then the commit of their offsets.
const DRAIN: Duration = Duration::from_secs(10);
/// Frames that are read and committed together.
const RECORDS: usize = 64;
/// Such batches whose detections are on their way to Kafka while the detectors are full.
const ON_THEIR_WAY: usize = 4;
/// Frames are worth more early than many at once; the detectors put their own batches together.
const LINGER: Duration = Duration::from_millis(5);

/// Looks at frames until `shutdown`, then finishes those in hand and commits them.
///
/// `health` and `metrics` are the process's; a default one will do where nobody looks.
///
/// # Errors
/// Weights that do not serve, settings that Kafka's client refuses, a thread that cannot be started, and a detector
/// that fails by itself. Frames in hand are then not committed: they are read again.
pub async fn run(
    settings: InferenceSettings,
    bus: BusSettings,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), InferenceError> {
    health.register(SERVICE, SILENCE);
    let measured = metrics.clone();
    let loading = tokio::task::spawn_blocking(move || Detectors::start(&settings, &measured)).await;
    let detectors = loading.map_err(|error| InferenceError::DetectorEnded(error.to_string()))??;
    let bus = Bus::connect(bus)?;
    let publisher = bus.publisher()?;
    // Enough for every detector to have a full batch, and the next one waiting: with a fixed number, many detectors with
    // large batches wait for frames. It is also what a crash repeats at most, in batches.
    let in_flight = detectors.capacity().div_ceil(RECORDS) + ON_THEIR_WAY;
    let mut subscription = bus.subscribe::<Frame>(SubscriptionSettings {
        max_records: RECORDS,
        max_in_flight: in_flight,
        linger: LINGER,
        ..SubscriptionSettings::new(SERVICE)
    })?;
    let outlet = Outlet {
        bus: bus.clone(),
        publisher,
        model: detectors.model.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
    };
    let (asked_sender, asked) = mpsc::channel(in_flight);
    let (published_sender, published) = mpsc::channel(in_flight);
    let work = async {
        tokio::try_join!(
            read(&mut subscription, detectors, asked_sender, &health, &shutdown),
            outlet.publish(asked, published_sender),
            confirm(published)
        )
    };
    let out_of_time = async {
        shutdown.cancelled().await;
        health.set(SERVICE, ServiceState::Draining, "");
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = work => {
            ended?;
        }
        () = out_of_time => tracing::warn!("frames in hand took too long; they will be read again"),
        () = watch(&bus, &health, &metrics) => {}
    }
    subscription.drain(DRAIN).await?;
    health.set(SERVICE, ServiceState::Stopped, "");
    Ok(())
}

/// Tells whether Kafka answers, and what the bus has counted; never ends.
async fn watch(bus: &Bus, health: &Health, metrics: &Metrics) {
    let mut told = None;
    loop {
        let reachable = bus.statistics().is_reachable();
        let draining = health
            .report()
            .iter()
            .any(|one| one.service == SERVICE && one.state == ServiceState::Draining);
        if told != Some(reachable) && !draining {
            told = Some(reachable);
            match reachable {
                true => health.set(SERVICE, ServiceState::Ready, ""),
                false => health.set(SERVICE, ServiceState::Waiting, "Kafka does not answer"),
            }
        }
        mineseal_service::report_bus(SERVICE, bus, metrics);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
