use candle_core::Tensor;
use mineseal_kernels::{Pointwise, SpatialPyramid, Stem};

use super::layers::{CrossStage, Path, Separable};
use crate::DetectorError;
use crate::weights::Weights;

/// CSP Darknet: halves the picture five times.
pub(crate) struct Backbone {
    stem: Stem,
    dark2: Stage,
    dark3: Stage,
    dark4: Stage,
    dark5: LastStage,
}

/// What the backbone sees at strides 8, 16 and 32.
pub(crate) struct BackboneFeatures {
    pub(crate) dark3: Tensor,
    pub(crate) dark4: Tensor,
    pub(crate) dark5: Tensor,
}

/// Halves the picture and doubles the channels.
struct Stage {
    halve: Separable,
    layer: CrossStage,
}

/// The same with pooling over large windows in between, and no shortcuts.
struct LastStage {
    halve: Separable,
    narrow: Pointwise,
    widen: Pointwise,
    layer: CrossStage,
}

impl Backbone {
    pub(crate) fn load(weights: &Weights<'_>, base: usize) -> Result<Self, DetectorError> {
        let path = Path::new(weights, "backbone.backbone");
        let (weight, bias) = path.at("stem.conv.conv").convolution(base, 12, 3)?;
        Ok(Self {
            stem: Stem::new(&weight, &bias)?,
            dark2: Stage::load(&path.at("dark2"), base)?,
            dark3: Stage::load(&path.at("dark3"), 2 * base)?,
            dark4: Stage::load(&path.at("dark4"), 4 * base)?,
            dark5: LastStage::load(&path.at("dark5"), 8 * base)?,
        })
    }

    pub(crate) fn forward(&self, pictures: &Tensor) -> candle_core::Result<BackboneFeatures> {
        let dark2 = self.dark2.forward(&self.stem.forward(pictures)?)?;
        let dark3 = self.dark3.forward(&dark2)?;
        let dark4 = self.dark4.forward(&dark3)?;
        let dark5 = self.dark5.forward(&dark4)?;
        Ok(BackboneFeatures { dark3, dark4, dark5 })
    }
}

impl Stage {
    fn load(path: &Path<'_>, inputs: usize) -> Result<Self, DetectorError> {
        let halve = Separable::load(&path.at("0"), inputs, 2 * inputs, 2)?;
        Ok(Self {
            halve,
            layer: CrossStage::load(&path.at("1"), 2 * inputs, 2 * inputs, true)?,
        })
    }

    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        self.layer.forward(&self.halve.forward(input)?)
    }
}

impl LastStage {
    fn load(path: &Path<'_>, inputs: usize) -> Result<Self, DetectorError> {
        Ok(Self {
            halve: Separable::load(&path.at("0"), inputs, 2 * inputs, 2)?,
            narrow: path.at("1.conv1").pointwise(2 * inputs, inputs)?,
            widen: path.at("1.conv2").pointwise(4 * inputs, 2 * inputs)?,
            layer: CrossStage::load(&path.at("2"), 2 * inputs, 2 * inputs, false)?,
        })
    }

    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let narrow = self.narrow.forward(&self.halve.forward(input)?)?;
        let pooled = SpatialPyramid.forward(&narrow)?;
        self.layer.forward(&self.widen.forward(&pooled)?)
    }
}
