use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mineseal_domain::UtcMicros;
use mineseal_picture::{HealthMeter, LumaPlane, ViewMeter};
use mineseal_schemas::{Camera, Frame};
use mineseal_video::{
    Cancel, DecodedPicture, JpegEncoder, OpenSettings, Sampler, Scaler, SourceFacts, Transport, VideoError,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::Shared;
use crate::camera::Job;
use crate::error::CameraFault;
use crate::position::Position;
use crate::views::{HandedOn, Taken};

/// What brings one reading's pictures into the form of frames.
pub(crate) struct Workshop {
    camera: Camera,
    shared: Arc<Shared>,
    runtime: Handle,
    handed_on: HandedOn,
    /// The views that were kept, where the store has not answered yet.
    awaited: Option<oneshot::Receiver<ViewMeter>>,
    /// Views that are kept.
    learnt: u64,
    detect: bool,
    scaler: Scaler,
    meter: HealthMeter,
    encoder: JpegEncoder,
}

impl Workshop {
    pub(crate) fn new(job: &Job) -> Result<Self, VideoError> {
        let settings = &job.shared.settings;
        let Taken { view, later } = job.shared.views.take(&job.camera, &job.view, &job.runtime);
        Ok(Self {
            camera: job.camera.clone(),
            shared: Arc::clone(&job.shared),
            runtime: job.runtime.clone(),
            handed_on: Arc::clone(&job.view),
            awaited: later,
            learnt: view.learnt(),
            detect: job
                .camera
                .analyses
                .iter()
                .any(|analysis| analysis.needs_detector()),
            scaler: Scaler::to_width(settings.picture_width),
            meter: HealthMeter::new(&job.camera.regions).with_view(view),
            encoder: JpegEncoder::new(u8::try_from(settings.jpeg_quality).unwrap_or(75))?,
        })
    }

    /// The frame that shows `picture` at `position`.
    pub(crate) fn frame(
        &mut self,
        picture: &DecodedPicture,
        position: Position,
    ) -> Result<Frame, CameraFault> {
        self.look_for_views();
        let small = self.scaler.scale(picture)?;
        let (width, height) = (small.width() as usize, small.height() as usize);
        let luma = LumaPlane::new(width, height, width, small.luma())?;
        let chroma = |plane: usize| {
            let length = small.row_length(plane);
            LumaPlane::new(length, height.div_ceil(2), length, &small.planes()[plane])
        };
        let (health, view) =
            self.meter
                .measure_all(position.captured_at, &luma, Some(&[chroma(1)?, chroma(2)?]));
        if self.awaited.is_none() && self.meter.view().learnt() != self.learnt {
            self.learnt = self.meter.view().learnt();
            self.shared
                .views
                .keep(&self.camera, self.meter.view(), &self.runtime);
        }
        let jpeg = self.encoder.encode(&small)?;
        let pixels = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        Ok(Frame {
            camera: self.camera.code.clone(),
            mine: self.camera.mine.clone(),
            place: self.camera.place,
            session: position.session,
            sequence: position.sequence,
            captured_at: position.captured_at,
            published_at: now(),
            media_time_micros: position.media_time_micros,
            width: pixels(small.width()),
            height: pixels(small.height()),
            source_width: pixels(picture.width),
            source_height: pixels(picture.height),
            corrupt: picture.corrupt,
            detect: self.detect,
            clock_suspect: false,
            health,
            view,
            jpeg,
        })
    }

    /// Goes on with the views that were kept, if the store has answered at last: what was learnt meanwhile may be of a
    /// camera that was turned.
    fn look_for_views(&mut self) {
        let Some(awaited) = &mut self.awaited else { return };
        match awaited.try_recv() {
            Ok(view) => {
                // A camera that nothing was known of goes on with what it has learnt.
                if view.has_view() {
                    self.learnt = view.learnt();
                    *self.meter.view_mut() = view;
                }
                self.awaited = None;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Closed) => self.awaited = None,
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if self.awaited.is_some() {
            // The next reading asks again.
            return;
        }
        let view = std::mem::take(self.meter.view_mut());
        *self.handed_on.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }
}

/// Errors of the decoder since the last picture that was taken: what is predicted from a damaged picture is damaged
/// too, so the mark must not be lost with the pictures that are left out. What is left of the damage in later ones, up
/// to the next key frame, is not marked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Damage(bool);

impl Damage {
    /// Takes note of every picture that was decoded.
    pub(crate) fn note(&mut self, picture: &DecodedPicture) {
        // A key frame leans on nothing that was before it.
        self.0 = picture.corrupt || (self.0 && !picture.key_frame);
    }

    /// Marks the picture that is taken, and begins anew.
    pub(crate) fn mark(&mut self, picture: &mut DecodedPicture) {
        picture.corrupt |= std::mem::take(&mut self.0);
    }
}

/// How the source is opened, by registration and settings.
pub(crate) fn open_settings(job: &Job) -> OpenSettings {
    OpenSettings {
        deadline: Duration::from_secs_f64(job.shared.settings.stall_seconds.clamp(0.1, 3600.0)),
        key_frames_only: job.camera.sampling.key_frames_only,
        transport: Transport::Tcp,
        cancel: Cancel::clone(&job.cancel),
        ring: job.ring.clone(),
        decoding: job.decoding.clone(),
        ..OpenSettings::default()
    }
}

/// The sampler that the registration asks for.
pub(crate) fn sampler(camera: &Camera, facts: &SourceFacts) -> Result<Sampler, VideoError> {
    // The rate of a source says nothing about the distance of its key frames.
    let rate = facts
        .frames_per_second
        .filter(|_| !camera.sampling.key_frames_only);
    Sampler::new(camera.sampling.frames_per_second, rate)
}

/// The clock on the wall.
pub(crate) fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
