//! What the detectors' threads tell of their work.

use std::time::{Duration, Instant};

use mineseal_detector::Timings;
use mineseal_telemetry::{Counter, Histogram, Metrics};

/// Seconds: from a small net on a fast core to a queue that stands still, each about twice the one before.
const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];
/// Pictures in a batch.
const PICTURES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

const STAGE: &str = "inference_stage_seconds";
const STAGE_HELP: &str = "Seconds of one picture: waiting for a detector, and then its share of its batch's decoding, net and \
                          suppression";

/// Cheap to clone; each thread has its own.
#[derive(Clone, Debug)]
pub(crate) struct Measures {
    images: Counter,
    cancelled: Counter,
    unusable: Counter,
    batch: Histogram,
    queue: Histogram,
    decode: Histogram,
    net: Histogram,
    suppression: Histogram,
}

impl Measures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let stage = |stage: &str| metrics.histogram(STAGE, STAGE_HELP, SECONDS, &[("stage", stage)]);
        let skipped = |reason: &str| {
            let help = "Pictures that went to the detectors and were not looked at, by reason";
            metrics.counter("inference_skipped", help, &[("reason", reason)])
        };
        Self {
            images: metrics.counter("inference_images", "Pictures that were looked at", &[]),
            cancelled: skipped("cancelled"),
            unusable: skipped("unusable"),
            batch: metrics.histogram("inference_batch_size", "Pictures in a batch", PICTURES, &[]),
            queue: stage("queue"),
            decode: stage("decode"),
            net: stage("net"),
            suppression: stage("nms"),
        }
    }

    /// A detector takes a picture that came at `asked_at`.
    pub(crate) fn taken(&self, asked_at: Instant) {
        self.queue.observe(asked_at.elapsed().as_secs_f64());
    }

    /// Nobody waits for a picture any more.
    pub(crate) fn cancelled(&self, pictures: usize) {
        self.cancelled.inc_by(pictures as u64);
    }

    /// A picture could not be decoded.
    pub(crate) fn unusable(&self) {
        self.unusable.inc();
    }

    /// A batch was looked at.
    pub(crate) fn looked_at(&self, pictures: usize, timings: Timings) {
        self.images.inc_by(pictures as u64);
        self.batch.observe(pictures as f64);
        let share = |duration: Duration| duration.as_secs_f64() / pictures.max(1) as f64;
        for _ in 0..pictures {
            self.decode.observe(share(timings.pictures));
            self.net.observe(share(timings.net));
            self.suppression.observe(share(timings.boxes));
        }
    }
}
