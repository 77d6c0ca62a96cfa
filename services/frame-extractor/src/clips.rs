//! Clips and full-size pictures for requests of evidence: of live cameras out of the ring of packets that their
//! reader keeps, of files out of the file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use mineseal_bus::{BusError, StartAt, SubscriptionSettings, TraceContext};
use mineseal_domain::{CameraCode, UtcMicros};
use mineseal_evidence::{EvidenceError, EvidenceStore, ObjectName, Stored, object_path};
use mineseal_schemas::{Evidence, EvidenceKind, EvidenceRequest};
use mineseal_video::{Excerpt, JpegEncoder, PacketRing, RingSettings, Source, VideoError};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Shared;
use crate::reading::now;

/// JPEG quality of full-size pictures.
const PICTURE_QUALITY: u8 = 90;
/// Longest clip before and after the moment, seconds, whatever a request asks for.
const LONGEST_SECONDS: f32 = 600.0;
/// How often it is looked whether the end of a clip has come.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A camera that gives nothing is not waited for longer than this beyond the end of the clip.
const BEYOND_THE_END: Duration = Duration::from_secs(1);
/// Requests that wait for the end of their clip, at most; an alarm storm must not fill the memory.
const MOST_WAITING: usize = 256;
/// Clips that are written at the same time.
const MOST_WRITING: usize = 2;

/// An evidence store that is away is waited for so long with a clip in hand, and asked again so often.
const LONGEST_OUTAGE: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(2);
/// Of all live cameras so many megabytes of clips wait for it at most; those that come then wait in their rings.
const MOST_UNSTORED_MEGABYTES: usize = 128;

