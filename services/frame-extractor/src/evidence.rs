use std::sync::Arc;
use std::time::Duration;

use mineseal_bus::{Bus, BusError, Received, SubscriptionSettings};
use mineseal_evidence::{EvidenceError, EvidenceStore, ObjectName, object_path};
use mineseal_schemas::{
    Camera, DeadLetter, Evidence, EvidenceKind, EvidenceRequest, Frame, Record as _, encode,
};
use mineseal_video::Source;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::position::Position;
use crate::reading::now;
use crate::{Shared, clips};

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
        match self {
            Self::Store(error) => error.is_passing(),
            Self::Bus(_) => true,
            Self::FrameGone(_) | Self::Unreadable(_) | Self::OtherCamera { .. } => false,
        }
    }
}

/// Answers requests for evidence with the picture of their frame, and of files with the clip around it, until
/// `shutdown`.
pub(crate) async fn run(
    shared: Arc<Shared>,
    store: EvidenceStore,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let publisher = shared.bus.publisher()?;
    let cameras = tokio::select! {
        cameras = shared.bus.table::<Camera>() => cameras?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let answerer = Answerer {
        shared: &shared,
        publisher: &publisher,
        cameras: &cameras,
        store: &store,
    };
    let mut settings = SubscriptionSettings::new(GROUP);
    // Each takes a fetch and a write to the disk.
    settings.max_records = 20;
    let mut requests = shared.bus.subscribe::<EvidenceRequest>(settings)?;
    loop {
        let batch = tokio::select! {
            batch = requests.next() => batch,
            () = shutdown.cancelled() => None,
        };
        let Some(batch) = batch else { break };
        let mut all_done = true;
        for received in &batch.records {
            if !answerer.settle(received, &shutdown).await? {
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

/// What answering takes.
struct Answerer<'run> {
    shared: &'run Arc<Shared>,
    publisher: &'run mineseal_bus::Publisher,
    cameras: &'run mineseal_bus::Table<Camera>,
    store: &'run EvidenceStore,
}

impl Answerer<'_> {
    /// Answers one request or puts it among the dead letters; false when asked to end before.
    async fn settle(
        &self,
        received: &Received<EvidenceRequest>,
        shutdown: &CancellationToken,
    ) -> Result<bool, BusError> {
        let request = &received.value;
        // Kafka keeps frames for minutes, and the store may be away for longer.
        let mut held = None;
        loop {
            let work = async {
                let frame: &Frame = match &mut held {
                    Some(frame) => frame,
                    none => none.insert(frame_of(request, &self.shared.bus).await?),
                };
                let evidence = keep(request, frame, self.store).await?;
                self.publisher
                    .publish_in(&evidence, received.trace.clone())
                    .await?;
                tracing::info!(alarm = %request.alarm, object = evidence.object, "picture stored");
                self.cut_file(received, frame).await;
                Ok::<_, Refusal>(())
            };
            let refusal = tokio::select! {
                answered = work => match answered {
                    Ok(()) => return Ok(true),
                    Err(refusal) => refusal,
                },
                () = shutdown.cancelled() => return Ok(false),
            };
            if !refusal.is_passing() {
                tracing::warn!(alarm = %request.alarm, camera = %request.camera, %refusal, "no evidence");
                self.publisher
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

    /// The clip of a camera whose source is a file that lies here. Of live cameras their reader cuts it.
    async fn cut_file(&self, received: &Received<EvidenceRequest>, frame: &Frame) {
        let request = &received.value;
        let Some(camera) = self.cameras.get(request.camera.as_str()) else {
            return;
        };
        let Ok(source @ Source::File(_)) = Source::parse(&camera.value.source) else {
            return;
        };
        if !Position::of(frame).is_from(&camera.value.source) {
            tracing::warn!(alarm = %request.alarm, "no clip: the camera shows another source by now");
            return;
        }
        let kept = clips::of_file(
            request,
            source,
            (frame.media_time_micros, frame.captured_at),
            self.store,
            self.publisher,
            received.trace.clone(),
        )
        .await;
        clips::note(self.shared, request, kept);
    }
}

async fn frame_of(request: &EvidenceRequest, bus: &Bus) -> Result<Frame, Refusal> {
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
    Ok(frame)
}

async fn keep(request: &EvidenceRequest, frame: &Frame, store: &EvidenceStore) -> Result<Evidence, Refusal> {
    let object = object_path(
        &request.mine,
        &request.alarm.to_string(),
        &request.id.to_string(),
        frame.captured_at,
        ObjectName::Picture,
    );
    let stored = store.put(&object, frame.jpeg.clone()).await?;
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
