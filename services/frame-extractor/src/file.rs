use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use mineseal_bus::{Delivery, Published, TraceContext};
use mineseal_schemas::Frame;
use mineseal_video::{OpenSettings, Source, VideoError, VideoReader};
use tokio::time::Instant;

use crate::bookmark;
use crate::camera::{Ending, Job};
use crate::error::CameraFault;
use crate::position::{Position, new_session};
use crate::reading::{Damage, Workshop, now, open_settings, sampler};

/// Frames of one file that Kafka has not acknowledged; reading waits for them.
const MOST_IN_FLIGHT: usize = 8;
/// When reading stops, this long is waited for the acknowledgement of what is queued.
const LAST_FRAMES_GRACE: Duration = Duration::from_secs(3);
/// How often it is noted how far the file was read, besides at its end and when stopped.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// Reads a file, or a folder of pictures, from where it was left.
///
/// Session, sequence, media time and capture time of each frame follow from the frame before it, so two
/// extractors that go on after the same frame publish the same frames.
pub(crate) fn read(job: &Job, source: &Source) -> Result<Ending, CameraFault> {
    let mut player = Player::new(job)?;
    let ended = player.play(source);
    if !matches!(ended, Err(CameraFault::Bus(_))) {
        player.settle()?;
        player.bookmark();
    }
    ended
}

struct Player<'job> {
    job: &'job Job,
    workshop: Workshop,
    /// Position of the last frame that was queued.
    last: Option<Position>,
    in_flight: VecDeque<(Position, Delivery)>,
    /// The moment at which media time was what; pacing starts with the first frame.
    pace: Option<(Instant, i64)>,
    /// The last frame that Kafka has, where it is not noted yet.
    unmarked: Option<(Position, Published)>,
    marked_at: Instant,
}

impl<'job> Player<'job> {
    fn new(job: &'job Job) -> Result<Self, VideoError> {
        let workshop = Workshop::new(job)?;
        Ok(Self {
            job,
            workshop,
            last: job.reached(),
            in_flight: VecDeque::new(),
            pace: None,
            unmarked: None,
            marked_at: Instant::now(),
        })
    }

    fn play(&mut self, source: &Source) -> Result<Ending, CameraFault> {
        let settings = open_settings(self.job);
        let mut reader = VideoReader::open(source, &settings)?;
        let mut sampler = sampler(&self.job.camera, reader.facts())?;
        self.job.shared.counters.connected(&self.job.camera.code, true);
        tracing::info!(camera = %self.job.camera.code, facts = ?reader.facts(), "the file is being read");
        let length = if self.job.camera.repeat {
            Some(length(&reader, source, &settings)?)
        } else {
            None
        };
        let mut begins_at = 0;
        if let Some(last) = self.last {
            begins_at = length.map_or(0, |length| last.media_time_micros / length * length);
            sampler = sampler.after(last.media_time_micros);
            reader.skip_past(last.media_time_micros - begins_at)?;
        }
        let mut damage = Damage::default();
        loop {
            while let Some(mut picture) = reader.next()? {
                damage.note(&picture);
                let media_time = begins_at + picture.media_time_micros;
                let is_new = self.last.is_none_or(|last| media_time > last.media_time_micros);
                if !is_new || !sampler.take(media_time) {
                    continue;
                }
                if !self.wait_for(media_time) {
                    return Ok(Ending::Stopped);
                }
                damage.mark(&mut picture);
                let position = self.next_position(media_time);
                let frame = self.workshop.frame(&picture, position)?;
                if !self.publish(&frame, position)? {
                    return Ok(Ending::Stopped);
                }
            }
            let Some(length) = length else {
                return Ok(Ending::Finished);
            };
            begins_at += length;
            reader = VideoReader::open(source, &settings)?;
        }
    }

    /// Waits until the picture at this media time is due. False when asked to stop.
    fn wait_for(&mut self, media_time: i64) -> bool {
        if self.job.shared.settings.as_fast_as_possible {
            return !self.job.stop.is_cancelled();
        }
        let (begun, begun_at) = *self.pace.get_or_insert((Instant::now(), media_time));
        let ahead = u64::try_from(media_time - begun_at).unwrap_or(0);
        let due = begun + Duration::from_micros(ahead);
        self.unless_stopped(async move { tokio::time::sleep_until(due).await })
            .is_some()
    }

