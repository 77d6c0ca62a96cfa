use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, bounded};
use mineseal_detector::{Detector, DetectorError, PictureRef, YoloxDetector, own_weights};
use mineseal_domain::Detection;
use mineseal_schemas::Frame;
use mineseal_telemetry::Metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::assembly::{Assembly, Next};
use crate::measures::Measures;
use crate::{InferenceError, InferenceSettings};

/// What became of one picture.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// Best score first.
    Found(Vec<Detection>),
    /// The picture cannot be used; why.
    Unusable(String),
    /// The detector itself failed.
    Failed(String),
}

/// One picture on its way.
struct Job {
    frame: Arc<Frame>,
    asked_at: Instant,
    answer: oneshot::Sender<Answer>,
    /// Room among the pictures that are under way.
    _room: OwnedSemaphorePermit,
}

/// The detectors' threads, and the one that puts batches together. Cheap to clone; the threads end when the last
/// clone is dropped and the pictures under way are answered.
#[derive(Clone)]
pub(crate) struct Detectors {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    capacity: usize,
    /// As the published detections name it.
    pub(crate) model: Arc<str>,
}

impl Detectors {
    /// Reads the weights and starts the threads.
    pub(crate) fn start(settings: &InferenceSettings, metrics: &Metrics) -> Result<Self, InferenceError> {
        let measures = Measures::new(metrics);
        let weights = match settings.weights.as_os_str().is_empty() {
            true => own_weights().map_err(InferenceError::OwnWeights)?,
            false => settings.weights.clone(),
        };
        let first = YoloxDetector::load(&weights, settings.detector())?;
        let card = first.model().clone();
        let workers = settings.workers();
        tracing::info!(
            model = card.id,
            input = %card.input,
            classes = ?card.classes,
            device = first.device_name().unwrap_or("cpu"),
            workers,
            batch = settings.batch(),
            "detector loaded"
        );
        // A batch in every worker, and one for each that is put together meanwhile.
        let capacity = 2 * workers * settings.batch();
        let (jobs, job_receiver) = bounded(capacity);
        // Nobody waits in this channel: a batch goes to a worker that is free, or it may still grow.
        let (batches, batch_receiver) = bounded(0);
        let assembly = Assembly::new(settings.batch(), settings.max_wait);
        spawn("assemble", move || assemble(assembly, &job_receiver, &batches))?;
        for number in 0..workers {
            let mut detector = first.another()?;
            let batches: Receiver<Vec<Job>> = batch_receiver.clone();
            let measures = measures.clone();
            spawn(&format!("detect-{number}"), move || {
                for batch in batches {
                    answer(&mut detector, batch, &measures);
                }
            })?;
        }
        Ok(Self {
            jobs,
            room: Arc::new(Semaphore::new(capacity)),
            capacity,
            model: card.id.into(),
        })
    }

    /// Most pictures under way.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Waits until there is room for one more picture under way, and hands it over.
    pub(crate) async fn ask(&self, frame: Arc<Frame>) -> Result<oneshot::Receiver<Answer>, InferenceError> {
        let ended = || InferenceError::DetectorEnded("its threads are gone".to_owned());
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| ended())?;
        let (sender, answer) = oneshot::channel();
        // As many permits as places in the channel: it is never full.
        self.jobs
            .try_send(Job {
                frame,
                asked_at: Instant::now(),
                answer: sender,
                _room: room,
            })
            .map_err(|_| ended())?;
        Ok(answer)
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), InferenceError> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map(drop).map_err(|source| InferenceError::Thread {
        name: name.to_owned(),
        source,
    })
}

/// The loop of the thread that puts batches together; ends when no more pictures can come and none is left, or
/// when no worker is left.
fn assemble(mut assembly: Assembly<Job>, jobs: &Receiver<Job>, batches: &Sender<Vec<Job>>) {
    loop {
        let received = match assembly.next(Instant::now()) {
            Next::Collect => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Next::CollectUntil(due_at) => jobs.recv_deadline(due_at),
            Next::Offer => {
                if batches.send(assembly.take()).is_err() {
                    return;
                }
                continue;
            }
            Next::OfferAndCollect => {
                let mut select = Select::new();
                let offered = select.send(batches);
                select.recv(jobs);
                let ready = select.select();
                if ready.index() == offered {
                    if ready.send(batches, assembly.take()).is_err() {
                        return;
                    }
                    continue;
                }
                ready.recv(jobs).map_err(|_| RecvTimeoutError::Disconnected)
            }
        };
        match received {
            Ok(job) => assembly.push(job, Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let last = assembly.take();
                if !last.is_empty() {
                    batches.send(last).ok();
                }
                return;
            }
        }
    }
}

