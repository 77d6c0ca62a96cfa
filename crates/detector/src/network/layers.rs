//! What the three parts of the net are made of.

use mineseal_kernels::{Depthwise, Instructions, Map, Pointwise, Separable, Upsample, View, Workspace};

use crate::weights::Weights;
use crate::{DetectorError, Precision};

/// How the layers are to be run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) instructions: Instructions,
    pub(crate) precision: Precision,
}

/// Where a layer lies in the file of weights, and how it is to be run.
#[derive(Clone)]
pub(crate) struct Path<'a> {
    weights: &'a Weights<'a>,
    running: Running,
    name: String,
}

impl<'a> Path<'a> {
    pub(crate) fn new(weights: &'a Weights<'a>, running: Running, name: &str) -> Self {
        Self {
            weights,
            running,
            name: name.to_owned(),
        }
    }

    pub(crate) fn at(&self, name: &str) -> Self {
        let name = match self.name.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        Self { name, ..*self }
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
        Ok(self.packed(&weight, &bias, true)?)
    }

    /// A 1x1 convolution of these weights.
    pub(crate) fn packed(&self, weight: &[f32], bias: &[f32], silu: bool) -> candle_core::Result<Pointwise> {
        let pointwise = Pointwise::new(weight, bias, silu)?.with_instructions(self.running.instructions);
        Ok(match self.running.precision {
            Precision::Single => pointwise,
            Precision::Bytes => pointwise.with_bytes(),
        })
    }

    pub(crate) fn instructions(&self) -> Instructions {
        self.running.instructions
    }

    /// A depthwise and a 1x1 convolution, each with SiLU.
    pub(crate) fn separable(
        &self,
        inputs: usize,
        outputs: usize,
        stride: usize,
    ) -> Result<Separable, DetectorError> {
        let (weight, bias) = self.at("dconv.conv").convolution(inputs, 1, 3)?;
        let depthwise = Depthwise::new(&weight, &bias, stride)?.with_instructions(self.running.instructions);
        Ok(Separable::new(
            depthwise,
            self.at("pconv").pointwise(inputs, outputs)?,
        )?)
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
        Ok(Self {
            first: path.at("conv1").pointwise(channels, channels)?,
            second: path.at("conv2").separable(channels, channels, 1)?,
            shortcut,
        })
    }

    fn forward(&self, workspace: &Workspace, input: View<'_>) -> candle_core::Result<Map> {
        let middle = self.first.apply(workspace, input)?;
        if self.shortcut {
            self.second.apply_residual(workspace, middle.view(), input)
        } else {
            self.second.apply(workspace, middle.view())
        }
    }
}

/// What a cross-stage partial layer begins with: the 1x1 convolutions of both ways, as one.
struct Ways<'a> {
    path: Path<'a>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl<'a> Ways<'a> {
    fn load(path: &Path<'a>, inputs: usize, hidden: usize) -> Result<Self, DetectorError> {
        let (mut weight, mut bias) = path.at("conv1.conv").convolution(hidden, inputs, 1)?;
        let (past_weight, past_bias) = path.at("conv2.conv").convolution(hidden, inputs, 1)?;
        weight.extend(past_weight);
        bias.extend(past_bias);
        Ok(Self {
            path: path.clone(),
            weight,
            bias,
            inputs,
        })
    }

    fn whole(&self) -> candle_core::Result<Pointwise> {
        self.path.packed(&self.weight, &self.bias, true)
    }

    /// The part for the first half of the inputs, before SiLU, and the part for the second half, which goes on.
    fn halves(&self) -> candle_core::Result<[Pointwise; 2]> {
        let half = |from: usize| -> Vec<f32> {
            let rows = self.weight.chunks_exact(self.inputs);
            rows.flat_map(|row| &row[from..from + self.inputs / 2])
                .copied()
                .collect()
        };
        Ok([
            self.path.packed(&half(0), &self.bias, false)?,
            self.path
                .packed(&half(self.inputs / 2), &vec![0.0; self.bias.len()], true)?,
        ])
    }
}

/// The rest of a cross-stage partial layer: half of the channels go through bottlenecks, half past them.
struct Join {
    bottlenecks: Vec<Bottleneck>,
    last: Pointwise,
    hidden_blocks: usize,
}

impl Join {
    /// As many bottlenecks as the file has, at least one.
    fn load(path: &Path<'_>, hidden: usize, outputs: usize, shortcut: bool) -> Result<Self, DetectorError> {
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
            bottlenecks,
            last: path.at("conv3").pointwise(2 * hidden, outputs)?,
            hidden_blocks: hidden / mineseal_kernels::BLOCK,
        })
    }

    fn forward(&self, workspace: &Workspace, ways: &Map) -> candle_core::Result<Map> {
        let (through, past) = ways.view().split(self.hidden_blocks)?;
        let mut latest: Option<Map> = None;
        for bottleneck in &self.bottlenecks {
            let input = latest.as_ref().map_or(through, Map::view);
            latest = Some(bottleneck.forward(workspace, input)?);
        }
        let through = latest.as_ref().map_or(through, Map::view);
        self.last.apply_pair(workspace, through, past)
    }
}

/// A cross-stage partial layer.
pub(crate) struct CrossStage {
    ways: Pointwise,
    join: Join,
}

impl CrossStage {
    pub(crate) fn load(
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
        shortcut: bool,
    ) -> Result<Self, DetectorError> {
        Ok(Self {
            ways: Ways::load(path, inputs, outputs / 2)?.whole()?,
            join: Join::load(path, outputs / 2, outputs, shortcut)?,
        })
    }

    pub(crate) fn forward(&self, workspace: &Workspace, input: View<'_>) -> candle_core::Result<Map> {
        self.join.forward(workspace, &self.ways.apply(workspace, input)?)
    }

    /// Of two maps as one, the second's channels after the first's.
    pub(crate) fn forward_pair(
        &self,
        workspace: &Workspace,
        first: View<'_>,
        second: View<'_>,
    ) -> candle_core::Result<Map> {
        self.join
            .forward(workspace, &self.ways.apply_pair(workspace, first, second)?)
    }
}

/// A cross-stage partial layer over a coarse map, doubled in size, and a fine one.
///
/// A 1x1 convolution does not see its neighbours: the coarse map is convolved before it is doubled, for a quarter
/// of the work.
pub(crate) struct FineCrossStage {
    coarse: Pointwise,
    fine: Pointwise,
    join: Join,
}

impl FineCrossStage {
    /// Both maps have half of the inputs.
    pub(crate) fn load(path: &Path<'_>, inputs: usize, outputs: usize) -> Result<Self, DetectorError> {
        let [coarse, fine] = Ways::load(path, inputs, outputs / 2)?.halves()?;
        Ok(Self {
            coarse,
            fine,
            join: Join::load(path, outputs / 2, outputs, false)?,
        })
    }

    pub(crate) fn forward(
        &self,
        workspace: &Workspace,
        coarse: View<'_>,
        fine: View<'_>,
    ) -> candle_core::Result<Map> {
        let coarse = self.coarse.apply(workspace, coarse)?;
        let doubled = Upsample.apply(workspace, coarse.view());
        let ways = self.fine.apply_from(workspace, doubled.view(), fine)?;
        drop((coarse, doubled));
        self.join.forward(workspace, &ways)
    }
}