    fn next_position(&self, media_time_micros: i64) -> Position {
        match self.last {
            Some(last) => Position {
                session: last.session,
                sequence: last.sequence + 1,
                media_time_micros,
                captured_at: last
                    .captured_at
                    .plus_micros(media_time_micros - last.media_time_micros),
            },
            None => Position {
                session: new_session(&self.job.camera.source),
                sequence: 0,
                media_time_micros,
                captured_at: now(),
            },
        }
    }

    /// Queues a frame, waiting for room. False when asked to stop before there was any.
    fn publish(&mut self, frame: &Frame, position: Position) -> Result<bool, CameraFault> {
        while self.in_flight.len() >= MOST_IN_FLIGHT {
            if !self.acknowledge_oldest()? {
                return Ok(false);
            }
        }
        let publisher = self.job.shared.publisher.clone();
        let span = tracing::info_span!("frame", camera = %frame.camera, sequence = frame.sequence);
        let trace = span.in_scope(TraceContext::current);
        let Some(delivery) = self.unless_stopped(publisher.enqueue(frame, trace)) else {
            return Ok(false);
        };
        self.in_flight.push_back((position, delivery?));
        self.last = Some(position);
        self.job.shared.counters.published(&frame.camera);
        if frame.corrupt {
            self.job.shared.counters.corrupt(&frame.camera);
        }
        Ok(true)
    }

    /// False when asked to stop before it came.
    fn acknowledge_oldest(&mut self) -> Result<bool, CameraFault> {
        let Some((position, delivery)) = self.in_flight.pop_front() else {
            return Ok(true);
        };
        let Some(result) = self.unless_stopped(delivery.acknowledged()) else {
            return Ok(false);
        };
        self.reached(position, result?);
        if self.marked_at.elapsed() > BOOKMARK_INTERVAL {
            self.bookmark();
        }
        Ok(true)
    }

    /// Waits for what is queued: whoever goes on after us finds it then.
    fn settle(&mut self) -> Result<(), CameraFault> {
        let until = Instant::now() + LAST_FRAMES_GRACE;
        while let Some((position, delivery)) = self.in_flight.pop_front() {
            let runtime = self.job.runtime.clone();
            let acknowledged = async { tokio::time::timeout_at(until, delivery.acknowledged()).await };
            match runtime.block_on(acknowledged) {
                Ok(result) => self.reached(position, result?),
                Err(_) => {
                    tracing::warn!(camera = %self.job.camera.code, "its last frames are not acknowledged yet");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn reached(&mut self, position: Position, published: Published) {
        self.job.has_reached(position);
        self.unmarked = Some((position, published));
    }

    /// Notes how far the file was read. It is only needed when the frames themselves are no longer kept, so
    /// that it may fail.
    fn bookmark(&mut self) {
        self.marked_at = Instant::now();
        let Some((position, published)) = self.unmarked.take() else {
            return;
        };
        let camera = &self.job.camera.code;
        if let Err(error) = bookmark::write(&self.job.shared.bus, camera, position, published) {
            tracing::warn!(%camera, %error, "how far the file was read is not noted");
        }
    }

    fn unless_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        self.job.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.job.stop.cancelled() => None,
                output = future => Some(output),
            }
        })
    }
}

/// How long one pass over a repeating source takes, in media time: the same for every extractor that reads it.
fn length(reader: &VideoReader, source: &Source, settings: &OpenSettings) -> Result<i64, VideoError> {
    if let Some(length) = reader.facts().duration_micros.filter(|&length| length > 0) {
        return Ok(length);
    }
    // The container does not say it: to the last picture, and as long as a picture lasts on the average.
    let mut whole = VideoReader::open(source, settings)?;
    let (mut pictures, mut last) = (0, 0);
    while let Some(picture) = whole.next()? {
        pictures += 1;
        last = picture.media_time_micros;
    }
    Ok(if pictures > 1 {
        last + last / (pictures - 1)
    } else {
        1_000_000
    })
}
