//! YOLOX as in its paper (Ge and others, 2021, arXiv 2107.08430): a CSP Darknet that sees, a path aggregation
//! network that joins what was seen at three sizes, and a decoupled head. Batch normalisation is folded into the
//! weights; every convolution but the head's last ones is followed by SiLU.
//!
//! Tensor names are the module paths of the reference implementation (Megvii-BaseDetection/YOLOX, Apache-2.0).

mod backbone;
mod head;
mod layers;
mod neck;

use mineseal_kernels::Workspace;

use crate::DetectorError;
use crate::weights::Weights;
use backbone::Backbone;
use head::Head;
pub(crate) use head::{Level, OBJECTNESS};
pub(crate) use layers::{Path, Running};
use neck::Neck;

/// Pixels of the input for one cell of each level.
pub(crate) const STRIDES: [usize; 3] = [8, 16, 32];

/// A picture as the net sees it: bytes, `[height, width, 3]`, blue first, sizes that are multiples of 32.
#[derive(Clone, Copy)]
pub(crate) struct Picture<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// The whole net.
pub(crate) struct Network {
    backbone: Backbone,
    neck: Neck,
    head: Head,
}

impl Network {
    /// `classes`: how many the weights have, and the places of those that are computed.
    pub(crate) fn load(
        weights: &Weights<'_>,
        classes: (usize, &[usize]),
        running: Running,
    ) -> Result<Self, DetectorError> {
        let base = weights.base_channels()?;
        let path = Path::new(weights, running, "")?;
        Ok(Self {
            backbone: Backbone::load(&path, base)?,
            neck: Neck::load(&path, base)?,
            head: Head::load(&path, base, classes)?,
        })
    }

    /// The maps come from `workspace` and go back to it. Cells whose objectness (before the sigmoid) is below `least`
    /// need no classes.
    pub(crate) fn forward(
        &self,
        workspace: &Workspace,
        picture: Picture<'_>,
        least: f32,
    ) -> candle_core::Result<[Level; 3]> {
        let features = self.backbone.forward(workspace, picture)?;
        let features = self.neck.forward(workspace, &features)?;
        self.head.forward(workspace, &features, least)
    }
}
