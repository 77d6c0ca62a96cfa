//! YOLOX as in its paper (Ge and others, 2021, arXiv 2107.08430): a CSP Darknet that sees, a path aggregation
//! network that joins what was seen at three sizes, and a decoupled head. Batch normalisation is folded into the
//! weights; every convolution but the head's last ones is followed by SiLU.
//!
//! Tensor names are the module paths of the reference implementation (Megvii-BaseDetection/YOLOX, Apache-2.0).

mod backbone;
mod head;
mod layers;
mod neck;

use candle_core::Tensor;

use crate::DetectorError;
use crate::weights::Weights;
use backbone::Backbone;
use head::Head;
pub(crate) use head::Level;
use neck::Neck;

/// Pixels of the input for one cell of each level.
pub(crate) const STRIDES: [usize; 3] = [8, 16, 32];

/// The whole net.
pub(crate) struct Network {
    backbone: Backbone,
    neck: Neck,
    head: Head,
}

impl Network {
    /// `classes`: how many the weights have, and the places of those that are computed.
    pub(crate) fn load(weights: &Weights<'_>, classes: (usize, &[usize])) -> Result<Self, DetectorError> {
        let base = weights.base_channels()?;
        Ok(Self {
            backbone: Backbone::load(weights, base)?,
            neck: Neck::load(weights, base)?,
            head: Head::load(weights, base, classes)?,
        })
    }

    /// `pictures`: bytes, `[pictures, height, width, 3]`, blue first, sizes that are multiples of 32.
    pub(crate) fn forward(&self, pictures: &Tensor) -> candle_core::Result<[Level; 3]> {
        let features = self.backbone.forward(pictures)?;
        let features = self.neck.forward(&features)?;
        self.head.forward(&features)
    }
}
