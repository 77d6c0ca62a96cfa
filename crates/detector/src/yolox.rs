use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use mineseal_domain::{Detection, ObjectClass};

use crate::boxes::Outputs;
use crate::letterbox::{COLOURS, Letterbox};
use crate::network::{Network, STRIDES};
use crate::picture::PictureReader;
use crate::suppression::suppress;
use crate::weights::{Weights, sha256};
use crate::{Detector, DetectorError, DetectorSettings, InputSize, ModelCard, PictureRef};

/// Longest side of the net's input.
const LARGEST_INPUT: usize = 4096;

/// YOLOX with depthwise convolutions (YOLOX-Nano), on the CPU and on the calling thread.
pub struct YoloxDetector {
    network: Arc<Network>,
    card: ModelCard,
    score_threshold: f32,
    nms_iou: f32,
    max_batch: usize,
    reader: PictureReader,
}

impl YoloxDetector {
    /// Reads the weights, a safetensors file with f32 tensors named as in YOLOX and batch normalisation folded.
    ///
    /// Its metadata: `arch` (`yolox`), `depthwise` (`true`), `base_channels`, `num_classes`; `classes` (names with
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
        let network = Network::load(&file, (class_count, &places))?;
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
            ..*self
        })
    }

    /// `first`: the place of the first picture among those that the caller gave.
    fn detect_batch(
        &mut self,
        first: usize,
        pictures: &[PictureRef<'_>],
    ) -> Result<Vec<Vec<Detection>>, DetectorError> {
        let input = self.card.input;
        let length = input.width * input.height * COLOURS;
        let mut drawn = vec![0; pictures.len() * length];
        let mut letterboxes: Vec<Letterbox> = Vec::with_capacity(pictures.len());
        for (index, (picture, target)) in pictures.iter().zip(drawn.chunks_exact_mut(length)).enumerate() {
            let letterbox = self.reader.draw(picture, input, target);
            let refused = |reason| DetectorError::Picture {
                index: first + index,
                reason,
            };
            letterboxes.push(letterbox.map_err(refused)?);
        }
        let shape = (pictures.len(), input.height, input.width, COLOURS);
        let levels = self
            .network
            .forward(&Tensor::from_vec(drawn, shape, &Device::Cpu)?)?;
        let outputs = Outputs::read(&levels)?;
        let found = letterboxes.iter().enumerate().map(|(picture, letterbox)| {
            let candidates = outputs.candidates(picture, &self.card.classes, self.score_threshold, letterbox);
            suppress(candidates, self.nms_iou)
        });
        Ok(found.collect())
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
