//! What the three parts of the net are made of.

use candle_core::Tensor;
use mineseal_kernels::{Depthwise, Pointwise};

use crate::DetectorError;
use crate::weights::Weights;

/// Where a layer lies in the file of weights.
#[derive(Clone)]
pub(crate) struct Path<'a> {
    weights: &'a Weights<'a>,
    name: String,
}

impl<'a> Path<'a> {
    pub(crate) fn new(weights: &'a Weights<'a>, name: &str) -> Self {
        Self {
            weights,
            name: name.to_owned(),
        }
    }

    pub(crate) fn at(&self, name: &str) -> Self {
        Self {
            weights: self.weights,
            name: format!("{}.{name}", self.name),
        }
    }

    pub(crate) fn exists(&self) -> bool {
        self.weights.contains(&self.name)
    }

    /// Weight and bias of a convolution; `window` is the length of its sides.
    pub(crate) fn convolution(
        &self,
        outputs: usize,
        inputs: usize,
        window: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), DetectorError> {
        let weight = self.weights.tensor(
            &format!("{}.weight", self.name),
            &[outputs, inputs, window, window],
        )?;
        let bias = self.weights.tensor(&format!("{}.bias", self.name), &[outputs])?;
        Ok((weight, bias))
    }

    /// A 1x1 convolution with SiLU.
    pub(crate) fn pointwise(&self, inputs: usize, outputs: usize) -> Result<Pointwise, DetectorError> {
        let (weight, bias) = self.at("conv").convolution(outputs, inputs, 1)?;
        Ok(Pointwise::new(&weight, &bias, true)?)
    }
}

/// A depthwise and a 1x1 convolution, each with SiLU.
pub(crate) struct Separable {
    depthwise: Depthwise,
    pointwise: Pointwise,
}

impl Separable {
    pub(crate) fn load(
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
        stride: usize,
    ) -> Result<Self, DetectorError> {
        let (weight, bias) = path.at("dconv.conv").convolution(inputs, 1, 3)?;
        let depthwise = Depthwise::new(&weight, &bias, stride)?;
        Ok(Self {
            depthwise,
            pointwise: path.at("pconv").pointwise(inputs, outputs)?,
        })
    }

    pub(crate) fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        self.pointwise.forward(&self.depthwise.forward(input)?)
    }

    fn forward_residual(&self, input: &Tensor, residual: &Tensor) -> candle_core::Result<Tensor> {
        self.pointwise
            .forward_residual(&self.depthwise.forward(input)?, residual)
    }
}

/// A 1x1 and a separable convolution, with the input added where there is a shortcut.
struct Bottleneck {
    first: Pointwise,
    second: Separable,
    shortcut: bool,
}

impl Bottleneck {
    fn load(path: &Path<'_>, channels: usize, shortcut: bool) -> Result<Self, DetectorError> {
        let first = path.at("conv1").pointwise(channels, channels)?;
        Ok(Self {
            first,
            second: Separable::load(&path.at("conv2"), channels, channels, 1)?,
            shortcut,
        })
    }

    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let middle = self.first.forward(input)?;
        if self.shortcut {
            self.second.forward_residual(&middle, input)
        } else {
            self.second.forward(&middle)
        }
    }
}

/// A cross-stage partial layer: half of the channels go through bottlenecks, half past them.
pub(crate) struct CrossStage {
    through: Pointwise,
    bottlenecks: Vec<Bottleneck>,
    past: Pointwise,
    last: Pointwise,
}

impl CrossStage {
    /// As many bottlenecks as the file has, at least one.
    pub(crate) fn load(
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
        shortcut: bool,
    ) -> Result<Self, DetectorError> {
        let hidden = outputs / 2;
        let bottleneck = |number: usize| path.at(&format!("m.{number}"));
        let mut bottlenecks = vec![Bottleneck::load(&bottleneck(0), hidden, shortcut)?];
        while bottleneck(bottlenecks.len()).at("conv1.conv.weight").exists() {
            bottlenecks.push(Bottleneck::load(
                &bottleneck(bottlenecks.len()),
                hidden,
                shortcut,
            )?);
        }
        Ok(Self {
            through: path.at("conv1").pointwise(inputs, hidden)?,
            bottlenecks,
            past: path.at("conv2").pointwise(inputs, hidden)?,
            last: path.at("conv3").pointwise(2 * hidden, outputs)?,
        })
    }

    pub(crate) fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        self.join(self.through.forward(input)?, &self.past.forward(input)?)
    }

    /// Of two tensors as one, the second's channels after the first's.
    pub(crate) fn forward_pair(&self, first: &Tensor, second: &Tensor) -> candle_core::Result<Tensor> {
        self.join(
            self.through.forward_pair(first, second)?,
            &self.past.forward_pair(first, second)?,
        )
    }

    fn join(&self, mut through: Tensor, past: &Tensor) -> candle_core::Result<Tensor> {
        for bottleneck in &self.bottlenecks {
            through = bottleneck.forward(&through)?;
        }
        self.last.forward_pair(&through, past)
    }
}
