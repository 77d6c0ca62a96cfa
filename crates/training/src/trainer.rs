//! The run: pictures, steps, checkpoints, evaluations, and the weights at the end.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::augmentation::Size;
use crate::checkpoint::{Checkpoint, write_whole};
use crate::detection::evaluate_pictures;
use crate::error::TrainingError;
use crate::evaluation::ClassFigures;
use crate::export::{folded, measure, weights_file};
use crate::layers::{CLASSES, INPUT_HEIGHT, INPUT_WIDTH};
use crate::loss::LossParts;
use crate::net::Net;
use crate::optimiser::{Optimiser, Schedule};
use crate::pictures::{Picture, PictureSet, PictureSettings};
use crate::real::Agreement;
use crate::unfold::{is_weights_file, unfold};
use crate::worker::{Order, Workers};

/// Pictures that the moments for the exported weights are measured on.
const MEASURED_PICTURES: usize = 256;
/// Pictures in one batch of that measurement.
const MEASURED_BATCH: usize = 16;
/// Pictures that the normalisation of a weights file is found again on, all in one batch.
const UNFOLDED_PICTURES: usize = 64;
/// Steps between two reports of progress.
const REPORT_EVERY: u64 = 10;

/// What decides a run. The same settings give the same weights, bit for bit, on the same processor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainSettings {
    /// Decides the first weights, the order of the pictures and their changes.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Pictures in a step.
    pub batch: usize,
    /// Threads that share a step.
    pub threads: usize,
    /// Highest learning rate of AdamW.
    pub learning_rate: f32,
    /// Share of the learning rate by which weights are drawn to zero.
    pub weight_decay: f32,
    /// Steps until the highest learning rate.
    pub warm_up: u64,
    /// Steps over which the exported average of the weights forgets.
    pub average_over: f64,
    /// The pictures to learn from.
    pub training: PictureSettings,
    /// The pictures to judge by, never learnt from: no seed in common with `training`.
    pub held_out: PictureSettings,
    /// Whether the run starts from an earlier checkpoint's averaged weights, or from a weights file, instead of
    /// random ones.
    pub start_from: Option<PathBuf>,
    /// Where rendered pictures are kept between runs.
    #[serde(skip)]
    pub cache: PathBuf,
    /// Where checkpoint and weights go.
    #[serde(skip)]
    pub output: PathBuf,
    /// Time between checkpoints.
    #[serde(skip)]
    pub checkpoint_every: Duration,
    /// Steps between evaluations on the held-out pictures.
    #[serde(skip)]
    pub evaluate_every: u64,
}

/// What the caller is told as the run goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Scenes rendered so far.
    Rendering {
        /// Scenes done.
        scenes: u64,
        /// Scenes in all.
        of: u64,
    },
    /// Every few steps.
    Step {
        /// Steps done.
        step: u64,
        /// Steps in all.
        of: u64,
        /// Learning rate.
        rate: f32,
        /// Loss, mean since the last report.
        loss: f32,
        /// Its parts in the last step.
        parts: LossParts,
        /// Length of the last gradient.
        gradient_norm: f64,
        /// Pictures learnt from per second since the last report.
        pictures_per_second: f64,
    },
    /// The averaged weights on the held-out pictures, through the product's detector.
    Evaluated {
        /// Steps done.
        step: u64,
        /// By class.
        figures: [ClassFigures; CLASSES.len()],
    },
    /// The averaged weights beside the teacher's, on real frames that nothing is learnt from: persons, vehicles.
    Watched {
        /// Steps done.
        step: u64,
        /// By group.
        agreement: [Agreement; 2],
    },
    /// A checkpoint was written: the run can be broken off at any time and goes on from there.
    Checkpoint {
        /// Steps done.
        step: u64,
    },
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainReport {
    /// Steps done; fewer than asked for where the caller broke off.
    pub steps: u64,
    /// The weights file.
    pub weights: PathBuf,
    /// The last figures on the held-out pictures, by class.
    pub figures: [ClassFigures; CLASSES.len()],
    /// Objects to learn from, by class.
    pub objects: [usize; CLASSES.len()],
    /// Time that this call took.
    pub elapsed: Duration,
}

/// Name of the checkpoint in the output folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";
/// Name of the weights in the output folder.
pub const WEIGHTS_FILE: &str = "mineseal-yolox-nano.safetensors";

