use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::bytes::{self, ByteWeights};
use crate::layout::{BLOCK, Blocked, Lanes, floats};
use crate::map::{Map, Planes, View, Workspace};
use crate::{Instructions, portable};

/// A 1x1 convolution with its bias, and with SiLU where asked.
///
/// The input may be two maps that count as one, the second's channels after the first's (no copy is made). The sums
/// may start from a map instead of from the bias, and a residual may be added after SiLU.
#[derive(Clone, Debug)]
pub struct Pointwise {
    /// `[output block][input channel]`, each the weights of sixteen outputs.
    weights: Vec<Lanes>,
    /// `[output block]`.
    bias: Vec<Lanes>,
    input_blocks: usize,
    silu: bool,
    /// Only where the instructions have bytes.
    bytes: Option<ByteWeights>,
    instructions: Instructions,
}

/// A run of pixels of one picture.
pub(crate) struct PointwiseJob<'a> {
    /// The second may have no blocks.
    pub(crate) inputs: [Planes<'a>; 2],
    /// What the sums start from in place of the bias; as many blocks as the output.
    pub(crate) start: Option<Planes<'a>>,
    /// Added at the end; as many blocks as the output.
    pub(crate) residual: Option<Planes<'a>>,
    pub(crate) pixels: usize,
    pub(crate) weights: &'a [Lanes],
    pub(crate) bias: &'a [Lanes],
    pub(crate) silu: bool,
    /// From one block of the output to the next.
    pub(crate) out_stride: usize,
}

impl PointwiseJob<'_> {
    pub(crate) fn input_blocks(&self) -> usize {
        self.inputs[0].blocks + self.inputs[1].blocks
    }

    /// The lengths fit together. The vector paths rest on this.
    pub(crate) fn is_sound(&self, out: &[f32]) -> bool {
        let out = Planes {
            numbers: out,
            blocks: self.bias.len(),
            stride: self.out_stride,
        };
        let fits = |planes: Planes<'_>| planes.blocks == self.bias.len() && planes.holds(self.pixels);
        self.inputs.iter().all(|input| input.holds(self.pixels))
            && self.weights.len() == self.bias.len() * self.input_blocks() * BLOCK
            && fits(out)
            && self.start.is_none_or(fits)
            && self.residual.is_none_or(fits)
    }
}

/// What a convolution reads besides its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointwiseInput<'a> {
    pub(crate) first: View<'a>,
    pub(crate) second: Option<View<'a>>,
    pub(crate) start: Option<View<'a>>,
    pub(crate) residual: Option<View<'a>>,
}

