//! The detector on an NVIDIA device (feature `cuda`), or on its emulation (feature `emulation`).

mod layers;
mod network;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mineseal_domain::{BoundingBox, Detection};
use mineseal_kernels_cuda::{
    Candidate, Constants, Executor, KernelError, Limits, Plan, PlanSettings, Processor, Program,
};

use self::layers::Loader;
use self::network::DeviceNetwork;
use crate::boxes::least_objectness;
use crate::letterbox::{COLOURS, Letterbox};
use crate::network::{Path, STRIDES};
use crate::picture::PictureReader;
use crate::suppression::suppress;
use crate::weights::Weights;
use crate::{DetectorError, Device, InputSize, ModelCard, PictureRef, Timings};

/// Why the net cannot be brought to a device.
enum LoadError {
    Weights(DetectorError),
    Device(KernelError),
}

impl From<DetectorError> for LoadError {
    fn from(error: DetectorError) -> Self {
        Self::Weights(error)
    }
}

impl From<KernelError> for LoadError {
    fn from(error: KernelError) -> Self {
        Self::Device(error)
    }
}

/// How a net is used on a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeviceUse {
    pub(crate) input: InputSize,
    pub(crate) score_threshold: f32,
    pub(crate) max_batch: usize,
}

/// A net on a device.
pub(crate) struct DeviceDetector {
    network: Arc<DeviceNetwork>,
    executor: Executor,
    how: DeviceUse,
    /// For one picture with all its cells, once somebody has asked for them.
    raw: Option<Executor>,
}

impl DeviceDetector {
    /// Finds the device and brings the net there. `path`: the beginning of the weights.
    pub(crate) fn open(
        device: Device,
        (weights, path): (&Weights<'_>, &Path<'_>),
        classes: (usize, &[usize]),
        how: DeviceUse,
    ) -> Result<Self, DetectorError> {
        let processor = processor(device).map_err(|error| refused(device, &error))?;
        Self::load(&processor, (weights, path), classes, how).map_err(|error| match error {
            LoadError::Weights(error) => error,
            LoadError::Device(error) => refused(device, &error),
        })
    }