impl TrainSettings {
    fn validate(&self) -> Result<(), TrainingError> {
        let wrong = |text: &str| Err(TrainingError::Settings(text.to_owned()));
        let range = |set: &PictureSettings| set.first_seed..set.first_seed.saturating_add(set.scenes);
        let (a, b) = (range(&self.training), range(&self.held_out));
        if self.threads == 0 || self.batch < self.threads {
            return wrong("batch must be at least threads, and threads at least 1");
        }
        if self.steps == 0 || self.training.pictures() == 0 || self.held_out.pictures() == 0 {
            return wrong("steps, training pictures and held-out pictures must be at least 1");
        }
        if a.start < b.end && b.start < a.end {
            return wrong("training and held-out seeds overlap: choose another first seed for one of them");
        }
        if !(self.learning_rate > 0.0 && self.weight_decay >= 0.0 && self.average_over >= 1.0) {
            return wrong(
                "learning rate must be above 0, weight decay 0 or more, average over at least 1 step",
            );
        }
        Ok(())
    }
}

/// Trains, or goes on with a training whose checkpoint lies in the output folder. `progress` is called on
/// this thread; where it breaks, a checkpoint and the weights are written and the run ends early.
///
/// # Errors
/// Settings that make no sense or differ from the checkpoint's, files that cannot be read or written, a loss
/// that is no longer a number.
pub fn train(
    settings: &TrainSettings,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<TrainReport, TrainingError> {
    settings.validate()?;
    let started = Instant::now();
    fs::create_dir_all(&settings.output).map_err(TrainingError::file("create", &settings.output))?;
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
    let mut run = Run::start(settings, &training, &held_out)?;
    let figures = run.go(progress)?;
    Ok(TrainReport {
        steps: run.optimiser.step,
        weights: settings.output.join(WEIGHTS_FILE),
        figures,
        objects: training.counted_objects(),
        elapsed: started.elapsed(),
    })
}

struct Run<'a> {
    settings: &'a TrainSettings,
    description: String,
    training: &'a PictureSet,
    held_out: &'a PictureSet,
    net: Net,
    optimiser: Optimiser,
    workers: Workers,
    order: Order,
}

impl<'a> Run<'a> {
    fn start(
        settings: &'a TrainSettings,
        training: &'a PictureSet,
        held_out: &'a PictureSet,
    ) -> Result<Self, TrainingError> {
        let description =
            serde_json::to_string(settings).map_err(|error| TrainingError::Settings(error.to_string()))?;
        let net = Net::new(settings.seed)?;
        let schedule = Schedule {
            peak: settings.learning_rate,
            warm_up: settings.warm_up,
            steps: settings.steps,
        };
        let mut optimiser = Optimiser::new(&net, schedule, settings.weight_decay, settings.average_over)?;
        let path = settings.output.join(CHECKPOINT_FILE);
        if let Some(checkpoint) = Checkpoint::load(&path)? {
            if checkpoint.settings != description {
                let difference = format!("{} against {description}", checkpoint.settings);
                return Err(TrainingError::OtherSettings { path, difference });
            }
            restore(&mut optimiser, checkpoint.states, &path)?;
            optimiser.step = checkpoint.step;
        } else if let Some(path) = settings.start_from.as_ref().filter(|path| is_weights_file(path)) {
            let picked = spread(training, UNFOLDED_PICTURES);
            let batches = Workers::plain_batches(&picked, UNFOLDED_PICTURES, Size::RENDERED).next();
            let batch = batches.ok_or(TrainingError::BrokenOff)??;
            unfold(&net, &mut optimiser, path, &batch)?;
        } else if let Some(path) = &settings.start_from {
            let Some(checkpoint) = Checkpoint::load(path)? else {
                return Err(TrainingError::Settings(format!(
                    "there is no checkpoint {}",
                    path.display()
                )));
            };
            restore(&mut optimiser, checkpoint.states, path)?;
            for state in optimiser.states.values_mut() {
                state.value.clone_from(&state.average);
                state.first.fill(0.0);
                state.second.fill(0.0);
            }
        }
        optimiser.publish(&net, |state| &state.value)?;
        let workers = Workers::new(settings.threads)?;
        let order = Order::new(settings.seed, training.pictures.len());
        Ok(Self {
            settings,
            description,
            training,
            held_out,
            net,
            optimiser,
            workers,
            order,
        })
    }

