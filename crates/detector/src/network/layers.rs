//! What the three parts of the net are made of.

use std::ops::Range;

use mineseal_kernels::{
    BLOCK, Dense, Depthwise, Instructions, Map, Pointwise, Separable, Upsample, View, Workspace,
};

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
    /// 3x3 convolutions are separable.
    depthwise: bool,
    name: String,
}

/// Maps have whole blocks of channels; those that a net does not have are zero, and stay so.
pub(crate) fn whole_blocks(channels: usize) -> usize {
    channels.next_multiple_of(BLOCK)
}

impl<'a> Path<'a> {
    pub(crate) fn new(weights: &'a Weights<'a>, running: Running, name: &str) -> Result<Self, DetectorError> {
        Ok(Self {
            weights,
            running,
            depthwise: weights.depthwise()?,
            name: name.to_owned(),
        })
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

    /// As [`Self::convolution`], with zeros for the channels that fill the last block of the outputs and of each part of
    /// the inputs.
    fn filled(
        &self,
        outputs: usize,
        parts: &[usize],
        window: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), DetectorError> {
        let (weight, mut bias) = self.convolution(outputs, parts.iter().sum(), window)?;
        bias.resize(whole_blocks(outputs), 0.0);
        if parts.iter().all(|part| part.is_multiple_of(BLOCK)) && outputs.is_multiple_of(BLOCK) {
            return Ok((weight, bias));
        }
        let taps = window * window;
        let inputs: usize = parts.iter().map(|part| whole_blocks(*part)).sum();
        let mut filled = Vec::with_capacity(bias.len() * inputs * taps);
        let mut rest = weight.as_slice();
        for part in (0..outputs).flat_map(|_| parts) {
            let (numbers, others) = rest.split_at(part * taps);
            filled.extend_from_slice(numbers);
            filled.resize(filled.len() + (whole_blocks(*part) - part) * taps, 0.0);
            rest = others;
        }
        filled.resize(bias.len() * inputs * taps, 0.0);
        Ok((filled, bias))
    }

    /// A 1x1 convolution with SiLU.
    pub(crate) fn pointwise(&self, inputs: usize, outputs: usize) -> Result<Pointwise, DetectorError> {
        self.pointwise_of(&[inputs], outputs)
    }

    /// A 1x1 convolution with SiLU of several maps as one.
    pub(crate) fn pointwise_of(&self, parts: &[usize], outputs: usize) -> Result<Pointwise, DetectorError> {
        let (weight, bias) = self.at("conv").filled(outputs, parts, 1)?;
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

    /// A 3x3 convolution with SiLU; in a depthwise net a depthwise and a 1x1 one, each with SiLU.
    pub(crate) fn window(
        &self,
        inputs: usize,
        outputs: usize,
        stride: usize,
    ) -> Result<Window, DetectorError> {
        let instructions = self.running.instructions;
        if !self.depthwise {
            let (weight, bias) = self.at("conv").filled(outputs, &[inputs], 3)?;
            let dense = Dense::new(&weight, &bias, stride)?.with_instructions(instructions);
            return Ok(Window::Dense(match self.running.precision {
                Precision::Single => dense,
                Precision::Bytes => dense.with_bytes(),
            }));
        }
        Ok(Window::Separable(self.separable(inputs, outputs, stride)?))
    }

    pub(crate) fn separable(
        &self,
        inputs: usize,
        outputs: usize,
        stride: usize,
    ) -> Result<Separable, DetectorError> {
        let (mut weight, mut bias) = self.at("dconv.conv").convolution(inputs, 1, 3)?;
        weight.resize(whole_blocks(inputs) * 9, 0.0);
        bias.resize(whole_blocks(inputs), 0.0);
        let depthwise = Depthwise::new(&weight, &bias, stride)?.with_instructions(self.running.instructions);
        Ok(Separable::new(
            depthwise,
            self.at("pconv").pointwise(inputs, outputs)?,
        )?)
    }

    pub(crate) fn is_depthwise(&self) -> bool {
        self.depthwise
    }
}

/// A 3x3 convolution of either kind, with SiLU.
pub(crate) enum Window {
    Separable(Separable),
    Dense(Dense),
}

impl Window {
    pub(crate) fn apply(&self, workspace: &Workspace, input: View<'_>) -> candle_core::Result<Map> {
        match self {
            Self::Separable(separable) => separable.apply(workspace, input),
            Self::Dense(dense) => dense.apply(workspace, input),
        }
    }

    fn apply_residual(
        &self,
        workspace: &Workspace,
        input: View<'_>,
        residual: View<'_>,
    ) -> candle_core::Result<Map> {
        match self {
            Self::Separable(separable) => separable.apply_residual(workspace, input, residual),
            Self::Dense(dense) => dense.apply_residual(workspace, input, residual),
        }
    }

    /// Only these rows are computed.
    pub(crate) fn apply_rows(
        &self,
        workspace: &Workspace,
        input: View<'_>,
        rows: Range<usize>,
    ) -> candle_core::Result<Map> {
        match self {
            Self::Separable(separable) => separable.apply_rows(workspace, input, rows),
            Self::Dense(dense) => dense.apply_rows(workspace, input, rows),
        }
    }

    /// And then a 1x1 convolution; only these rows are computed.
    pub(crate) fn apply_rows_then(
        &self,
        workspace: &Workspace,
        input: View<'_>,
        rows: Range<usize>,
        last: &Pointwise,
    ) -> candle_core::Result<Map> {
        match self {
            Self::Separable(separable) => separable.apply_rows_then(workspace, input, rows, last),
            Self::Dense(dense) => dense.apply_rows_then(workspace, input, rows, last),
        }
    }
}

/// A 1x1 and a 3x3 convolution, with the input added where there is a shortcut.
struct Bottleneck {
    first: Pointwise,
    second: Window,
    shortcut: bool,
}

impl Bottleneck {
    fn load(path: &Path<'_>, channels: usize, shortcut: bool) -> Result<Self, DetectorError> {
        Ok(Self {
            first: path.at("conv1").pointwise(channels, channels)?,
            second: path.at("conv2").window(channels, channels, 1)?,
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
        let (mut weight, mut bias) = path.at("conv1.conv").filled(hidden, &[inputs], 1)?;
        let (past_weight, past_bias) = path.at("conv2.conv").filled(hidden, &[inputs], 1)?;
        weight.extend(past_weight);
        bias.extend(past_bias);
        Ok(Self {
            path: path.clone(),
            weight,
            bias,
            inputs: whole_blocks(inputs),
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
            last: path.at("conv3").pointwise_of(&[hidden, hidden], outputs)?,
            hidden_blocks: hidden.div_ceil(BLOCK),
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
