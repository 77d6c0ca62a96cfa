//! One net for rendered scenes and for real pictures: the student begins as an open teacher's weights, learns rendered
//! scenes from their truths, and is held to what the teacher says of real pictures.

mod begin;
mod loss;
mod run;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::TrainingError;
use crate::layers::CLASSES;
use crate::pictures::{PictureSet, PictureSettings};
use crate::real::{HELD_OUT_CLIPS, RealFrame, TRAINING_CLIPS, clip_frames};
use crate::trainer::{Progress, TrainReport, WEIGHTS_FILE};
use run::Run;

/// What decides a run. The same settings and clips give the same weights, bit for bit, on the same processor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DistilSettings {
    /// Decides the order of the pictures and their changes.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Pictures in a step, half of them rendered and half real; a multiple of twice the threads. Every fourth step shows
    /// half as many at 640x384, the others all at 384x224.
    pub batch: usize,
    /// Threads that share a step.
    pub threads: usize,
    /// Highest learning rate of AdamW.
    pub learning_rate: f32,
    /// Steps until the highest learning rate.
    pub warm_up: u64,
    /// Steps over which the exported average of the weights forgets.
    pub average_over: f64,
    /// Weight of the distance from the teacher against the loss on rendered scenes.
    pub loyalty: f64,
    /// The rendered pictures to learn from.
    pub training: PictureSettings,
    /// The rendered pictures to judge by, never learnt from: no seed in common with `training`.
    pub held_out: PictureSettings,
    /// Frames of each clip to learn from.
    pub frames_of_clip: usize,
    /// The teacher's weights: YOLOX-Nano, folded, such as the open ones of COCO.
    pub teacher: PathBuf,
    /// The folder with the clips, `shared`.
    #[serde(skip)]
    pub shared: PathBuf,
    /// Where rendered pictures are kept between runs.
    #[serde(skip)]
    pub cache: PathBuf,
    /// Where checkpoint and weights go.
    #[serde(skip)]
    pub output: PathBuf,
    /// Time between checkpoints.
    #[serde(skip)]
    pub checkpoint_every: Duration,
    /// Steps between evaluations; each leaves a weights file named by its step beside the latest one.
    #[serde(skip)]
    pub evaluate_every: u64,
}

impl DistilSettings {
    fn validate(&self) -> Result<(), TrainingError> {
        let wrong = |text: &str| Err(TrainingError::Settings(text.to_owned()));
        let range = |set: &PictureSettings| set.first_seed..set.first_seed.saturating_add(set.scenes);
        let (a, b) = (range(&self.training), range(&self.held_out));
        if self.threads == 0 || self.batch == 0 || !self.batch.is_multiple_of(2 * self.threads) {
            return wrong("threads must be at least 1, and batch a multiple of twice the threads");
        }
        if self.steps == 0 || self.training.pictures() == 0 || self.held_out.pictures() == 0 {
            return wrong("steps, training pictures and held-out pictures must be at least 1");
        }
        if a.start < b.end && b.start < a.end {
            return wrong("training and held-out seeds overlap: choose another first seed for one of them");
        }
        if self.frames_of_clip == 0 {
            return wrong("frames of each clip must be at least 1");
        }
        if !(self.learning_rate > 0.0 && self.loyalty > 0.0 && self.average_over >= 1.0) {
            return wrong("learning rate and loyalty must be above 0, average over at least 1 step");
        }
        if !self.teacher.is_file() {
            return Err(TrainingError::Settings(format!(
                "the teacher's weights {} are absent: give another file, or the folder that has models/yolox_nano.safetensors",
                self.teacher.display()
            )));
        }
        Ok(())
    }
}

/// Distils, or goes on with a run whose checkpoint lies in the output folder. `progress` is called on this thread; where it
/// breaks, a checkpoint and the weights are written and the run ends early.
///
/// # Errors
/// Settings that make no sense or differ from the checkpoint's, clips or weights that are absent, files that cannot be read
/// or written, a loss that is no longer a number.
pub fn distil(
    settings: &DistilSettings,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<TrainReport, TrainingError> {
    settings.validate()?;
    let frames = clip_frames(&settings.shared, &TRAINING_CLIPS, settings.frames_of_clip)?;
    // To watch the run by; the figures of the card come from all held-out frames.
    let watched = clip_frames(&settings.shared, &HELD_OUT_CLIPS[..1], settings.frames_of_clip)?;
    distil_frames(settings, &frames, &watched, progress)
}

/// As [`distil`], from these real frames; the agreement is judged on `watched`.
///
/// # Errors
/// As for [`distil`].
pub fn distil_frames(
    settings: &DistilSettings,
    frames: &[RealFrame],
    watched: &[RealFrame],
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<TrainReport, TrainingError> {
    settings.validate()?;
    if frames.is_empty() {
        return Err(TrainingError::Settings(
            "there are no real frames to learn from".to_owned(),
        ));
    }
    let started = Instant::now();
    std::fs::create_dir_all(&settings.output).map_err(TrainingError::file("create", &settings.output))?;
    let mut pictures = |picked: PictureSettings| {
        PictureSet::prepare(picked, &settings.cache, settings.threads, &mut |scenes| {
            progress(&Progress::Rendering {
                scenes,
                of: picked.scenes,
            })
        })
    };
    let training = pictures(settings.training)?;
    let held_out = pictures(settings.held_out)?;
    let mut run = Run::start(settings, &training, &held_out, [frames, watched])?;
    let figures = run.go(progress)?;
    Ok(TrainReport {
        steps: run.steps(),
        weights: settings.output.join(WEIGHTS_FILE),
        figures,
        objects: training.counted_objects(),
        elapsed: started.elapsed(),
    })
}

/// By class.
type Figures = [crate::ClassFigures; CLASSES.len()];