    fn go(
        &mut self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<[ClassFigures; CLASSES.len()], TrainingError> {
        let mut stored = Instant::now();
        let mut reported = (Instant::now(), 0_u64, 0.0_f32);
        while self.optimiser.step < self.settings.steps {
            let batch = self.order.batch(self.optimiser.step, self.settings.batch);
            let rate = self.optimiser.rate();
            let result = self.workers.step(&self.net, self.training, &batch)?;
            let gradient_norm = self.optimiser.step(&self.net, &result.gradients)?;
            let step = self.optimiser.step;
            reported.1 += 1;
            reported.2 += result.loss;
            let mut flow = ControlFlow::Continue(());
            if step.is_multiple_of(REPORT_EVERY) {
                let (since, steps, losses) = reported;
                let seconds = since.elapsed().as_secs_f64().max(1e-9);
                flow = progress(&Progress::Step {
                    step,
                    of: self.settings.steps,
                    rate,
                    loss: losses / steps as f32,
                    parts: result.parts,
                    gradient_norm,
                    pictures_per_second: (steps * self.settings.batch as u64) as f64 / seconds,
                });
                reported = (Instant::now(), 0, 0.0);
            }
            if step.is_multiple_of(self.settings.evaluate_every.max(1)) && step < self.settings.steps {
                let figures = self.export_and_evaluate()?;
                flow = either(flow, progress(&Progress::Evaluated { step, figures }));
                reported = (Instant::now(), 0, 0.0);
            }
            if stored.elapsed() >= self.settings.checkpoint_every {
                self.store()?;
                stored = Instant::now();
                flow = either(flow, progress(&Progress::Checkpoint { step }));
            }
            if flow.is_break() {
                break;
            }
        }
        self.store()?;
        self.export_and_evaluate()
    }

    fn store(&self) -> Result<(), TrainingError> {
        let path = self.settings.output.join(CHECKPOINT_FILE);
        Checkpoint::store(
            self.optimiser.step,
            &self.description,
            &self.optimiser.states,
            &path,
        )
    }

    /// Writes the averaged weights and judges them.
    fn export_and_evaluate(&self) -> Result<[ClassFigures; CLASSES.len()], TrainingError> {
        let weights = self.settings.output.join(WEIGHTS_FILE);
        self.optimiser.publish(&self.net, |state| &state.average)?;
        let picked = spread(self.training, MEASURED_PICTURES);
        let exported = self.workers.alone(|| {
            let batches = Workers::plain_batches(&picked, MEASURED_BATCH, Size::RENDERED);
            let moments = measure(&self.net, batches)?;
            Ok::<_, TrainingError>(weights_file(
                &folded(&self.net, &self.optimiser, &moments)?,
                (INPUT_WIDTH, INPUT_HEIGHT),
            )?)
        })?;
        self.optimiser.publish(&self.net, |state| &state.value)?;
        write_whole(&weights, &exported?)?;
        evaluate_pictures(&weights, self.held_out)
    }
}

/// So many pictures of the set, from its whole length.
pub(crate) fn spread(set: &PictureSet, count: usize) -> Vec<&Picture> {
    let every = (set.pictures.len() / count).max(1);
    set.pictures.iter().step_by(every).take(count).collect()
}

pub(crate) fn either(one: ControlFlow<()>, other: ControlFlow<()>) -> ControlFlow<()> {
    if one.is_break() { one } else { other }
}

pub(crate) fn restore(
    optimiser: &mut Optimiser,
    states: std::collections::BTreeMap<String, crate::optimiser::State>,
    path: &Path,
) -> Result<(), TrainingError> {
    let fits = optimiser.states.len() == states.len()
        && optimiser.states.iter().all(|(name, own)| {
            states.get(name).is_some_and(|other| {
                [&other.value, &other.first, &other.second, &other.average]
                    .iter()
                    .all(|values| values.len() == own.value.len())
            })
        });
    if !fits {
        let reason = "its variables are not those of this net".to_owned();
        return Err(TrainingError::Damaged {
            path: path.to_owned(),
            reason,
        });
    }
    optimiser.states = states;
    Ok(())
}