    fn load(
        processor: &Processor,
        (weights, path): (&Weights<'_>, &Path<'_>),
        classes: (usize, &[usize]),
        how: DeviceUse,
    ) -> Result<Self, LoadError> {
        let mut constants = Constants::new();
        let base = weights.base_channels()?;
        let mut loader = Loader {
            constants: &mut constants,
        };
        let network = DeviceNetwork::load(&mut loader, path, base, classes)?;
        let programs = batches(how.max_batch)
            .map(|pictures| network.program(pictures, how, false))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            executor: Executor::new(processor, &constants, programs)?,
            network: Arc::new(network),
            how,
            raw: None,
        })
    }

    pub(crate) fn another(&self) -> Result<Self, DetectorError> {
        Ok(Self {
            network: Arc::clone(&self.network),
            executor: self.executor.another()?,
            how: self.how,
            raw: None,
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.executor.processor().name()
    }

    /// Letterboxes straight into the memory that is uploaded. `first`: the place of the first picture among those that the
    /// caller gave.
    fn draw(
        &mut self,
        reader: &mut PictureReader,
        first: usize,
        pictures: &[PictureRef<'_>],
    ) -> Result<Vec<Letterbox>, DetectorError> {
        let length = self.how.input.width * self.how.input.height * COLOURS;
        let drawn = self.executor.input(pictures.len())?;
        let mut letterboxes = Vec::with_capacity(pictures.len());
        for (index, (picture, target)) in pictures.iter().zip(drawn.chunks_exact_mut(length)).enumerate() {
            let refused = |reason| DetectorError::Picture {
                index: first + index,
                reason,
            };
            letterboxes.push(reader.draw(picture, self.how.input, target).map_err(refused)?);
        }
        Ok(letterboxes)
    }

    /// The objects of each picture, as [`crate::Detector::detect`] gives them.
    pub(crate) fn detect(
        &mut self,
        reader: &mut PictureReader,
        card: &ModelCard,
        nms_iou: f32,
        (first, pictures): (usize, &[PictureRef<'_>]),
        timings: &mut Timings,
    ) -> Result<Vec<Vec<Detection>>, DetectorError> {
        let started = Instant::now();
        let letterboxes = self.draw(reader, first, pictures)?;
        let drawn = Instant::now();
        let candidates = self.executor.run(pictures.len())?;
        let net_ended = Instant::now();
        let mut found: Vec<Vec<Detection>> = vec![Vec::new(); pictures.len()];
        for candidate in &candidates {
            let picture = usize::try_from(candidate.picture).unwrap_or(usize::MAX);
            if let (Some(found), Some(letterbox)) = (found.get_mut(picture), letterboxes.get(picture)) {
                found.extend(detection(candidate, card, letterbox));
            }
        }
        let found = found.into_iter().map(|one| suppress(one, nms_iou)).collect();
        timings.pictures += drawn - started;
        timings.net += net_ended - drawn;
        timings.boxes += net_ended.elapsed();
        Ok(found)
    }

    /// What all cells of a picture say, as [`crate::YoloxDetector::raw_outputs`] gives it.
    pub(crate) fn raw(
        &mut self,
        reader: &mut PictureReader,
        picture: &PictureRef<'_>,
        class_count: usize,
    ) -> Result<Vec<f32>, DetectorError> {
        if self.raw.is_none() {
            let programs = vec![self.network.program(1, self.how, true)?];
            self.raw = Some(self.executor.beside(programs)?);
        }
        let Some(raw) = &mut self.raw else {
            return Ok(Vec::new());
        };
        let length = self.how.input.width * self.how.input.height * COLOURS;
        let drawn = reader.draw(picture, self.how.input, &mut raw.input(1)?[..length]);
        drawn.map_err(|reason| DetectorError::Picture { index: 0, reason })?;
        raw.run(1)?;
        let cells = raw.raw(1)?;
        let mut rows = Vec::new();
        let (boxes, _) = cells.boxes.as_chunks::<8>();
        let (classes, _) = cells.classes.as_chunks::<8>();
        for (cell, scores) in boxes.iter().zip(classes) {
            rows.extend_from_slice(&cell[..5]);
            rows.extend_from_slice(&scores[..class_count]);
        }
        Ok(rows)
    }

    /// Each launch and how long it takes.
    pub(crate) fn profile(
        &mut self,
        pictures: usize,
        times: usize,
    ) -> Result<Vec<(String, Duration)>, DetectorError> {
        Ok(self.executor.profile(pictures, times)?)
    }

    /// Looks at what was uploaded last over and over.
    pub(crate) fn repeat(&mut self, pictures: usize, times: usize) -> Result<Duration, DetectorError> {
        Ok(self.executor.repeat(pictures, times)?)
    }
}

impl DeviceNetwork {
    /// The launches for so many pictures. `raw`: every cell says all that it can.
    fn program(&self, pictures: usize, how: DeviceUse, raw: bool) -> Result<Program, KernelError> {
        let mut plan = Plan::new(PlanSettings {
            pictures,
            height: how.input.height,
            width: how.input.width,
            strides: STRIDES,
            limits: Limits {
                least_objectness: match raw {
                    true => f32::NEG_INFINITY,
                    false => least_objectness(how.score_threshold),
                },
                score: how.score_threshold,
            },
            capacity: None,
            keep_classes: raw,
        })?;
        self.plan(&mut plan)?;
        Ok(plan.finish())
    }
}

/// Sizes of batches that have a graph of their own: powers of two. Other sizes are filled up.
fn batches(most: usize) -> impl Iterator<Item = usize> {
    let most = most.max(1).next_power_of_two();
    (0..)
        .map(|power| 1 << power)
        .take_while(move |&size| size <= most)
}

fn detection(candidate: &Candidate, card: &ModelCard, letterbox: &Letterbox) -> Option<Detection> {
    let class = card.classes.get(usize::try_from(candidate.class).ok()?)?;
    let scale = 1.0 / letterbox.ratio as f32;
    let bounding_box = BoundingBox {
        left: candidate.left * scale,
        top: candidate.top * scale,
        width: candidate.width * scale,
        height: candidate.height * scale,
    };
    bounding_box.is_sound().then_some(Detection {
        class: *class,
        score: candidate.score,
        bounding_box,
    })
}

fn processor(device: Device) -> Result<Processor, KernelError> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(number) => Processor::device(number),
        #[cfg(feature = "emulation")]
        Device::Emulated => Ok(Processor::Emulation),
        _ => Err(KernelError::NoKernels),
    }
}

fn refused(device: Device, error: &KernelError) -> DetectorError {
    DetectorError::Device {
        device,
        reason: error.to_string(),
    }
}
