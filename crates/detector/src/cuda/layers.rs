//! What the parts of the net are made of, on a device.

use mineseal_kernels_cuda::{Beside, Constants, KernelError, Map, Plan, Pointwise, Separable, View};

use super::LoadError;
use crate::network::Path;

/// Packs weights for the device as the layers are loaded.
pub(super) struct Loader<'a> {
    pub(super) constants: &'a mut Constants,
}

impl Loader<'_> {
    /// A 1x1 convolution with SiLU.
    pub(super) fn pointwise(
        &mut self,
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
    ) -> Result<Pointwise, LoadError> {
        let (weight, bias) = path.at("conv").convolution(outputs, inputs, 1)?;
        Ok(self.constants.pointwise(&weight, &bias, true)?)
    }

    /// A depthwise and a 1x1 convolution, each with SiLU.
    pub(super) fn separable(
        &mut self,
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
        stride: usize,
    ) -> Result<Separable, LoadError> {
        let (weight, bias) = path.at("dconv.conv").convolution(inputs, 1, 3)?;
        let pointwise = self.pointwise(&path.at("pconv"), inputs, outputs)?;
        Ok(self.constants.separable(&weight, &bias, stride, pointwise)?)
    }
}

/// A 1x1 and a separable convolution, with the input added where there is a shortcut.
struct Bottleneck {
    first: Pointwise,
    second: Separable,
}

/// Half of the channels go through bottlenecks, half past them.
struct Join {
    bottlenecks: Vec<Bottleneck>,
    shortcut: bool,
    last: Pointwise,
    hidden: usize,
}

impl Join {
    /// As many bottlenecks as the file has, at least one.
    fn load(
        loader: &mut Loader<'_>,
        path: &Path<'_>,
        hidden: usize,
        outputs: usize,
        shortcut: bool,
    ) -> Result<Self, LoadError> {
        let mut bottlenecks = Vec::new();
        loop {
            let path = path.at(&format!("m.{}", bottlenecks.len()));
            if !bottlenecks.is_empty() && !path.at("conv1.conv.weight").exists() {
                break;
            }
            bottlenecks.push(Bottleneck {
                first: loader.pointwise(&path.at("conv1"), hidden, hidden)?,
                second: loader.separable(&path.at("conv2"), hidden, hidden, 1)?,
            });
        }
        Ok(Self {
            bottlenecks,
            shortcut,
            last: loader.pointwise(&path.at("conv3"), 2 * hidden, outputs)?,
            hidden,
        })
    }

    /// The bottlenecks' results take the place of what went into them, beside what went past.
    fn plan(&self, plan: &mut Plan, ways: &Map) -> Result<Map, KernelError> {
        let through = ways.part(0..self.hidden)?;
        for bottleneck in &self.bottlenecks {
            let middle = plan.pointwise(&bottleneck.first, through)?;
            let beside = Beside {
                residual: self.shortcut.then_some(through),
                ..Beside::default()
            };
            plan.separable_into(&bottleneck.second, middle.view(), beside, through)?;
        }
        plan.pointwise(&self.last, ways.view())
    }
}

/// The 1x1 convolutions of both ways as one: weight and bias.
fn both_ways(path: &Path<'_>, inputs: usize, hidden: usize) -> Result<(Vec<f32>, Vec<f32>), LoadError> {
    let (mut weight, mut bias) = path.at("conv1.conv").convolution(hidden, inputs, 1)?;
    let (past_weight, past_bias) = path.at("conv2.conv").convolution(hidden, inputs, 1)?;
    weight.extend(past_weight);
    bias.extend(past_bias);
    Ok((weight, bias))
}

/// A cross-stage partial layer.
pub(super) struct CrossStage {
    ways: Pointwise,
    join: Join,
}

impl CrossStage {
    pub(super) fn load(
        loader: &mut Loader<'_>,
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
        shortcut: bool,
    ) -> Result<Self, LoadError> {
        let (weight, bias) = both_ways(path, inputs, outputs / 2)?;
        Ok(Self {
            ways: loader.constants.pointwise(&weight, &bias, true)?,
            join: Join::load(loader, path, outputs / 2, outputs, shortcut)?,
        })
    }

    pub(super) fn plan(&self, plan: &mut Plan, input: View<'_>) -> Result<Map, KernelError> {
        let ways = plan.pointwise(&self.ways, input)?;
        self.join.plan(plan, &ways)
    }
}

/// A cross-stage partial layer over a coarse map, doubled in size, and a fine one.
///
/// A 1x1 convolution does not see its neighbours: the coarse map is convolved before it is doubled, for a quarter
/// of the work.
pub(super) struct FineCrossStage {
    coarse: Pointwise,
    fine: Pointwise,
    join: Join,
}

impl FineCrossStage {
    /// Both maps have half of the inputs.
    pub(super) fn load(
        loader: &mut Loader<'_>,
        path: &Path<'_>,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, LoadError> {
        let (weight, bias) = both_ways(path, inputs, outputs / 2)?;
        let half = |from: usize| -> Vec<f32> {
            let rows = weight.chunks_exact(inputs);
            rows.flat_map(|row| &row[from..from + inputs / 2])
                .copied()
                .collect()
        };
        Ok(Self {
            coarse: loader.constants.pointwise(&half(0), &bias, false)?,
            fine: loader
                .constants
                .pointwise(&half(inputs / 2), &vec![0.0; bias.len()], true)?,
            join: Join::load(loader, path, outputs / 2, outputs, false)?,
        })
    }

    pub(super) fn plan(
        &self,
        plan: &mut Plan,
        coarse: View<'_>,
        fine: View<'_>,
        (height, width): (usize, usize),
    ) -> Result<Map, KernelError> {
        let coarse = plan.pointwise(&self.coarse, coarse)?;
        let ways = plan.map(2 * self.join.hidden, height, width);
        let beside = Beside {
            before: Some(coarse.view()),
            ..Beside::default()
        };
        plan.pointwise_into(&self.fine, fine, beside, ways.view())?;
        drop(coarse);
        self.join.plan(plan, &ways)
    }
}
