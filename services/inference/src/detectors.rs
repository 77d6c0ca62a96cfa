use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, bounded};
use mineseal_detector::{Detector, DetectorError, PictureRef, YoloxDetector, own_weights};
use mineseal_domain::Detection;
use mineseal_schemas::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::assembly::{Assembly, Next};
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
    /// As the published detections name it.
    pub(crate) model: Arc<str>,
}

impl Detectors {
    /// Reads the weights and starts the threads.
    pub(crate) fn start(settings: &InferenceSettings) -> Result<Self, InferenceError> {
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
            spawn(&format!("detect-{number}"), move || {
                for batch in batches {
                    answer(&mut detector, batch);
                }
            })?;
        }
        Ok(Self {
            jobs,
            room: Arc::new(Semaphore::new(capacity)),
            model: card.id.into(),
        })
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

/// Looks at a batch and answers each picture. A picture that cannot be used is taken out, and the others are looked
/// at again.
fn answer(detector: &mut dyn Detector, mut batch: Vec<Job>) {
    while !batch.is_empty() {
        let pictures: Vec<PictureRef<'_>> = batch
            .iter()
            .map(|job| PictureRef::Jpeg(&job.frame.jpeg))
            .collect();
        match detector.detect(&pictures) {
            Ok(found) => {
                for (job, found) in batch.drain(..).zip(found) {
                    reply(job, Answer::Found(found));
                }
            }
            Err(DetectorError::Picture { index, reason }) if index < batch.len() => {
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
