//! The steps of a distillation, its checkpoints and evaluations.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use mineseal_detector::{DetectorSettings, InputSize, YoloxDetector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::begin::{begin, sums};
use super::loss::distance;
use super::{DistilSettings, Figures};
use crate::assignment::{Cell, cells};
use crate::augmentation::{Size, varied, view};
use crate::checkpoint::{Checkpoint, write_whole};
use crate::detection::evaluate_pictures;
use crate::error::TrainingError;
use crate::export::{folded, weights_file};
use crate::loss::detection_loss;
use crate::net::{Net, focus};
use crate::optimiser::{Optimiser, Schedule};
use crate::pictures::PictureSet;
use crate::real::{RealFrame, agreement};
use crate::trainer::{CHECKPOINT_FILE, Progress, WEIGHTS_FILE, either, restore, spread};
use crate::worker::{Order, StepResult, Workers, gradients, mean, with_source};

/// Size at which rendered scenes are watched, and at which real cameras are.
const SIZES: [Size; 2] = [
    Size {
        width: 384,
        height: 224,
    },
    Size {
        width: 640,
        height: 384,
    },
];
/// One step in so many shows the larger size.
const LARGE_EVERY: u64 = 4;
/// Share of the views of real pictures that show one picture and not four.
const SINGLE: f64 = 0.6;
/// Pictures that the fixed moments are measured on.
const MEASURED_PICTURES: usize = 32;
/// Steps between two reports of progress.
const REPORT_EVERY: u64 = 10;
/// Boxes from this score on are compared with the teacher's.
const WATCHED_SCORE: f32 = 0.3;

/// What one thread does in a step: pictures and the seeds of their changes.
struct Share {
    rendered: Vec<(usize, u64)>,
    real: Vec<(usize, u64)>,
}

pub(super) struct Run<'a> {
    settings: &'a DistilSettings,
    description: String,
    training: &'a PictureSet,
    held_out: &'a PictureSet,
    frames: &'a [RealFrame],
    watched: &'a [RealFrame],
    student: Net,
    teacher: Net,
    optimiser: Optimiser,
    workers: Workers,
    cells: [Arc<Vec<Cell>>; 2],
    rendered: Order,
    real: Order,
}

