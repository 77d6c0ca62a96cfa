use std::time::Instant;

use mineseal_counting::{CrossingCounter, past_the_edges};
use mineseal_detector::{Detector, DetectorError, DetectorSettings, PictureRef, YoloxDetector};
use mineseal_domain::{Detection, Direction, ObjectClass, ObjectGroup, UtcMicros};
use mineseal_tracking::Tracker;
use mineseal_video::{OpenSettings, RgbPicture, Sampler, Scaler, Source, VideoReader, YuvPicture};

use crate::drawing::Drawing;
use crate::line::check_inside;
use crate::output::thousandths;
use crate::{CountError, CountSettings, CrossingLine, Progress, Summary};

/// Width at which the running system publishes its frames.
const PUBLISHED_WIDTH: u32 = 640;

/// Pictures that one detector takes at once.
const BATCH: usize = 4;

/// Counts the crossings of one line in one video. Crossings are told as they are decided, which for a track
/// that ends near the line is some seconds of media time after the crossing itself.
///
/// # Errors
/// [`CountError`]: the line does not fit the picture, the video or the weights cannot be used.
pub fn count_video(
    settings: &CountSettings,
    mut on_crossing: impl FnMut(&CrossingLine),
    mut on_progress: impl FnMut(Progress),
) -> Result<Summary, CountError> {
    let started = Instant::now();
    let source = Source::File(settings.video.clone());
    let mut reader = VideoReader::open(&source, &OpenSettings::default())?;
    let facts = reader.facts().clone();
    check_inside(&settings.line, facts.width, facts.height)?;
    let mut sampler = Sampler::new(settings.frames_per_second, facts.frames_per_second)?;
    let mut detectors = detectors(settings)?;
    let mut work = Work::new(settings, facts.width, facts.height, facts.frames_per_second)?;
    let of_seconds = facts.duration_micros.map(|micros| micros as f64 / 1e6);

    let mut first = None;
    let (mut frames, mut last_seconds) = (0_i64, 0.0);
    let mut waiting = Vec::new();
    let full = detectors.len() * BATCH;
    while let Some(picture) = reader.next()? {
        if (picture.width, picture.height) != (facts.width, facts.height) {
            return Err(CountError::SizeChanged {
                video: settings.video.clone(),
                frame: frames,
                found: format!("{}x{}", picture.width, picture.height),
                expected: format!("{}x{}", facts.width, facts.height),
            });
        }
        let micros = picture
            .media_time_micros
            .saturating_sub(*first.get_or_insert(picture.media_time_micros));
        last_seconds = micros as f64 / 1e6;
        if sampler.take(picture.media_time_micros) {
            waiting.push(Sample {
                frame: frames,
                at: UtcMicros(micros),
                published: work.scaler.scale(&picture)?,
                drawn: work
                    .drawing
                    .as_mut()
                    .map(|drawing| drawing.canvas(&picture))
                    .transpose()?,
            });
        }
        frames += 1;
        if waiting.len() >= full {
            work.take(&mut detectors, std::mem::take(&mut waiting), &mut on_crossing)?;
            on_progress(Progress {
                frames,
                seconds: last_seconds,
                of_seconds,
            });
        }
    }
    if frames == 0 {
        return Err(CountError::NoPictures {
            video: settings.video.clone(),
        });
    }
    work.take(&mut detectors, waiting, &mut on_crossing)?;
    let mut summary = work.finish(&mut on_crossing)?;
    let frame_seconds = match facts.frames_per_second {
        Some(rate) => 1.0 / rate,
        None if frames > 1 => last_seconds / (frames - 1) as f64,
        None => 0.0,
    };
    summary.frames = frames;
    summary.seconds_of_video = thousandths(last_seconds + frame_seconds);
    summary.wall_seconds = thousandths(started.elapsed().as_secs_f64());
    on_progress(Progress {
        frames,
        seconds: last_seconds,
        of_seconds,
    });
    Ok(summary)
}

/// A frame that was taken.
struct Sample {
    frame: i64,
    at: UtcMicros,
    published: YuvPicture,
    drawn: Option<RgbPicture>,
}

impl Sample {
    fn picture(&self) -> PictureRef<'_> {
        let [luma, blue, red] = self.published.planes();
        PictureRef::Yuv420 {
            luma,
            blue,
            red,
            width: self.published.width() as usize,
            height: self.published.height() as usize,
            full_range: false,
        }
    }
}

