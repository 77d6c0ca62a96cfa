//! One step's work: the batch is shared out among threads, and their gradients are averaged.
//!
//! Each thread has its own part of the batch, its own normalisation and a pool of one thread for candle, so
//! that no thread waits for another but once a step. The sum is taken in a fixed order: the same number of
//! threads gives the same bits.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::assignment::{Cell, cells};
use crate::augmentation::{Example, Size, Source, plain, varied};
use crate::error::TrainingError;
use crate::loss::{LossParts, detection_loss};
use crate::net::{Net, focus};
use crate::pictures::{Picture, PictureSet};

/// Which picture is seen when.
pub(crate) struct Order {
    seed: u64,
    pictures: usize,
    epoch: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// Every epoch shows each of `pictures` once, in an order that follows from `seed`.
    pub(crate) fn new(seed: u64, pictures: usize) -> Self {
        Self {
            seed,
            pictures,
            epoch: None,
        }
    }

    /// The pictures of a step, each with the seed of its changes.
    pub(crate) fn batch(&mut self, step: u64, batch: usize) -> Vec<(usize, u64)> {
        (0..batch as u64)
            .map(|slot| {
                let number = step * batch as u64 + slot;
                let (epoch, place) = (
                    number / self.pictures as u64,
                    (number % self.pictures as u64) as usize,
                );
                // An odd multiplier spreads the seeds over all 64 bits.
                let seed = self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                (self.order(epoch)[place], seed)
            })
            .collect()
    }

    fn order(&mut self, epoch: u64) -> &[usize] {
        let seed = self.seed;
        let pictures = self.pictures;
        let fresh = || {
            let mut order: Vec<usize> = (0..pictures).collect();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ (epoch + 1).rotate_left(32)));
            (epoch, order)
        };
        if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.epoch = Some(fresh());
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
    }
}

/// What one step gave.
pub(crate) struct StepResult {
    pub(crate) gradients: BTreeMap<String, Vec<f32>>,
    pub(crate) loss: f32,
    pub(crate) parts: LossParts,
}

/// The threads.
pub(crate) struct Workers {
    pools: Vec<ThreadPool>,
    cells: Arc<Vec<Cell>>,
}

impl Workers {
    /// Starts `threads` threads.
    pub(crate) fn new(threads: usize) -> Result<Self, TrainingError> {
        let pool = |_| {
            ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .map_err(|_| TrainingError::Thread)
        };
        let pools = (0..threads.max(1)).map(pool).collect::<Result<_, _>>()?;
        Ok(Self {
            pools,
            cells: Arc::new(cells(Size::RENDERED.width, Size::RENDERED.height)),
        })
    }