impl<'a> Run<'a> {
    pub(super) fn start(
        settings: &'a DistilSettings,
        training: &'a PictureSet,
        held_out: &'a PictureSet,
        [frames, watched]: [&'a [RealFrame]; 2],
    ) -> Result<Self, TrainingError> {
        let description =
            serde_json::to_string(settings).map_err(|error| TrainingError::Settings(error.to_string()))?;
        let schedule = Schedule {
            peak: settings.learning_rate,
            warm_up: settings.warm_up,
            steps: settings.steps,
        };
        let picked = spread(training, MEASURED_PICTURES);
        let batches = Workers::plain_batches(&picked, MEASURED_PICTURES, SIZES[0]).next();
        let pictures = batches.ok_or(TrainingError::BrokenOff)??;
        let workers = Workers::new(settings.threads)?;
        let net = || -> Result<(Net, Optimiser), TrainingError> {
            let mut net = Net::new(settings.seed)?;
            let mut optimiser = Optimiser::new(&net, schedule, 0.0, settings.average_over)?;
            workers.alone(|| begin(&mut net, &mut optimiser, &settings.teacher, &pictures))??;
            Ok((net, optimiser))
        };
        let (teacher, _) = net()?;
        let (student, mut optimiser) = net()?;
        let path = settings.output.join(CHECKPOINT_FILE);
        if let Some(checkpoint) = Checkpoint::load(&path)? {
            if checkpoint.settings != description {
                let difference = format!("{} against {description}", checkpoint.settings);
                return Err(TrainingError::OtherSettings { path, difference });
            }
            restore(&mut optimiser, checkpoint.states, &path)?;
            optimiser.step = checkpoint.step;
            optimiser.publish(&student, |state| &state.value)?;
        }
        Ok(Self {
            settings,
            description,
            training,
            held_out,
            frames,
            watched,
            student,
            teacher,
            optimiser,
            workers,
            cells: SIZES.map(|size| Arc::new(cells(size.width, size.height))),
            rendered: Order::new(settings.seed, training.pictures.len()),
            // Another order than that of the rendered ones.
            real: Order::new(!settings.seed, frames.len()),
        })
    }

    /// Steps done.
    pub(super) fn steps(&self) -> u64 {
        self.optimiser.step
    }

    pub(super) fn go(
        &mut self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Figures, TrainingError> {
        let mut stored = Instant::now();
        let mut reported = (Instant::now(), 0_u64, 0.0_f32);
        while self.optimiser.step < self.settings.steps {
            let rate = self.optimiser.rate();
            let result = self.step()?;
            let gradient_norm = self.optimiser.step(&self.student, &result.gradients)?;
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
            if stored.elapsed() >= self.settings.checkpoint_every {
                self.store()?;
                stored = Instant::now();
                flow = either(flow, progress(&Progress::Checkpoint { step }));
            }
            if step.is_multiple_of(self.settings.evaluate_every.max(1)) && step < self.settings.steps {
                let (_, wanted) = self.evaluate(progress)?;
                flow = either(flow, wanted);
                reported = (Instant::now(), 0, 0.0);
            }
            if flow.is_break() {
                break;
            }
        }
        self.store()?;
        let (figures, _) = self.evaluate(progress)?;
        Ok(figures)
    }

    /// Loss and gradients of the next step.
    fn step(&mut self) -> Result<StepResult, TrainingError> {
        let step = self.optimiser.step;
        let large = step % LARGE_EVERY == LARGE_EVERY - 1;
        let threads = self.settings.threads;
        let of_kind = self.settings.batch / 2;
        let (rendered, real) = (self.rendered.batch(step, of_kind), self.real.batch(step, of_kind));
        let each = of_kind / threads;
        // At the larger size half as many take about as long.
        let shown = if large { each.div_ceil(2) } else { each };
        let shares: Vec<Share> = rendered
            .chunks(each)
            .zip(real.chunks(each))
            .map(|(rendered, real)| Share {
                rendered: rendered[..shown].to_vec(),
                real: real[..shown].to_vec(),
            })
            .collect();
        let place = usize::from(large);
        let results = self.workers.share(&shares, |shares| {
            let results = shares.iter().map(|share| self.part(share, place));
            Ok(mean(results.collect::<Result<_, _>>()?))
        })?;
        Ok(mean(results))
    }

    fn part(&self, share: &Share, place: usize) -> Result<StepResult, TrainingError> {
        let size = SIZES[place];
        let (mut pixels, mut truths) = (Vec::new(), Vec::new());
        for (index, seed) in &share.rendered {
            let picture = &self.training.pictures[*index];
            let example = with_source(&picture.jpeg, |source| {
                varied(source, &picture.truths, size, *seed)
            })?;
            pixels.push(example.pixels);
            truths.push(example.truths);
        }
        let mut views = Vec::new();
        for (index, seed) in &share.real {
            views.push(self.view(*index, *seed, size)?);
        }
        let teacher = self
            .teacher
            .forward(&focus(&views, size.width, size.height)?, None)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        pixels.extend(views);
        let input = focus(&pixels, size.width, size.height)?;
        drop(pixels);
        let output = self.student.forward(&input, None)?;
        let of = |first: usize, count: usize| -> Result<Tensor, TrainingError> {
            Ok(output.narrow(0, first, count)?.contiguous()?)
        };
        let rendered = share.rendered.len();
        let (scenes, mut parts) = detection_loss(&of(0, rendered)?, self.cells[place].clone(), truths)?;
        let apart = distance(&of(rendered, share.real.len())?, teacher)?;
        parts.distillation = apart.to_scalar()?;
        let loss = (scenes + (apart * self.settings.loyalty)?)?;
        Ok(StepResult {
            gradients: gradients(&self.student, &loss)?,
            loss: loss.to_scalar()?,
            parts,
        })
    }

    /// A changed view of a real frame, or of it and three others.
    fn view(&self, index: usize, seed: u64, size: Size) -> Result<Vec<f32>, TrainingError> {
        let mut generator = ChaCha8Rng::seed_from_u64(!seed);
        let single = generator.random_bool(SINGLE);
        let mut other = || generator.random_range(0..self.frames.len());
        let chosen = [index, other(), other(), other()];
        let jpeg = |place: usize| &self.frames[chosen[place]].jpeg;
        if single {
            return with_source(jpeg(0), |first| view([first; 4], true, size, seed));
        }
        with_source(jpeg(0), |first| {
            with_source(jpeg(1), |second| {
                with_source(jpeg(2), |third| {
                    with_source(jpeg(3), |fourth| {
                        view([first, second, third, fourth], false, size, seed)
                    })
                })
            })
        })
        .flatten()
        .flatten()
        .flatten()
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
    fn evaluate(
        &self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<(Figures, ControlFlow<()>), TrainingError> {
        let step = self.optimiser.step;
        let tensors = folded(&self.student, &self.optimiser, &sums(&self.student))?;
        let bytes = weights_file(&tensors, (SIZES[0].width, SIZES[0].height))?;
        let weights = self.settings.output.join(WEIGHTS_FILE);
        write_whole(
            &self.settings.output.join(format!("step-{step}.safetensors")),
            &bytes,
        )?;
        write_whole(&weights, &bytes)?;
        let figures = evaluate_pictures(&weights, self.held_out)?;
        let watch = DetectorSettings {
            input: Some(InputSize {
                width: SIZES[1].width,
                height: SIZES[1].height,
            }),
            score_threshold: WATCHED_SCORE,
            ..DetectorSettings::default()
        };
        let load = |path| {
            YoloxDetector::load(path, watch.clone())
                .map_err(|error| TrainingError::Detector(error.to_string()))
        };
        let of_watched = agreement(
            &mut load(&self.settings.teacher)?,
            &mut load(&weights)?,
            self.watched,
        )?;
        let flow = progress(&Progress::Evaluated { step, figures });
        let watched = Progress::Watched {
            step,
            agreement: of_watched,
        };
        Ok((figures, either(flow, progress(&watched))))
    }
}
