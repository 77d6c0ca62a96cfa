use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::layout::{BLOCK, Blocked, Lanes, floats, written};
use crate::{Instructions, portable};

/// A 1x1 convolution with its bias, and with SiLU where asked.
///
/// The input may be two tensors that count as one, the second's channels after the first's (no copy is made), and
/// a residual may be added after SiLU.
#[derive(Clone, Debug)]
pub struct Pointwise {
    /// `[output block][input channel]`, each the weights of sixteen outputs.
    weights: Vec<Lanes>,
    /// `[output block]`.
    bias: Vec<Lanes>,
    input_blocks: usize,
    silu: bool,
    instructions: Instructions,
}

/// What one picture's convolution reads.
pub(crate) struct PointwiseJob<'a> {
    /// Blocked pictures; the second may be empty.
    pub(crate) inputs: [&'a [f32]; 2],
    /// As many blocks as the output.
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) pixels: usize,
    pub(crate) weights: &'a [Lanes],
    pub(crate) bias: &'a [Lanes],
    pub(crate) silu: bool,
}

impl PointwiseJob<'_> {
    /// Blocks in each input.
    pub(crate) fn input_blocks(&self) -> [usize; 2] {
        let plane = self.pixels * BLOCK;
        self.inputs
            .map(|input| input.len().checked_div(plane).unwrap_or(0))
    }

    /// The lengths fit together. The vector paths rest on this.
    pub(crate) fn is_sound(&self, out_length: usize) -> bool {
        let plane = self.pixels * BLOCK;
        let [first, second] = self.input_blocks();
        self.inputs[0].len() == first * plane
            && self.inputs[1].len() == second * plane
            && self.weights.len() == self.bias.len() * (first + second) * BLOCK
            && out_length == self.bias.len() * plane
            && self.residual.is_none_or(|residual| residual.len() == out_length)
    }
}

impl Pointwise {
    /// Packs `weight` (`[outputs, inputs]`, rows one after the other) and `bias` (`[outputs]`). Outputs that do not
    /// fill the last block are zero there.
    ///
    /// # Errors
    /// Where the lengths do not fit together or the inputs do not fill whole blocks.
    pub fn new(weight: &[f32], bias: &[f32], silu: bool) -> Result<Self> {
        let outputs = bias.len();
        if outputs == 0 || weight.is_empty() || !weight.len().is_multiple_of(outputs * BLOCK) {
            bail!(
                "pointwise: {} weights for {outputs} outputs; the inputs must be a multiple of {BLOCK}",
                weight.len()
            );
        }
        let inputs = weight.len() / outputs;
        let blocks = outputs.div_ceil(BLOCK);
        let mut packed = vec![Lanes::ZERO; blocks * inputs];
        let mut packed_bias = vec![Lanes::ZERO; blocks];
        for (output, row) in weight.chunks_exact(inputs).enumerate() {
            let (number, lane) = (output / BLOCK, output % BLOCK);
            packed_bias[number].0[lane] = bias[output];
            for (lanes, &value) in packed[number * inputs..].iter_mut().zip(row) {
                lanes.0[lane] = value;
            }
        }
        let instructions = Instructions::detect();
        Ok(Self {
            weights: packed,
            bias: packed_bias,
            input_blocks: inputs / BLOCK,
            silu,
            instructions,
        })
    }

    /// The same with other instructions; those that this processor lacks are not taken.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions.checked();
        self
    }

    /// The convolution of a blocked tensor.
    ///
    /// # Errors
    /// Where the tensor is not blocked or has another number of channels.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.apply_op1_no_bwd(&Single(self))
    }

    /// The convolution of two blocked tensors of one size, the second's channels after the first's.
    ///
    /// # Errors
    /// As [`Self::forward`], or where the sizes differ.
    pub fn forward_pair(&self, first: &Tensor, second: &Tensor) -> Result<Tensor> {
        first.apply_op2_no_bwd(second, &Pair(self))
    }

    /// The convolution of `input`, then `residual` added.
    ///
    /// # Errors
    /// As [`Self::forward`], or where the residual is not of the output's shape.
    pub fn forward_residual(&self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        input.apply_op2_no_bwd(residual, &Residual(self))
    }

    fn run(
        &self,
        operation: &str,
        inputs: [(&[f32], Option<Blocked>); 2],
        residual: Option<(&[f32], Blocked)>,
    ) -> Result<(CpuStorage, Shape)> {
        let [(first, Some(size)), (second, second_size)] = inputs else {
            bail!("{operation}: no input")
        };
        let channels = size.blocks + second_size.map_or(0, |second| second.blocks);
        if channels != self.input_blocks {
            bail!(
                "{operation}: {} channels in, {} expected",
                channels * BLOCK,
                self.input_blocks * BLOCK
            );
        }
        if second_size.is_some_and(|second| {
            Blocked {
                blocks: size.blocks,
                ..second
            } != size
        }) {
            bail!("{operation}: the inputs {size:?} and {second_size:?} differ in size");
        }
        let out_size = Blocked {
            blocks: self.bias.len(),
            ..size
        };
        if residual.is_some_and(|(_, found)| found != out_size) {
            bail!("{operation}: the residual is not of the output's shape {out_size:?}");
        }
        if out_size.numbers() == 0 {
            return Ok((CpuStorage::F32(Vec::new()), out_size.shape()));
        }
        let fill = |out: &mut [MaybeUninit<f32>]| {
            for (picture, out) in out.chunks_exact_mut(out_size.picture()).enumerate() {
                let part = |length: usize| picture * length..(picture + 1) * length;
                let second_length = second_size.map_or(0, |second| second.picture());
                let job = PointwiseJob {
                    inputs: [&first[part(size.picture())], &second[part(second_length)]],
                    residual: residual.map(|(numbers, _)| &numbers[part(out_size.picture())]),
                    pixels: size.pixels(),
                    weights: &self.weights,
                    bias: &self.bias,
                    silu: self.silu,
                };
                assert!(job.is_sound(out.len()), "the lengths were checked above");
                match self.instructions {
                    Instructions::Portable => portable::pointwise(&job, out),
                    // SAFETY: `Avx2` is only held where the processor has AVX2 and FMA (`Instructions::checked`),
                    // and `is_sound` holds.
                    #[cfg(target_arch = "x86_64")]
                    Instructions::Avx2 => unsafe { crate::avx2::pointwise(&job, out) },
                }
            }
        };
        // SAFETY: every path writes every output of every picture.
        let out = unsafe { written(out_size.numbers(), fill) };
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}

struct Single<'a>(&'a Pointwise);

impl CustomOp1 for Single<'_> {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = (
            floats(storage, layout, self.name())?,
            Some(Blocked::of(layout, self.name())?),
        );
        self.0.run(self.name(), [input, (&[], None)], None)
    }
}

struct Pair<'a>(&'a Pointwise);

impl CustomOp2 for Pair<'_> {
    fn name(&self) -> &'static str {
        "pointwise of a pair"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let name = self.name();
        let first = (floats(s1, l1, name)?, Some(Blocked::of(l1, name)?));
        let second = (floats(s2, l2, name)?, Some(Blocked::of(l2, name)?));
        self.0.run(name, [first, second], None)
    }
}

struct Residual<'a>(&'a Pointwise);

impl CustomOp2 for Residual<'_> {
    fn name(&self) -> &'static str {
        "pointwise with residual"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let name = self.name();
        let input = (floats(s1, l1, name)?, Some(Blocked::of(l1, name)?));
        let residual = (floats(s2, l2, name)?, Blocked::of(l2, name)?);
        self.0.run(name, [input, (&[], None)], Some(residual))
    }
}