/// Looks at a batch and answers each picture; one for whose answer nobody waits any more is left out. A picture that
/// cannot be used is taken out, and the others are looked at again.
fn answer(detector: &mut YoloxDetector, mut batch: Vec<Job>, measures: &Measures) {
    let given = batch.len();
    batch.retain(|job| !job.answer.is_closed());
    measures.cancelled(given - batch.len());
    for job in &batch {
        measures.taken(job.asked_at);
    }
    while !batch.is_empty() {
        let pictures: Vec<PictureRef<'_>> = batch
            .iter()
            .map(|job| PictureRef::Jpeg(&job.frame.jpeg))
            .collect();
        match detector.detect(&pictures) {
            Ok(found) => {
                measures.looked_at(batch.len(), detector.timings());
                for (job, found) in batch.drain(..).zip(found) {
                    reply(job, Answer::Found(found));
                }
            }
            Err(DetectorError::Picture { index, reason }) if index < batch.len() => {
                measures.unusable();
                reply(batch.remove(index), Answer::Unusable(reason));
            }
            Err(error) => {
                tracing::error!(%error, "the detector failed");
                for job in batch.drain(..) {
                    reply(job, Answer::Failed(error.to_string()));
                }
            }
        }
    }
}

fn reply(job: Job, answer: Answer) {
    // Nobody listens any more when the service ends; the frame is then read again.
    job.answer.send(answer).ok();
}

#[cfg(test)]
mod tests {
    use mineseal_detector::{DetectorSettings, InputSize};
    use mineseal_schemas::samples::samples;

    use super::*;

    fn job(room: &Arc<Semaphore>, jpeg: &[u8]) -> (Job, oneshot::Receiver<Answer>) {
        let frame = Frame {
            jpeg: jpeg.to_vec(),
            ..samples().unwrap().frame
        };
        let (sender, receiver) = oneshot::channel();
        let job = Job {
            frame: Arc::new(frame),
            asked_at: Instant::now(),
            answer: sender,
            _room: Arc::clone(room).try_acquire_owned().unwrap(),
        };
        (job, receiver)
    }

    #[test]
    fn whom_nobody_waits_for_is_not_looked_at_and_all_is_counted() {
        let settings = DetectorSettings {
            input: Some(InputSize {
                width: 64,
                height: 32,
            }),
            ..DetectorSettings::default()
        };
        let mut detector = YoloxDetector::load(&own_weights().unwrap(), settings).unwrap();
        let metrics = Metrics::default();
        let measures = Measures::new(&metrics);
        let room = Arc::new(Semaphore::new(8));
        let image = turbojpeg::Image {
            pixels: &[90; 64 * 32 * 3][..],
            width: 64,
            pitch: 64 * 3,
            height: 32,
            format: turbojpeg::PixelFormat::RGB,
        };
        let good = turbojpeg::compress(image, 80, turbojpeg::Subsamp::Sub2x2).unwrap();
        let (waited_for, mut answered) = job(&room, &good);
        let (abandoned, nobody) = job(&room, &good);
        drop(nobody);
        let (broken, mut refused) = job(&room, b"no picture");
        answer(&mut detector, vec![waited_for, abandoned, broken], &measures);
        assert!(matches!(answered.try_recv(), Ok(Answer::Found(_))));
        assert!(matches!(refused.try_recv(), Ok(Answer::Unusable(_))));
        assert_eq!(
            room.available_permits(),
            8,
            "an abandoned picture gives its room back"
        );
        let text = metrics.text();
        for line in [
            "mineseal_inference_images_total{} 1",
            "mineseal_inference_skipped_total{reason=\"cancelled\"} 1",
            "mineseal_inference_skipped_total{reason=\"unusable\"} 1",
            "mineseal_inference_batch_size_bucket{le=\"1.0\"} 1",
            "mineseal_inference_stage_seconds_count{stage=\"queue\"} 2",
            "mineseal_inference_stage_seconds_count{stage=\"decode\"} 1",
            "mineseal_inference_stage_seconds_count{stage=\"net\"} 1",
            "mineseal_inference_stage_seconds_count{stage=\"nms\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
