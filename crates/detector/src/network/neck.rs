use candle_core::Tensor;
use mineseal_kernels::{Pointwise, Upsample};

use super::backbone::BackboneFeatures;
use super::layers::{CrossStage, Path, Separable};
use crate::DetectorError;
use crate::weights::Weights;

/// The path aggregation network: from coarse to fine, and back from fine to coarse.
pub(crate) struct Neck {
    lateral: Pointwise,
    fine_to_p4: CrossStage,
    reduce: Pointwise,
    fine_to_p3: CrossStage,
    down_from_p3: Separable,
    coarse_to_n3: CrossStage,
    down_from_n3: Separable,
    coarse_to_n4: CrossStage,
}

impl Neck {
    pub(crate) fn load(weights: &Weights<'_>, base: usize) -> Result<Self, DetectorError> {
        let path = Path::new(weights, "backbone");
        let (fine, middle, coarse) = (4 * base, 8 * base, 16 * base);
        Ok(Self {
            lateral: path.at("lateral_conv0").pointwise(coarse, middle)?,
            fine_to_p4: CrossStage::load(&path.at("C3_p4"), 2 * middle, middle, false)?,
            reduce: path.at("reduce_conv1").pointwise(middle, fine)?,
            fine_to_p3: CrossStage::load(&path.at("C3_p3"), 2 * fine, fine, false)?,
            down_from_p3: Separable::load(&path.at("bu_conv2"), fine, fine, 2)?,
            coarse_to_n3: CrossStage::load(&path.at("C3_n3"), 2 * fine, middle, false)?,
            down_from_n3: Separable::load(&path.at("bu_conv1"), middle, middle, 2)?,
            coarse_to_n4: CrossStage::load(&path.at("C3_n4"), 2 * middle, coarse, false)?,
        })
    }

    /// Features at strides 8, 16 and 32.
    pub(crate) fn forward(&self, features: &BackboneFeatures) -> candle_core::Result<[Tensor; 3]> {
        let lateral = self.lateral.forward(&features.dark5)?;
        let p4 = self
            .fine_to_p4
            .forward_pair(&Upsample.forward(&lateral)?, &features.dark4)?;
        let reduced = self.reduce.forward(&p4)?;
        let p3 = self
            .fine_to_p3
            .forward_pair(&Upsample.forward(&reduced)?, &features.dark3)?;
        let n3 = self
            .coarse_to_n3
            .forward_pair(&self.down_from_p3.forward(&p3)?, &reduced)?;
        let n4 = self
            .coarse_to_n4
            .forward_pair(&self.down_from_n3.forward(&n3)?, &lateral)?;
        Ok([p3, n3, n4])
    }
}
