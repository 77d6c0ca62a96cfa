use std::fmt;
use std::time::Duration;

use mineseal_domain::{Detection, ObjectClass};
use mineseal_kernels::Instructions;

use crate::{DetectorError, Device, PictureRef};

/// Finds objects in pictures.
pub trait Detector {
    /// What finds them.
    fn model(&self) -> &ModelCard;

    /// Pictures that go through the net at once; more are taken in turns.
    fn max_batch(&self) -> usize;

    /// The objects of each picture, best score first, in pixels of that picture. Boxes of objects that the
    /// picture cuts off may reach over its edge. A picture gives the same result alone and in a batch.
    ///
    /// # Errors
    /// [`DetectorError::Picture`] names the first picture that cannot be used; leave it out and ask again.
    fn detect(&mut self, pictures: &[PictureRef<'_>]) -> Result<Vec<Vec<Detection>>, DetectorError>;
}

/// A size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InputSize {
    /// To the right.
    pub width: usize,
    /// Downwards.
    pub height: usize,
}

impl InputSize {
    /// For pictures of 16:9 where the weights suggest nothing: at it, YOLOX-Nano finds as many people as at
    /// 640x640 for three fifths of the work.
    pub const DEFAULT: Self = Self {
        width: 640,
        height: 384,
    };
}

impl fmt::Display for InputSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.width, self.height)
    }
}

/// What the weights are and how they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCard {
    /// Architecture and the first 12 digits of the weights' SHA-256, such as `yolox-d766a5f68153`.
    pub id: String,
    /// As in the weights' metadata, such as `yolox`.
    pub architecture: String,
    /// Of the whole file, lower-case hexadecimal.
    pub sha256: String,
    /// What it looks for.
    pub classes: Vec<ObjectClass>,
    /// The size that pictures are brought to.
    pub input: InputSize,
}

/// What the net's 1x1 convolutions multiply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    Single,
    /// Bytes, where the processor has instructions for it (AVX-512 VNNI) and the convolution is wide enough; the others
    /// as `Single`. Boxes and scores change a little: `make bench-detector` says by how much.
    Bytes,
}

/// How long the parts of a call took, all of its pictures together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Decoding, scaling and laying the pictures into the net's input.
    pub pictures: Duration,
    /// The net.
    pub net: Duration,
    /// From the net's outputs to boxes.
    pub boxes: Duration,
}

/// How a detector is used.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSettings {
    /// The size that pictures are brought to; `None` for the size that the weights were made for, and
    /// [`InputSize::DEFAULT`] where they do not say.
    pub input: Option<InputSize>,
    /// Boxes below this are not given. The default is low, for trackers that use weak boxes too.
    pub score_threshold: f32,
    /// Of two boxes of a group that overlap more than this (intersection over union), the weaker goes.
    pub nms_iou: f32,
    /// What is looked for; `None` for all that the weights know.
    pub classes: Option<Vec<ObjectClass>>,
    /// Pictures that go through the net at once, at least 1.
    pub max_batch: usize,
    /// The instructions of the inner loops; `None`, and those that the processor lacks, for the fastest that it has.
    pub instructions: Option<Instructions>,
    /// What the 1x1 convolutions multiply.
    pub precision: Precision,
    /// Where the net runs. On a device, `instructions` and `precision` mean nothing: it stores f16 and sums in f32.
    pub device: Device,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            input: None,
            score_threshold: 0.1,
            nms_iou: 0.45,
            classes: None,
            max_batch: 4,
            instructions: None,
            precision: Precision::Single,
            device: Device::Cpu,
        }
    }
}
