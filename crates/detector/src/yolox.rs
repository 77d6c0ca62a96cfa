use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mineseal_domain::{Detection, ObjectClass};
use mineseal_kernels::{Instructions, Workspace};

use crate::boxes::{candidates, least_objectness, raw};
#[cfg(any(feature = "cuda", feature = "emulation"))]
use crate::cuda::{DeviceDetector, DeviceUse};
use crate::letterbox::{COLOURS, Letterbox};
#[cfg(any(feature = "cuda", feature = "emulation"))]
use crate::network::Path as WeightPath;
use crate::network::{Network, Picture, Running, STRIDES};
use crate::picture::PictureReader;
use crate::suppression::suppress;
use crate::weights::{Weights, sha256};
use crate::{Detector, DetectorError, DetectorSettings, Device, InputSize, ModelCard, PictureRef, Timings};

/// Longest side of the net's input.
const LARGEST_INPUT: usize = 4096;

/// YOLOX of any size, on the CPU and on the calling thread; with depthwise convolutions (YOLOX-Nano) on a device too.
/// Its width and depth follow from the weights.
pub struct YoloxDetector {
    network: Arc<Network>,
    card: ModelCard,
    score_threshold: f32,
    nms_iou: f32,
    max_batch: usize,
    reader: PictureReader,
    workspace: Workspace,
    /// The inputs of a batch.
    drawn: Vec<u8>,
    timings: Timings,
    /// The net's other home, where it is not the processor.
    #[cfg(any(feature = "cuda", feature = "emulation"))]
    device: Option<DeviceDetector>,
}

impl YoloxDetector {
    /// Reads the weights, a safetensors file with f32 tensors named as in YOLOX and batch normalisation folded.
    ///
    /// Its metadata: `arch` (`yolox`), `depthwise` (`true` or `false`), `base_channels`, `num_classes`; `classes` (names with
    /// commas between; may be left out for the 80 of COCO and for one class, which is then person);
    /// `input_width` and `input_height` (optional: the size that the weights were made for).
    ///
    /// # Errors
    /// What does not fit, with file, tensor and shape.
    pub fn load(weights: &Path, settings: DetectorSettings) -> Result<Self, DetectorError> {
        let bytes = std::fs::read(weights).map_err(|source| DetectorError::Read {
            path: weights.to_owned(),
            source,
        })?;
        Self::parse(weights, &bytes, settings)
    }

    /// As [`Self::load`], of a file that is already in memory; `weights` names it in errors.
    ///
    /// # Errors
    /// As for `load`.
    pub fn parse(weights: &Path, bytes: &[u8], settings: DetectorSettings) -> Result<Self, DetectorError> {
        check_threshold("score_threshold", settings.score_threshold)?;
        check_threshold("nms_iou", settings.nms_iou)?;
        let file = Weights::parse(weights, bytes)?;
        let architecture = file.architecture()?;
        let (class_count, known) = file.classes()?;
        let used = used_classes(weights, &known, settings.classes.as_deref())?;
        let (places, classes): (Vec<usize>, Vec<ObjectClass>) = used.into_iter().unzip();
        let input = match settings.input {
            Some(input) => input,
            None => file.input()?.unwrap_or(InputSize::DEFAULT),
        };
        check_input(input)?;
        let running = Running {
            instructions: settings.instructions.unwrap_or_else(Instructions::detect),
            precision: settings.precision,
        };
        #[cfg(any(feature = "cuda", feature = "emulation"))]
        let device = match settings.device {
            Device::Cpu => None,
            device if !file.depthwise()? => {
                return Err(DetectorError::Device {
                    device,
                    reason: format!(
                        "only nets with depthwise convolutions (YOLOX-Nano) run there, and {} has none",
                        weights.display()
                    ),
                });
            }
            device => Some(DeviceDetector::open(
                device,
                (&file, &WeightPath::new(&file, running, "")?),
                (class_count, &places),
                DeviceUse {
                    input,
                    score_threshold: settings.score_threshold,
                    max_batch: settings.max_batch.max(1),
                },
            )?),
        };
        #[cfg(not(any(feature = "cuda", feature = "emulation")))]
        if settings.device != Device::Cpu {
            return Err(DetectorError::Device {
                device: settings.device,
                reason: "this program was built without CUDA; `make gpu-bin` builds one that has it"
                    .to_owned(),
            });
        }
        let network = Network::load(&file, (class_count, &places), running)?;
        let sha256 = sha256(bytes);
        let id = format!("{architecture}-{}", &sha256[..12]);
        Ok(Self {
            network: Arc::new(network),
            card: ModelCard {
                id,
                architecture,
                sha256,
                classes,
                input,
            },
            score_threshold: settings.score_threshold,
            nms_iou: settings.nms_iou,
            max_batch: settings.max_batch.max(1),
            reader: PictureReader::new()?,
            workspace: Workspace::new(),
            drawn: Vec::new(),
            timings: Timings::default(),
            #[cfg(any(feature = "cuda", feature = "emulation"))]
            device,
        })
    }