fn detectors(settings: &CountSettings) -> Result<Vec<YoloxDetector>, DetectorError> {
    let classes = match settings.group {
        ObjectGroup::Person => vec![ObjectClass::Person],
        ObjectGroup::Vehicle => vec![ObjectClass::Car, ObjectClass::Bus, ObjectClass::Truck],
    };
    let detector_settings = DetectorSettings {
        input: settings.input,
        score_threshold: settings.tracker.low_score,
        classes: Some(classes),
        max_batch: BATCH,
        device: settings.device,
        ..DetectorSettings::default()
    };
    let mut detectors = vec![YoloxDetector::load(&settings.weights, detector_settings)?];
    while detectors.len() < settings.threads {
        detectors.push(detectors[0].another()?);
    }
    Ok(detectors)
}

/// Finds the objects of every sample, the samples dealt out to the detectors in runs.
fn detect(detectors: &mut [YoloxDetector], samples: &[Sample]) -> Result<Vec<Vec<Detection>>, CountError> {
    let share = samples.len().div_ceil(detectors.len()).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = detectors
            .iter_mut()
            .zip(samples.chunks(share))
            .map(|(detector, run)| {
                scope.spawn(move || {
                    let pictures: Vec<PictureRef<'_>> = run.iter().map(Sample::picture).collect();
                    detector.detect(&pictures)
                })
            })
            .collect();
        let mut found = Vec::with_capacity(samples.len());
        for thread in threads {
            found.extend(thread.join().map_err(|_| CountError::DetectorThread)??);
        }
        Ok(found)
    })
}

/// From the sampled frames on.
struct Work {
    scaler: Scaler,
    /// Pixels of the video for a pixel of the published picture, to the right and downwards.
    enlarge: (f32, f32),
    tracker: Tracker,
    counter: CrossingCounter,
    drawing: Option<Drawing>,
    summary: Summary,
}

impl Work {
    fn new(
        settings: &CountSettings,
        width: u32,
        height: u32,
        video_rate: Option<f64>,
    ) -> Result<Self, CountError> {
        let scaler = Scaler::to_width(PUBLISHED_WIDTH);
        let published = scaler.size_for(width, height);
        let line = past_the_edges(settings.line, width as f32, height as f32);
        let drawing = match &settings.draw {
            Some(path) => {
                let rate = settings
                    .frames_per_second
                    .min(video_rate.unwrap_or(f64::INFINITY));
                Some(Drawing::create(path, (width, height), rate, settings)?)
            }
            None => None,
        };
        Ok(Self {
            enlarge: (
                width as f32 / published.0 as f32,
                height as f32 / published.1 as f32,
            ),
            scaler,
            tracker: Tracker::new(settings.tracker),
            counter: CrossingCounter::new(line, settings.anchor, settings.group, settings.rule)
                .in_picture(width as f32, height as f32),
            drawing,
            summary: Summary::default(),
        })
    }

    fn take(
        &mut self,
        detectors: &mut [YoloxDetector],
        samples: Vec<Sample>,
        on_crossing: &mut impl FnMut(&CrossingLine),
    ) -> Result<(), CountError> {
        let found = detect(detectors, &samples)?;
        for (sample, mut detections) in samples.into_iter().zip(found) {
            for detection in &mut detections {
                let seen = &mut detection.bounding_box;
                seen.left *= self.enlarge.0;
                seen.width *= self.enlarge.0;
                seen.top *= self.enlarge.1;
                seen.height *= self.enlarge.1;
            }
            let objects = self.tracker.update(sample.at, &detections);
            let crossings = self.counter.update(sample.at, sample.frame, &objects);
            for crossing in &crossings {
                self.tell(&CrossingLine::new(crossing), on_crossing);
            }
            if let (Some(drawing), Some(picture)) = (&mut self.drawing, sample.drawn) {
                drawing.write(
                    picture,
                    &objects,
                    &crossings,
                    (self.summary.entered, self.summary.left),
                )?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, crossing: &CrossingLine, on_crossing: &mut impl FnMut(&CrossingLine)) {
        match crossing.direction {
            Direction::In => self.summary.entered += 1,
            Direction::Out => self.summary.left += 1,
        }
        on_crossing(crossing);
    }

    fn finish(mut self, on_crossing: &mut impl FnMut(&CrossingLine)) -> Result<Summary, CountError> {
        for crossing in self.counter.finish() {
            self.tell(&CrossingLine::new(&crossing), on_crossing);
        }
        if let Some(drawing) = self.drawing.take() {
            drawing.finish()?;
        }
        Ok(self.summary)
    }
}
