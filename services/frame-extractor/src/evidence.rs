use std::time::Duration;

use mineseal_bus::{Bus, BusError, Received, SubscriptionSettings};
use mineseal_evidence::{EvidenceError, EvidenceStore, ObjectName, object_path};
use mineseal_schemas::{DeadLetter, Evidence, EvidenceKind, EvidenceRequest, Frame, Record as _, encode};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::reading::now;

const GROUP: &str = "frame-extractor-evidence";
const SERVICE: &str = "frame-extractor";
const FETCH_DEADLINE: Duration = Duration::from_secs(10);
/// Pause before something that may succeed later is tried again.
const AGAIN: Duration = Duration::from_secs(2);
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// Why a request was not answered.
#[derive(Debug, Error)]
enum Refusal {
    #[error("the frame is gone: {0}")]
    FrameGone(BusError),
    #[error("the frame cannot be read: {0}")]
    Unreadable(BusError),
    #[error("the frame at that place is one of camera {found}")]
    OtherCamera { found: String },
    #[error(transparent)]
    Store(#[from] EvidenceError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Refusal {
    /// Whether the same request may be answered later.
    fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Store(EvidenceError::Store { .. } | EvidenceError::NotWritable { .. }) | Self::Bus(_)
        )
    }
}

/// Answers requests for evidence with the picture of their frame until `shutdown`.
pub(crate) async fn run(bus: Bus, store: EvidenceStore, shutdown: CancellationToken) -> Result<(), BusError> {
    let publisher = bus.publisher()?;
    let mut settings = SubscriptionSettings::new(GROUP);
    // Each takes a fetch and a write to the disk.
    settings.max_records = 20;
    let mut requests = bus.subscribe::<EvidenceRequest>(settings)?;
    loop {
        let batch = tokio::select! {
            batch = requests.next() => batch,
            () = shutdown.cancelled() => None,
        };
        let Some(batch) = batch else { break };
        let mut all_done = true;
        for received in &batch.records {
            if !settle(received, &bus, &publisher, &store, &shutdown).await? {
                all_done = false;
                break;
            }
        }
        if all_done {
            batch.acknowledge();
        }
    }
    if let Err(error) = requests.drain(DRAIN_DEADLINE).await {
        tracing::warn!(%error, "the group for evidence requests was not left in time");
    }
    Ok(())
}

/// Answers one request or puts it among the dead letters; false when asked to end before.
async fn settle(
    received: &Received<EvidenceRequest>,
    bus: &Bus,
    publisher: &mineseal_bus::Publisher,
    store: &EvidenceStore,
    shutdown: &CancellationToken,
) -> Result<bool, BusError> {
    let request = &received.value;
    loop {
        let work = async {
            let evidence = answer(request, bus, store).await?;
            publisher.publish_in(&evidence, received.trace.clone()).await?;
            Ok::<_, Refusal>(evidence)
        };
        let refusal = tokio::select! {
            answered = work => match answered {
                Ok(evidence) => {
                    tracing::info!(alarm = %request.alarm, object = evidence.object, "picture stored");
                    return Ok(true);
                }
                Err(refusal) => refusal,
            },
            () = shutdown.cancelled() => return Ok(false),
        };
        if !refusal.is_passing() {
            tracing::warn!(alarm = %request.alarm, camera = %request.camera, %refusal, "no evidence");
            publisher
                .publish(&dead_letter(received, &refusal.to_string()))
                .await?;
            return Ok(true);
        }
        tracing::warn!(alarm = %request.alarm, %refusal, "evidence is not stored yet, trying again");
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = shutdown.cancelled() => return Ok(false),
        }
    }
}

async fn answer(request: &EvidenceRequest, bus: &Bus, store: &EvidenceStore) -> Result<Evidence, Refusal> {
    let place = request.frame;
    let frame = match bus
        .fetch_one::<Frame>(place.partition, place.offset, FETCH_DEADLINE)
        .await
    {
        Ok(received) => received.value,
        Err(error @ BusError::Absent { .. }) => return Err(Refusal::FrameGone(error)),
        Err(error @ BusError::Decode(_)) => return Err(Refusal::Unreadable(error)),
        Err(error) => return Err(Refusal::Bus(error)),
    };
    if frame.camera != request.camera {
        return Err(Refusal::OtherCamera {
            found: frame.camera.to_string(),
        });
    }
    let object = object_path(
        &request.mine,
        &request.alarm.to_string(),
        &request.id.to_string(),
        frame.captured_at,
        ObjectName::Picture,
    );
    let stored = store.put(&object, frame.jpeg).await?;
    Ok(Evidence {
        request: request.id,
        alarm: request.alarm,
        mine: request.mine.clone(),
        camera: request.camera.clone(),
        kind: EvidenceKind::Picture,
        object,
        sha256: stored.sha256,
        size_bytes: i64::try_from(stored.size).unwrap_or(i64::MAX),
        captured_at: frame.captured_at,
    })
}

fn dead_letter(received: &Received<EvidenceRequest>, reason: &str) -> DeadLetter {
    DeadLetter {
        topic: received.topic.to_string(),
        partition: received.partition,
        offset: received.offset,
        key: received.value.key().into_bytes(),
        value: encode(&received.value).unwrap_or_default(),
        service: SERVICE.to_owned(),
        reason: reason.to_owned(),
        at: now(),
    }
}