    /// One more detector for another thread; both share the weights.
    ///
    /// # Errors
    /// Where the JPEG decoder cannot be started.
    pub fn another(&self) -> Result<Self, DetectorError> {
        Ok(Self {
            network: Arc::clone(&self.network),
            card: self.card.clone(),
            reader: PictureReader::new()?,
            workspace: Workspace::new(),
            drawn: Vec::new(),
            timings: Timings::default(),
            #[cfg(any(feature = "cuda", feature = "emulation"))]
            device: self.device.as_ref().map(DeviceDetector::another).transpose()?,
            ..*self
        })
    }

    /// How long the parts of the last [`Detector::detect`] took.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// The name of the device that the net runs on; `None` for the processor.
    #[must_use]
    pub fn device_name(&self) -> Option<&str> {
        #[cfg(any(feature = "cuda", feature = "emulation"))]
        return self.device.as_ref().map(DeviceDetector::name);
        #[cfg(not(any(feature = "cuda", feature = "emulation")))]
        None
    }

    /// How long the net alone takes on the device for the `pictures` pictures that were looked at last, all `times`
    /// together, by the device's clock; nothing is uploaded or brought back.
    ///
    /// # Errors
    /// Where the net does not run on a device, or that fails.
    #[cfg(any(feature = "cuda", feature = "emulation"))]
    pub fn repeat_on_device(
        &mut self,
        pictures: usize,
        times: usize,
    ) -> Result<std::time::Duration, DetectorError> {
        match &mut self.device {
            Some(device) => device.repeat(pictures, times),
            None => Err(DetectorError::Device {
                device: Device::Cpu,
                reason: "only devices repeat".to_owned(),
            }),
        }
    }

    /// Each launch of the net for `pictures` pictures and how long it takes, all `times` together, run over and over.
    ///
    /// # Errors
    /// Where the net does not run on a device, or that fails.
    #[cfg(any(feature = "cuda", feature = "emulation"))]
    pub fn profile_on_device(
        &mut self,
        pictures: usize,
        times: usize,
    ) -> Result<Vec<(String, std::time::Duration)>, DetectorError> {
        match &mut self.device {
            Some(device) => device.profile(pictures, times),
            None => Err(DetectorError::Device {
                device: Device::Cpu,
                reason: "only devices are profiled".to_owned(),
            }),
        }
    }

    /// What the net says of every cell of a picture, before any threshold: rows of centre x and y, width, height (as
    /// the head gives them), objectness and one number for each class of the card (both before the sigmoid); cells
    /// by rows, from the finest level to the coarsest. For comparison with other programs that run the same net.
    ///
    /// # Errors
    /// Where the picture cannot be used.
    pub fn raw_outputs(&mut self, picture: &PictureRef<'_>) -> Result<Vec<f32>, DetectorError> {
        #[cfg(any(feature = "cuda", feature = "emulation"))]
        if let Some(device) = &mut self.device {
            return device.raw(&mut self.reader, picture, self.card.classes.len());
        }
        let InputSize { width, height } = self.card.input;
        self.drawn.resize(width * height * COLOURS, 0);
        let drawn = self.reader.draw(picture, self.card.input, &mut self.drawn);
        drawn.map_err(|reason| DetectorError::Picture { index: 0, reason })?;
        let bytes = self.drawn.as_slice();
        let picture = Picture { bytes, height, width };
        let levels = self
            .network
            .forward(&self.workspace, picture, f32::NEG_INFINITY)?;
        Ok(raw(&levels, self.card.classes.len()))
    }