/// Why there is no clip.
#[derive(Debug, Error)]
pub(crate) enum ClipFault {
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error(transparent)]
    Store(#[from] EvidenceError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("the packets of that moment are not kept any more")]
    Gone,
    #[error("no temporary file: {0}")]
    Temporary(#[from] std::io::Error),
    #[error("its thread broke off")]
    Thread,
}

/// The rings of the live cameras that this process reads.
#[derive(Debug)]
pub(crate) struct Rings {
    settings: RingSettings,
    rings: Mutex<BTreeMap<CameraCode, Arc<PacketRing>>>,
}

impl Rings {
    pub(crate) fn new(seconds: f64, megabytes: u32) -> Self {
        let span = Duration::try_from_secs_f64(seconds).unwrap_or(RingSettings::default().span);
        Self {
            settings: RingSettings {
                span,
                most_bytes: megabytes as usize * 1_000_000,
            },
            rings: Mutex::default(),
        }
    }

    /// The ring of a camera whose reading begins.
    pub(crate) fn add(&self, camera: &CameraCode) -> Arc<PacketRing> {
        let ring = Arc::new(PacketRing::new(self.settings));
        self.lock().insert(camera.clone(), Arc::clone(&ring));
        ring
    }

    /// A camera's reading is over; a ring that another reading of it has added meanwhile stays.
    pub(crate) fn remove(&self, camera: &CameraCode, ring: &Arc<PacketRing>) {
        let mut rings = self.lock();
        if rings.get(camera).is_some_and(|known| Arc::ptr_eq(known, ring)) {
            rings.remove(camera);
        }
    }

    fn get(&self, camera: &CameraCode) -> Option<Arc<PacketRing>> {
        self.lock().get(camera).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<CameraCode, Arc<PacketRing>>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers requests for cameras that are read live here, until `shutdown`.
///
/// Every extractor hears all requests, as only the reader of a camera has its past. It begins with the newest: the
/// past that an older request asks for has gone with the process that had it.
pub(crate) async fn run(
    shared: Arc<Shared>,
    store: EvidenceStore,
    shutdown: CancellationToken,
) -> Result<(), BusError> {
    let publisher = shared.bus.publisher()?;
    let mut settings = SubscriptionSettings::new(format!("frame-extractor-clips-{}", Uuid::now_v7()));
    settings.start_at = StartAt::Latest;
    let mut requests = shared.bus.subscribe::<EvidenceRequest>(settings)?;
    let waiting = Arc::new(Semaphore::new(MOST_WAITING));
    let writing = Arc::new(Semaphore::new(MOST_WRITING));
    let unstored = Arc::new(Semaphore::new(MOST_UNSTORED_MEGABYTES));
    loop {
        let batch = tokio::select! {
            batch = requests.next() => batch,
            () = shutdown.cancelled() => None,
        };
        let Some(batch) = batch else { break };
        for received in &batch.records {
            let request = received.value.clone();
            let Some(ring) = shared.rings.get(&request.camera) else {
                continue;
            };
            let Ok(place) = Arc::clone(&waiting).try_acquire_owned() else {
                tracing::warn!(alarm = %request.alarm, camera = %request.camera, "too many clips are waited for");
                shared.counters.clip(&request.camera, "refused");
                continue;
            };
            let (shared, store, publisher) = (Arc::clone(&shared), store.clone(), publisher.clone());
            let (writing, unstored) = (Arc::clone(&writing), Arc::clone(&unstored));
            let (shutdown, trace) = (shutdown.clone(), received.trace.clone());
            tokio::spawn(async move {
                let work = async {
                    until_it_has_come(&ring, &request).await;
                    let turn = writing.acquire().await;
                    let (before, after) = spans(&request);
                    let excerpt = ring
                        .excerpt(request.captured_at.0, before, after)
                        .ok_or(ClipFault::Gone)?;
                    let written = write(excerpt).await?;
                    let megabytes = (written.clip.len() >> 20).clamp(1, MOST_UNSTORED_MEGABYTES);
                    let _room = unstored.acquire_many(megabytes as u32).await;
                    drop(turn);
                    keep(&request, request.captured_at, written, &store, &publisher, trace).await
                };
                tokio::select! {
                    kept = work => note(&shared, &request, kept),
                    () = shutdown.cancelled() => {}
                }
                drop(place);
            });
        }
        batch.acknowledge();
    }
    if let Err(error) = requests.drain(Duration::from_secs(5)).await {
        tracing::debug!(%error, "the group for clips was not left in time");
    }
    Ok(())
}

/// Counts and tells how it went.
pub(crate) fn note(shared: &Shared, request: &EvidenceRequest, kept: Result<(), ClipFault>) {
    let (alarm, camera) = (&request.alarm, &request.camera);
    match kept {
        Ok(()) => {
            tracing::info!(%alarm, %camera, "clip stored");
            shared.counters.clip(camera, "stored");
        }
        Err(ClipFault::Gone) => {
            tracing::warn!(%alarm, %camera, "no clip: {}", ClipFault::Gone);
            shared.counters.clip(camera, "gone");
        }
        Err(fault) => {
            tracing::warn!(%alarm, %camera, %fault, "no clip");
            shared.counters.clip(camera, "failed");
        }
    }
}

fn spans(request: &EvidenceRequest) -> (Duration, Duration) {
    let span = |seconds: f32| {
        let bounded = if seconds > 0.0 {
            seconds.min(LONGEST_SECONDS)
        } else {
            0.0
        };
        Duration::from_secs_f32(bounded)
    };
    (span(request.seconds_before), span(request.seconds_after))
}

async fn until_it_has_come(ring: &PacketRing, request: &EvidenceRequest) {
    let moment = request.captured_at.0;
    let (_, after) = spans(request);
    let until = moment.saturating_add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
    let latest = until.saturating_add(BEYOND_THE_END.as_micros() as i64);
    while !ring.has_come(moment, until) && now().0 < latest {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The clip of a request to a camera whose source is a file: the frame of media time `media_time_micros` and what
/// the file has around it.
pub(crate) async fn of_file(
    request: &EvidenceRequest,
    source: Source,
    (media_time_micros, captured_at): (i64, UtcMicros),
    store: &EvidenceStore,
    publisher: &mineseal_bus::Publisher,
    trace: TraceContext,
) -> Result<(), ClipFault> {
    let (before, after) = spans(request);
    let cut = move || {
        // A file that repeats has gone round so many times.
        let length = mineseal_video::probe(&source, &Default::default())?
            .duration_micros
            .filter(|&length| length > 0)
            .unwrap_or(i64::MAX);
        Excerpt::of_file(&source, media_time_micros.rem_euclid(length), before, after)
    };
    let excerpt = tokio::task::spawn_blocking(cut)
        .await
        .map_err(|_| ClipFault::Thread)??
        .ok_or(ClipFault::Gone)?;
    let written = write(excerpt).await?;
    keep(request, captured_at, written, store, publisher, trace).await
}

/// What is stored of a request.
struct Written {
    clip: Bytes,
    picture: Bytes,
}

async fn write(excerpt: Excerpt) -> Result<Written, ClipFault> {
    let write = move || -> Result<Written, ClipFault> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("clip.mp4");
        excerpt.write_mp4(&path)?;
        let picture = JpegEncoder::new(PICTURE_QUALITY)?.encode(&excerpt.picture()?)?;
        Ok(Written {
            clip: std::fs::read(&path)?.into(),
            picture: picture.into(),
        })
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(|_| ClipFault::Thread)?
}

/// Stores an object, again and again while the store is away.
async fn put(store: &EvidenceStore, object: &str, bytes: Bytes) -> Result<Stored, EvidenceError> {
    let begun = tokio::time::Instant::now();
    let mut told = false;
    loop {
        match store.put(object, bytes.clone()).await {
            Err(error) if error.is_passing() && begun.elapsed() < LONGEST_OUTAGE => {
                // Ten minutes of it must not fill the log with one line.
                if !told {
                    tracing::warn!(object, %error, "a clip is not stored yet, trying again");
                }
                told = true;
                tokio::time::sleep(AGAIN).await;
            }
            done => return done,
        }
    }
}

/// Stores clip and picture and tells where they lie.
async fn keep(
    request: &EvidenceRequest,
    captured_at: UtcMicros,
    written: Written,
    store: &EvidenceStore,
    publisher: &mineseal_bus::Publisher,
    trace: TraceContext,
) -> Result<(), ClipFault> {
    for (kind, name, bytes) in [
        (EvidenceKind::Picture, ObjectName::FullPicture, written.picture),
        (EvidenceKind::Clip, ObjectName::Clip, written.clip),
    ] {
        let object = object_path(
            &request.mine,
            &request.alarm.to_string(),
            &request.id.to_string(),
            captured_at,
            name,
        );
        let stored = put(store, &object, bytes).await?;
        let evidence = Evidence {
            request: request.id,
            alarm: request.alarm,
            mine: request.mine.clone(),
            camera: request.camera.clone(),
            kind,
            object,
            sha256: stored.sha256,
            size_bytes: i64::try_from(stored.size).unwrap_or(i64::MAX),
            captured_at,
        };
        publisher.publish_in(&evidence, trace.clone()).await?;
    }
    Ok(())
}
