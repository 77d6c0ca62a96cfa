use mineseal_kernels::{Entrance, Map, Pointwise, SpatialPyramid, Stem, View, Workspace};

use super::Picture;
use super::layers::{CrossStage, Path, Window, whole_blocks};
use crate::DetectorError;

/// CSP Darknet: halves the picture five times.
pub(crate) struct Backbone {
    entrance: First,
    dark2: CrossStage,
    dark3: Stage,
    dark4: Stage,
    dark5: LastStage,
}

/// What the backbone sees at strides 8, 16 and 32.
pub(crate) struct BackboneFeatures {
    pub(crate) dark3: Map,
    pub(crate) dark4: Map,
    pub(crate) dark5: Map,
}

/// Halves the picture and doubles the channels.
struct Stage {
    halve: Window,
    layer: CrossStage,
}

/// The same with pooling over large windows in between, and no shortcuts.
struct LastStage {
    halve: Window,
    narrow: Pointwise,
    widen: Pointwise,
    layer: CrossStage,
}

impl Backbone {
    pub(crate) fn load(path: &Path<'_>, base: usize) -> Result<Self, DetectorError> {
        let path = path.at("backbone.backbone");
        Ok(Self {
            entrance: First::load(&path, base)?,
            dark2: CrossStage::load(&path.at("dark2.1"), 2 * base, 2 * base, true)?,
            dark3: Stage::load(&path.at("dark3"), 2 * base)?,
            dark4: Stage::load(&path.at("dark4"), 4 * base)?,
            dark5: LastStage::load(&path.at("dark5"), 8 * base)?,
        })
    }

    pub(crate) fn forward(
        &self,
        workspace: &Workspace,
        picture: Picture<'_>,
    ) -> candle_core::Result<BackboneFeatures> {
        let entered = self.entrance.apply(workspace, picture)?;
        let dark2 = self.dark2.forward(workspace, entered.view())?;
        drop(entered);
        let dark3 = self.dark3.forward(workspace, dark2.view())?;
        drop(dark2);
        let dark4 = self.dark4.forward(workspace, dark3.view())?;
        let dark5 = self.dark5.forward(workspace, dark4.view())?;
        Ok(BackboneFeatures { dark3, dark4, dark5 })
    }
}

/// The stem and what halves the picture after it.
enum First {
    /// As one.
    Fused(Entrance),
    OneAfterTheOther(Stem, Window),
}

impl First {
    fn load(path: &Path<'_>, base: usize) -> Result<Self, DetectorError> {
        let (mut weight, mut bias) = path.at("stem.conv.conv").convolution(base, 12, 3)?;
        let whole = whole_blocks(base);
        weight.resize(weight.len() / base * whole, 0.0);
        bias.resize(whole, 0.0);
        let stem = Stem::new(&weight, &bias)?.with_instructions(path.instructions());
        let halve = path.at("dark2.0");
        Ok(if path.is_depthwise() {
            Self::Fused(Entrance::new(stem, halve.separable(base, 2 * base, 2)?)?)
        } else {
            Self::OneAfterTheOther(stem, halve.window(base, 2 * base, 2)?)
        })
    }

    fn apply(
        &self,
        workspace: &Workspace,
        Picture { bytes, height, width }: Picture<'_>,
    ) -> candle_core::Result<Map> {
        match self {
            Self::Fused(entrance) => entrance.apply(workspace, bytes, height, width),
            Self::OneAfterTheOther(stem, halve) => {
                let half = stem.apply(workspace, bytes, height, width)?;
                halve.apply(workspace, half.view())
            }
        }
    }
}

impl Stage {
    fn load(path: &Path<'_>, inputs: usize) -> Result<Self, DetectorError> {
        Ok(Self {
            halve: path.at("0").window(inputs, 2 * inputs, 2)?,
            layer: CrossStage::load(&path.at("1"), 2 * inputs, 2 * inputs, true)?,
        })
    }

    fn forward(&self, workspace: &Workspace, input: View<'_>) -> candle_core::Result<Map> {
        let half = self.halve.apply(workspace, input)?;
        self.layer.forward(workspace, half.view())
    }
}

impl LastStage {
    fn load(path: &Path<'_>, inputs: usize) -> Result<Self, DetectorError> {
        Ok(Self {
            halve: path.at("0").window(inputs, 2 * inputs, 2)?,
            narrow: path.at("1.conv1").pointwise(2 * inputs, inputs)?,
            widen: path.at("1.conv2").pointwise(4 * inputs, 2 * inputs)?,
            layer: CrossStage::load(&path.at("2"), 2 * inputs, 2 * inputs, false)?,
        })
    }

    fn forward(&self, workspace: &Workspace, input: View<'_>) -> candle_core::Result<Map> {
        let half = self.halve.apply(workspace, input)?;
        let narrow = self.narrow.apply(workspace, half.view())?;
        let pooled = SpatialPyramid.maxima(workspace, narrow.view());
        let wide = self.widen.apply_pair(workspace, narrow.view(), pooled.view())?;
        self.layer.forward(workspace, wide.view())
    }
}