    /// `first`: the place of the first picture among those that the caller gave.
    fn detect_batch(
        &mut self,
        first: usize,
        pictures: &[PictureRef<'_>],
    ) -> Result<Vec<Vec<Detection>>, DetectorError> {
        #[cfg(any(feature = "cuda", feature = "emulation"))]
        if let Some(device) = &mut self.device {
            let (card, timings) = (&self.card, &mut self.timings);
            return device.detect(&mut self.reader, card, self.nms_iou, (first, pictures), timings);
        }
        let InputSize { width, height } = self.card.input;
        let length = width * height * COLOURS;
        let started = Instant::now();
        self.drawn.resize(pictures.len() * length, 0);
        let mut letterboxes: Vec<Letterbox> = Vec::with_capacity(pictures.len());
        for (index, (picture, target)) in pictures
            .iter()
            .zip(self.drawn.chunks_exact_mut(length))
            .enumerate()
        {
            let letterbox = self.reader.draw(picture, self.card.input, target);
            let refused = |reason| DetectorError::Picture {
                index: first + index,
                reason,
            };
            letterboxes.push(letterbox.map_err(refused)?);
        }
        self.timings.pictures += started.elapsed();
        let least = least_objectness(self.score_threshold);
        let mut found = Vec::with_capacity(pictures.len());
        for (bytes, letterbox) in self.drawn.chunks_exact(length).zip(&letterboxes) {
            let picture = Picture { bytes, height, width };
            let started = Instant::now();
            let levels = self.network.forward(&self.workspace, picture, least)?;
            let net_ended = Instant::now();
            let candidates = candidates(&levels, &self.card.classes, self.score_threshold, letterbox);
            found.push(suppress(candidates, self.nms_iou));
            self.timings.net += net_ended - started;
            self.timings.boxes += net_ended.elapsed();
        }
        Ok(found)
    }
}

impl Detector for YoloxDetector {
    fn model(&self) -> &ModelCard {
        &self.card
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn detect(&mut self, pictures: &[PictureRef<'_>]) -> Result<Vec<Vec<Detection>>, DetectorError> {
        self.timings = Timings::default();
        let mut found = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(self.max_batch) {
            found.extend(self.detect_batch(found.len(), batch)?);
        }
        Ok(found)
    }
}

/// Those of the known classes that are wanted, with their places in the weights.
fn used_classes(
    path: &Path,
    known: &[(usize, ObjectClass)],
    wanted: Option<&[ObjectClass]>,
) -> Result<Vec<(usize, ObjectClass)>, DetectorError> {
    let used = known
        .iter()
        .filter(|(_, class)| wanted.is_none_or(|wanted| wanted.contains(class)));
    let used: Vec<(usize, ObjectClass)> = used.copied().collect();
    if used.is_empty() {
        return Err(DetectorError::Classes {
            path: path.to_owned(),
            wanted: wanted
                .unwrap_or_default()
                .iter()
                .map(|class| class.name())
                .collect(),
            known: known.iter().map(|(_, class)| class.name()).collect(),
        });
    }
    Ok(used)
}

fn check_threshold(name: &'static str, found: f32) -> Result<(), DetectorError> {
    if found > 0.0 && found < 1.0 {
        Ok(())
    } else {
        Err(DetectorError::Threshold { name, found })
    }
}

fn check_input(InputSize { width, height }: InputSize) -> Result<(), DetectorError> {
    let coarsest = STRIDES[STRIDES.len() - 1];
    let serves =
        |length: usize| length.is_multiple_of(coarsest) && (coarsest..=LARGEST_INPUT).contains(&length);
    if serves(width) && serves(height) {
        Ok(())
    } else {
        Err(DetectorError::InputSize { width, height })
    }
}
