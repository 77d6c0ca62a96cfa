use std::collections::VecDeque;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use mineseal_bus::{BusError, Published, TraceContext};
use mineseal_video::{Source, VideoReader};

use crate::camera::{Ending, Job};
use crate::capture_clock::CaptureClock;
use crate::error::CameraFault;
use crate::position::{Position, new_session};
use crate::pressure::{Place, Skipped, Standing};
use crate::reading::{Damage, Workshop, now, open_settings, sampler};

/// Frames of one camera that Kafka has not acknowledged; more of them are not queued.
const MOST_IN_FLIGHT: usize = 32;

type Acknowledgement = (BoxFuture<'static, Result<Published, BusError>>, Place);

/// Reads a live source in a new session until it fails. Its pictures do not wait: what Kafka does not take in
/// time is dropped and counted, before it gets a sequence number.
pub(crate) fn read(job: &Job, source: &Source) -> Result<Ending, CameraFault> {
    let mut workshop = Workshop::new(job)?;
    let mut reader = VideoReader::open(source, &open_settings(job))?;
    let mut sampler = sampler(&job.camera, reader.facts())?;
    let (code, counters) = (&job.camera.code, &job.shared.counters);
    counters.connected(code, true);
    let session = new_session(&job.camera.source);
    tracing::info!(camera = %code, %session, facts = ?reader.facts(), "the camera is being read");
    let mut sequence = 0;
    let mut clock = CaptureClock::default();
    let mut suspected = false;
    let standing = Standing::of(&job.camera);
    let _seat = job.shared.pressure.join();
    let mut in_flight: VecDeque<Acknowledgement> = VecDeque::new();
    let mut damage = Damage::default();
    while let Some(mut picture) = reader.next()? {
        damage.note(&picture);
        if !sampler.take(picture.media_time_micros) {
            continue;
        }
        damage.mark(&mut picture);
        collect(&mut in_flight)?;
        let captured = clock.take(picture.media_time_micros, now(), picture.camera_time_micros);
        let captured_at = captured.at;
        if let Some(ahead) = captured.camera_ahead {
            counters.camera_clock(code, ahead as f64 / 1e6);
        }
        if captured.suspect != suspected {
            suspected = captured.suspect;
            let ahead_seconds = captured.camera_ahead.unwrap_or(0) as f64 / 1e6;
            if suspected {
                tracing::warn!(camera = %code, ahead_seconds, "the camera's clock is suspect, ours is taken");
            } else {
                tracing::info!(camera = %code, "the camera's clock is right again");
            }
        }
        let place = if in_flight.len() >= MOST_IN_FLIGHT {
            Err(Skipped::Camera)
        } else {
            job.shared.pressure.place(&job.camera.mine, standing)
        };
        let place = match place {
            Ok(place) => place,
            Err(skipped) => {
                counters.dropped(code, skipped);
                continue;
            }
        };
        if let Some(ring) = &job.ring {
            ring.note(captured_at.0, picture.source_timestamp());
        }
        let media_time_micros = picture.media_time_micros;
        let mut frame = workshop.frame(
            &picture,
            Position {
                session,
                sequence,
                media_time_micros,
                captured_at,
            },
        )?;
        frame.clock_suspect = captured.suspect;
        let span = tracing::info_span!("frame", camera = %code, sequence);
        match span.in_scope(|| job.shared.publisher.try_enqueue(&frame, TraceContext::current())) {
            Ok(delivery) => in_flight.push_back((delivery.acknowledged().boxed(), place)),
            Err(BusError::QueueFull { .. }) => {
                counters.dropped(code, Skipped::Queue);
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        counters.published(code);
        if frame.corrupt {
            counters.corrupt(code);
        }
        sequence += 1;
    }
    Ok(Ending::Stopped)
}

/// Takes out what Kafka has acknowledged meanwhile.
fn collect(in_flight: &mut VecDeque<Acknowledgement>) -> Result<(), BusError> {
    while let Some((oldest, _)) = in_flight.front_mut() {
        match oldest.now_or_never() {
            Some(result) => {
                in_flight.pop_front();
                result?;
            }
            None => break,
        }
    }
    Ok(())
}