impl<'a> PointwiseInput<'a> {
    pub(crate) fn of(first: View<'a>) -> Self {
        Self {
            first,
            second: None,
            start: None,
            residual: None,
        }
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
            bytes: None,
            instructions,
        })
    }

    /// The same with other instructions; those that this processor lacks are not taken.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions.checked();
        self.bytes = self.bytes.filter(|_| self.instructions.has_bytes());
        self
    }

    /// The same with weights and inputs rounded to bytes where that is faster: with instructions for it
    /// ([`Instructions::has_bytes`]) and enough channels for the rounding to be worth it; else nothing changes.
    ///
    /// Weights get one scale for each output, inputs a scale and a lowest value for each pixel, so that a pixel gives
    /// the same numbers wherever it lies. All inputs must be finite.
    #[must_use]
    pub fn with_bytes(mut self) -> Self {
        if self.instructions.has_bytes() {
            self.bytes = ByteWeights::round(&self.weights, self.bias.len());
        }
        self
    }

    /// Blocks of sixteen channels that go in.
    #[must_use]
    pub fn input_blocks(&self) -> usize {
        self.input_blocks
    }

    /// Blocks of sixteen channels that come out.
    #[must_use]
    pub fn output_blocks(&self) -> usize {
        self.bias.len()
    }

    /// The convolution of a map.
    ///
    /// # Errors
    /// Where the map has another number of channels.
    pub fn apply(&self, workspace: &Workspace, input: View<'_>) -> Result<Map> {
        self.apply_input(workspace, PointwiseInput::of(input))
    }

    /// The convolution of two maps of one size, the second's channels after the first's.
    ///
    /// # Errors
    /// As [`Self::apply`], or where the sizes differ.
    pub fn apply_pair(&self, workspace: &Workspace, first: View<'_>, second: View<'_>) -> Result<Map> {
        let input = PointwiseInput {
            second: Some(second),
            ..PointwiseInput::of(first)
        };
        self.apply_input(workspace, input)
    }

    /// The convolution of `input`, then `residual` added.
    ///
    /// # Errors
    /// As [`Self::apply`], or where the residual is not of the output's shape.
    pub fn apply_residual(&self, workspace: &Workspace, input: View<'_>, residual: View<'_>) -> Result<Map> {
        let input = PointwiseInput {
            residual: Some(residual),
            ..PointwiseInput::of(input)
        };
        self.apply_input(workspace, input)
    }

    /// The convolution of `input` with sums that start from `start` and not from the bias.
    ///
    /// # Errors
    /// As [`Self::apply`], or where `start` is not of the output's shape.
    pub fn apply_from(&self, workspace: &Workspace, start: View<'_>, input: View<'_>) -> Result<Map> {
        let input = PointwiseInput {
            start: Some(start),
            ..PointwiseInput::of(input)
        };
        self.apply_input(workspace, input)
    }

    fn apply_input(&self, workspace: &Workspace, input: PointwiseInput<'_>) -> Result<Map> {
        self.check(&input)?;
        let mut out = workspace.map(self.bias.len(), input.first.height, input.first.width);
        self.write(&input, out.numbers_mut());
        Ok(out)
    }

    fn check(&self, input: &PointwiseInput<'_>) -> Result<()> {
        let size = input.first.size();
        let channels = input.first.blocks + input.second.map_or(0, |second| second.blocks);
        if channels != self.input_blocks {
            bail!(
                "pointwise: {} channels in, {} expected",
                channels * BLOCK,
                self.input_blocks * BLOCK
            );
        }
        if input.second.is_some_and(|second| second.size() != size) {
            bail!("pointwise: the inputs differ in size");
        }
        for (name, view) in [("start", input.start), ("residual", input.residual)] {
            if view.is_some_and(|view| view.blocks != self.bias.len() || view.size() != size) {
                bail!("pointwise: the {name} is not of the output's shape");
            }
        }
        Ok(())
    }

    /// All pixels; the input is checked.
    fn write(&self, input: &PointwiseInput<'_>, out: &mut [f32]) {
        let pixels = input.first.height * input.first.width;
        let second = input.second.map_or(Planes::NONE, |view| Planes::of(view, 0));
        let inputs = [Planes::of(input.first, 0), second];
        self.run(
            inputs,
            input.start.map(|view| Planes::of(view, 0)),
            input.residual.map(|view| Planes::of(view, 0)),
            pixels,
            (out, pixels * BLOCK),
        );
    }

    /// A run of pixels; `out` is the output from its first pixel on, and its numbers from block to block.
    ///
    /// # Panics
    /// Where the lengths do not fit together, which would be a mistake in this crate.
    pub(crate) fn run(
        &self,
        inputs: [Planes<'_>; 2],
        start: Option<Planes<'_>>,
        residual: Option<Planes<'_>>,
        pixels: usize,
        (out, out_stride): (&mut [f32], usize),
    ) {
        if pixels == 0 {
            return;
        }
        let job = PointwiseJob {
            inputs,
            start,
            residual,
            pixels,
            weights: &self.weights,
            bias: &self.bias,
            silu: self.silu,
            out_stride,
        };
        assert!(job.is_sound(out), "the lengths were checked by the caller");
        if let Some(weights) = &self.bytes {
            assert!(weights.fit(&job), "they were made of the job's weights");
            match self.instructions {
                // SAFETY: bytes are only held where the processor has VNNI (`Instructions::has_bytes`), and the job
                // is sound and the bytes' own.
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512 => unsafe { crate::vnni::pointwise(&job, weights, out) },
                _ => bytes::pointwise(&job, weights, out),
            }
            return;
        }
        match self.instructions {
            Instructions::Portable => portable::pointwise(&job, out),
            // SAFETY: `Avx2` is only held where the processor has AVX2 and FMA (`Instructions::checked`), and
            // `is_sound` holds.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { crate::avx2::pointwise(&job, out) },
            // SAFETY: likewise for AVX-512.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { crate::avx512::pointwise(&job, out) },
        }
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

    /// Picture by picture.
    fn tensors(&self, first: Pictures<'_>, other: Other<'_>) -> Result<(CpuStorage, Shape)> {
        let size = first.size;
        let out_size = Blocked {
            blocks: self.bias.len(),
            ..size
        };
        let (second, residual) = match other {
            Other::None => (None, None),
            Other::Second(second) => (Some(second), None),
            Other::Residual(residual) => (None, Some(residual)),
        };
        if [second, residual]
            .into_iter()
            .flatten()
            .any(|other| other.size.pictures != size.pictures)
        {
            bail!("pointwise: the inputs differ in their number of pictures");
        }
        let mut out = vec![0.0; out_size.numbers()];
        for picture in 0..size.pictures {
            let input = PointwiseInput {
                first: first.view(picture),
                second: second.map(|second| second.view(picture)),
                start: None,
                residual: residual.map(|residual| residual.view(picture)),
            };
            self.check(&input)?;
            let length = out_size.picture();
            self.write(&input, &mut out[picture * length..(picture + 1) * length]);
        }
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}

/// A blocked tensor.
#[derive(Clone, Copy)]
struct Pictures<'a> {
    numbers: &'a [f32],
    size: Blocked,
}

enum Other<'a> {
    None,
    Second(Pictures<'a>),
    Residual(Pictures<'a>),
}

impl<'a> Pictures<'a> {
    fn of(storage: &'a CpuStorage, layout: &Layout, operation: &str) -> Result<Self> {
        Ok(Self {
            numbers: floats(storage, layout, operation)?,
            size: Blocked::of(layout, operation)?,
        })
    }

    fn view(&self, picture: usize) -> View<'a> {
        let length = self.size.picture();
        View {
            numbers: &self.numbers[picture * length..(picture + 1) * length],
            blocks: self.size.blocks,
            height: self.size.height,
            width: self.size.width,
        }
    }
}

struct Single<'a>(&'a Pointwise);

impl CustomOp1 for Single<'_> {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0
            .tensors(Pictures::of(storage, layout, self.name())?, Other::None)
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
        let second = Other::Second(Pictures::of(s2, l2, self.name())?);
        self.0.tensors(Pictures::of(s1, l1, self.name())?, second)
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
        let residual = Other::Residual(Pictures::of(s2, l2, self.name())?);
        self.0.tensors(Pictures::of(s1, l1, self.name())?, residual)
    }
}
