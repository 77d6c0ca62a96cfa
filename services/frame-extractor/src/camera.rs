use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use mineseal_bus::Entry;
use mineseal_schemas::Camera;
use mineseal_video::{Cancel, Decoding, PacketRing, VideoError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::CameraFault;
use crate::position::Position;
use crate::views::HandedOn;
use crate::{Shared, credentials, file, live, resume};

/// Reading that went well for this long starts the pauses anew.
const GOOD_WHILE: Duration = Duration::from_secs(60);

/// Shortest and longest pause, before their jitter, after a fault that may pass at any moment: a camera that comes
/// back is read again within five seconds, its opening included.
const SOON: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(1_500));
/// The same after a fault that somebody has to mend: a camera locks whoever comes with a wrong password too often.
const LATER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The same fault is told again after this.
const TELL_AGAIN: Duration = Duration::from_secs(60);

fn pauses((shortest, longest): (Duration, Duration)) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

/// How one reading ended, other than by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The file has been played.
    Finished,
    /// It was asked to stop.
    Stopped,
}

/// One camera's reading: what its thread needs.
pub(crate) struct Job {
    pub(crate) camera: Camera,
    pub(crate) shared: Arc<Shared>,
    pub(crate) runtime: Handle,
    /// For the waits of this crate.
    pub(crate) stop: CancellationToken,
    /// For the waits of FFmpeg.
    pub(crate) cancel: Cancel,
    pub(crate) decoding: Decoding,
    /// The last packets; of live sources.
    pub(crate) ring: Option<Arc<PacketRing>>,
    /// What is known of its views, from one reading to the next.
    pub(crate) view: HandedOn,
    /// The last frame that Kafka has; of file sources.
    pub(crate) position: Arc<Mutex<Option<Position>>>,
}

impl Job {
    pub(crate) fn reached(&self) -> Option<Position> {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_reached(&self, position: Position) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }
}

/// Reads one camera until `stop`, however often its source fails.
pub(crate) async fn tend(registered: Arc<Entry<Camera>>, shared: Arc<Shared>, stop: CancellationToken) {
    let camera = registered.value.clone();
    let (code, source) = (camera.code.clone(), shown_source(&camera));
    let position = match first_position(&registered, &shared, &stop).await {
        Some(Start::At(position)) => Arc::new(Mutex::new(position)),
        Some(Start::PlayedBefore) => {
            tracing::warn!(
                camera = %code, source,
                "was registered longer ago than frames are kept, so it may have been played; it is not played \
                 again: register it under another path, or with repeat"
            );
            return stop.cancelled().await;
        }
        None => return,
    };
    let live = mineseal_video::Source::parse(&camera.source).is_ok_and(|source| source.is_live());
    let ring = live.then(|| shared.rings.add(&code));
    let view = HandedOn::default();
    let (mut soon, mut later) = (pauses(SOON), pauses(LATER));
    let mut told: Option<(String, Instant)> = None;
    let cancel = Cancel::default();
    // The settings were checked when they were read.
    let decoding = Decoding::by(shared.settings.decode_device.parse().unwrap_or_default());
    let cancelling = {
        let (cancel, stop) = (cancel.clone(), stop.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            cancel.cancel();
        })
    };
    while !stop.is_cancelled() {
        let job = Job {
            camera: camera.clone(),
            shared: Arc::clone(&shared),
            runtime: Handle::current(),
            stop: stop.clone(),
            cancel: cancel.clone(),
            decoding: decoding.clone(),
            ring: ring.clone(),
            view: Arc::clone(&view),
            position: Arc::clone(&position),
        };
        let begun = Instant::now();
        let ended = read_on_thread(job).await;
        // Once it is asked to stop, the camera may be somebody else's: whoever asked tells what became of it.
        if !stop.is_cancelled() {
            shared.counters.connected(&code, false);
        }
        match ended {
            Ok(Ending::Stopped) => break,
            Ok(Ending::Finished) => {
                tracing::info!(camera = %code, source, "the file has been played to its end");
                stop.cancelled().await;
            }
            Err(_) if stop.is_cancelled() => break,
            Err(fault) => {
                shared.counters.fault(&code);
                if begun.elapsed() > GOOD_WHILE {
                    (soon, later) = (pauses(SOON), pauses(LATER));
                }
                let pause = if live && fault.may_pass_soon() {
                    &mut soon
                } else {
                    &mut later
                };
                let wait = pause.next().unwrap_or(GOOD_WHILE);
                // A camera that is away for days must not fill the log with one line.
                let text = fault.to_string();
                let news = told
                    .as_ref()
                    .is_none_or(|(before, at)| *before != text || at.elapsed() > TELL_AGAIN);
                if news {
                    tracing::warn!(camera = %code, source, %fault, again_in = ?wait, "reading broke off");
                    told = Some((text, Instant::now()));
                } else {
                    tracing::debug!(camera = %code, source, %fault, again_in = ?wait, "reading broke off again");
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
    cancelling.abort();
    if let Some(ring) = &ring {
        shared.rings.remove(&code, ring);
    }
}

/// Where a reading begins.
enum Start {
    At(Option<Position>),
    PlayedBefore,
}

/// For a file, the last frame that Kafka has of it; `None` when asked to stop meanwhile.
async fn first_position(
    registered: &Entry<Camera>,
    shared: &Arc<Shared>,
    stop: &CancellationToken,
) -> Option<Start> {
    let camera = &registered.value;
    let live = mineseal_video::Source::parse(&camera.source).map_or(true, |source| source.is_live());
    if live {
        return Some(Start::At(None));
    }
    loop {
        let looking = resume::last_position(&shared.bus, registered);
        let found = tokio::select! {
            found = looking => found,
            () = stop.cancelled() => return None,
        };
        match found {
            Ok(resume::Found::Position(position)) if position.is_from(&camera.source) => {
                tracing::info!(camera = %camera.code, ?position, "goes on after its last frame");
                return Some(Start::At(Some(position)));
            }
            Ok(resume::Found::Position(_) | resume::Found::Nothing) => return Some(Start::At(None)),
            Ok(resume::Found::MayBeGone) if camera.repeat => return Some(Start::At(None)),
            Ok(resume::Found::MayBeGone) => return Some(Start::PlayedBefore),
            Err(error) => {
                tracing::warn!(camera = %camera.code, %error, "its last frame cannot be looked up, trying again");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(2)) => {}
                    () = stop.cancelled() => return None,
                }
            }
        }
    }
}

/// Runs one reading on a thread of its own, so that a panic in it is a fault of this camera only.
async fn read_on_thread(job: Job) -> Result<Ending, CameraFault> {
    let (sender, ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(format!("camera-{}", job.camera.code))
        .spawn(move || {
            // Nobody waits any more when the task was dropped.
            sender.send(read(&job)).ok();
        });
    if thread.is_err() {
        return Err(CameraFault::Thread);
    }
    ended.await.unwrap_or(Err(CameraFault::Thread))
}

fn read(job: &Job) -> Result<Ending, CameraFault> {
    let source = credentials::source_of(&job.camera, &job.shared.settings.credentials_directory)?;
    let ended = if source.is_live() {
        live::read(job, &source)
    } else {
        file::read(job, &source)
    };
    match ended {
        Err(CameraFault::Video(VideoError::Cancelled { .. })) => Ok(Ending::Stopped),
        other => other,
    }
}

fn shown_source(camera: &Camera) -> String {
    mineseal_video::Source::parse(&camera.source)
        .map_or_else(|error| error.to_string(), |source| source.to_string())
}