    /// Runs `work` on every thread with its own part of `items`; results in the order of the parts.
    pub(crate) fn share<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&[T]) -> Result<R, TrainingError> + Sync,
    ) -> Result<Vec<R>, TrainingError> {
        let part = items.len().div_ceil(self.pools.len()).max(1);
        std::thread::scope(|scope| {
            let work = &work;
            let started: Vec<_> = items
                .chunks(part)
                .zip(&self.pools)
                .map(|(items, pool)| scope.spawn(move || pool.install(|| work(items))))
                .collect();
            started
                .into_iter()
                .map(|thread| thread.join().map_err(|_| TrainingError::Thread)?)
                .collect()
        })
    }

    /// Loss and gradients of a batch.
    pub(crate) fn step(
        &self,
        net: &Net,
        set: &PictureSet,
        batch: &[(usize, u64)],
    ) -> Result<StepResult, TrainingError> {
        let results = self.share(batch, |batch| {
            let mut examples = Vec::with_capacity(batch.len());
            for (index, seed) in batch {
                let picture = &set.pictures[*index];
                examples.push(with_source(&picture.jpeg, |source| {
                    varied(source, &picture.truths, Size::RENDERED, *seed)
                })?);
            }
            self.part(net, examples)
        })?;
        Ok(mean(results))
    }

    fn part(&self, net: &Net, examples: Vec<Example>) -> Result<StepResult, TrainingError> {
        let (pixels, truths): (Vec<_>, Vec<_>) = examples
            .into_iter()
            .map(|example| (example.pixels, example.truths))
            .unzip();
        let input = focus(&pixels, Size::RENDERED.width, Size::RENDERED.height)?;
        drop(pixels);
        let output = net.forward(&input, None)?;
        let (loss, parts) = detection_loss(&output, self.cells.clone(), truths)?;
        Ok(StepResult {
            gradients: gradients(net, &loss)?,
            loss: loss.to_scalar()?,
            parts,
        })
    }

    /// Batches of pictures as the detector would see them, `batch` at a time.
    pub(crate) fn plain_batches<'a>(
        pictures: &'a [&'a Picture],
        batch: usize,
        size: Size,
    ) -> impl Iterator<Item = Result<Tensor, TrainingError>> + 'a {
        pictures.chunks(batch).map(move |pictures| {
            let mut pixels = Vec::with_capacity(pictures.len());
            for picture in pictures {
                pixels.push(with_source(&picture.jpeg, |source| {
                    plain(source, &picture.truths, size).pixels
                })?);
            }
            Ok(focus(&pixels, size.width, size.height)?)
        })
    }

    /// Runs `work` in the first thread's pool.
    pub(crate) fn alone<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R, TrainingError> {
        self.pools
            .first()
            .map(|pool| pool.install(work))
            .ok_or(TrainingError::Thread)
    }
}

/// The slopes of the loss by every variable of the net.
pub(crate) fn gradients(net: &Net, loss: &Tensor) -> Result<BTreeMap<String, Vec<f32>>, TrainingError> {
    let store = loss.backward()?;
    let mut gradients = BTreeMap::new();
    for (name, variable) in net.variables() {
        if let Some(gradient) = store.get(variable) {
            gradients.insert(name.clone(), gradient.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    Ok(gradients)
}

/// The mean of what the threads found, in their order.
pub(crate) fn mean(results: Vec<StepResult>) -> StepResult {
    let count = results.len() as f32;
    let mut sum = StepResult {
        gradients: BTreeMap::new(),
        loss: 0.0,
        parts: LossParts::default(),
    };
    for result in results {
        sum.loss += result.loss / count;
        sum.parts.boxes += result.parts.boxes / count;
        sum.parts.differences += result.parts.differences / count;
        sum.parts.objectness += result.parts.objectness / count;
        sum.parts.classes += result.parts.classes / count;
        sum.parts.distillation += result.parts.distillation / count;
        sum.parts.responsible += result.parts.responsible;
        for (name, gradient) in result.gradients {
            let total = sum
                .gradients
                .entry(name)
                .or_insert_with(|| vec![0.0; gradient.len()]);
            for (total, slope) in total.iter_mut().zip(gradient) {
                *total += slope / count;
            }
        }
    }
    sum
}

/// The picture of a JPEG.
pub(crate) fn with_source<R>(jpeg: &[u8], work: impl FnOnce(&Source<'_>) -> R) -> Result<R, TrainingError> {
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::RGB)?;
    Ok(work(&Source {
        pixels: &image.pixels,
        width: image.width,
        height: image.height,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_shows_every_picture_once_and_any_step_can_be_asked_for() {
        let mut order = Order::new(5, 12);
        let mut seen: Vec<usize> = (0..3)
            .flat_map(|step| order.batch(step, 4))
            .map(|(index, _)| index)
            .collect();
        let third = order.batch(2, 4);
        seen.sort_unstable();
        assert_eq!(seen, (0..12).collect::<Vec<_>>());
        assert_eq!(Order::new(5, 12).batch(2, 4), third);
        assert_ne!(Order::new(6, 12).batch(2, 4), third);
    }
}
