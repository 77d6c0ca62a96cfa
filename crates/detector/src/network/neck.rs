use mineseal_kernels::{Map, Pointwise, Workspace};

use super::backbone::BackboneFeatures;
use super::layers::{CrossStage, FineCrossStage, Path, Window};
use crate::DetectorError;

/// The path aggregation network: from coarse to fine, and back from fine to coarse.
pub(crate) struct Neck {
    lateral: Pointwise,
    fine_to_p4: FineCrossStage,
    reduce: Pointwise,
    fine_to_p3: FineCrossStage,
    down_from_p3: Window,
    coarse_to_n3: CrossStage,
    down_from_n3: Window,
    coarse_to_n4: CrossStage,
}

impl Neck {
    pub(crate) fn load(path: &Path<'_>, base: usize) -> Result<Self, DetectorError> {
        let path = path.at("backbone");
        let (fine, middle, coarse) = (4 * base, 8 * base, 16 * base);
        Ok(Self {
            lateral: path.at("lateral_conv0").pointwise(coarse, middle)?,
            fine_to_p4: FineCrossStage::load(&path.at("C3_p4"), 2 * middle, middle)?,
            reduce: path.at("reduce_conv1").pointwise(middle, fine)?,
            fine_to_p3: FineCrossStage::load(&path.at("C3_p3"), 2 * fine, fine)?,
            down_from_p3: path.at("bu_conv2").window(fine, fine, 2)?,
            coarse_to_n3: CrossStage::load(&path.at("C3_n3"), 2 * fine, middle, false)?,
            down_from_n3: path.at("bu_conv1").window(middle, middle, 2)?,
            coarse_to_n4: CrossStage::load(&path.at("C3_n4"), 2 * middle, coarse, false)?,
        })
    }

    /// Features at strides 8, 16 and 32.
    pub(crate) fn forward(
        &self,
        workspace: &Workspace,
        features: &BackboneFeatures,
    ) -> candle_core::Result<[Map; 3]> {
        let BackboneFeatures { dark3, dark4, dark5 } = features;
        let lateral = self.lateral.apply(workspace, dark5.view())?;
        let p4 = self.fine_to_p4.forward(workspace, lateral.view(), dark4.view())?;
        let reduced = self.reduce.apply(workspace, p4.view())?;
        drop(p4);
        let p3 = self.fine_to_p3.forward(workspace, reduced.view(), dark3.view())?;
        let down = self.down_from_p3.apply(workspace, p3.view())?;
        let n3 = self
            .coarse_to_n3
            .forward_pair(workspace, down.view(), reduced.view())?;
        let down = self.down_from_n3.apply(workspace, n3.view())?;
        let n4 = self
            .coarse_to_n4
            .forward_pair(workspace, down.view(), lateral.view())?;
        Ok([p3, n3, n4])
    }
}
