use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::layout::{BLOCK, Blocked, Lanes, floats, written};
use crate::{Instructions, portable};

/// Taps of the window.
pub(crate) const TAPS: usize = 9;

/// A depthwise 3x3 convolution, padded by one pixel of zeros, with bias and SiLU; stride 1 or 2.
#[derive(Clone, Debug)]
pub struct Depthwise {
    /// `[block][tap]`, taps by row and then by column.
    weights: Vec<Lanes>,
    /// `[block]`.
    bias: Vec<Lanes>,
    stride: usize,
    instructions: Instructions,
}

/// One plane: one block of one picture.
pub(crate) struct DepthwiseJob<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) weights: &'a [Lanes],
    pub(crate) bias: &'a Lanes,
}

impl DepthwiseJob<'_> {
    pub(crate) fn out_height(&self) -> usize {
        self.height.div_ceil(self.stride)
    }

    pub(crate) fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// The lengths fit together. The vector paths rest on this.
    pub(crate) fn is_sound(&self, out_length: usize) -> bool {
        self.height > 0
            && self.width > 0
            && (self.stride == 1 || self.stride == 2)
            && self.input.len() == self.height * self.width * BLOCK
            && self.weights.len() == TAPS
            && out_length == self.out_height() * self.out_width() * BLOCK
    }
}

impl Depthwise {
    /// Packs `weight` (`[channels, 3, 3]`) and `bias` (`[channels]`).
    ///
    /// # Errors
    /// Where the lengths do not fit together, the channels do not fill whole blocks or the stride is neither 1 nor 2.
    pub fn new(weight: &[f32], bias: &[f32], stride: usize) -> Result<Self> {
        let channels = bias.len();
        if channels == 0 || !channels.is_multiple_of(BLOCK) || weight.len() != channels * TAPS {
            bail!(
                "depthwise: {} weights for {channels} channels; 9 each and a multiple of {BLOCK}",
                weight.len()
            );
        }
        if stride != 1 && stride != 2 {
            bail!("depthwise: stride {stride}; 1 or 2 expected");
        }
        let mut packed = vec![Lanes::ZERO; channels / BLOCK * TAPS];
        let mut packed_bias = vec![Lanes::ZERO; channels / BLOCK];
        for (channel, window) in weight.chunks_exact(TAPS).enumerate() {
            let (number, lane) = (channel / BLOCK, channel % BLOCK);
            packed_bias[number].0[lane] = bias[channel];
            for (lanes, &value) in packed[number * TAPS..].iter_mut().zip(window) {
                lanes.0[lane] = value;
            }
        }
        Ok(Self {
            weights: packed,
            bias: packed_bias,
            stride,
            instructions: Instructions::detect(),
        })
    }

    /// The same with other instructions; those that this processor lacks are not taken.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions.checked();
        self
    }

    /// The convolution of a blocked tensor; height and width are divided by the stride and rounded up.
    ///
    /// # Errors
    /// Where the tensor is not blocked or has another number of channels.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.apply_op1_no_bwd(self)
    }
}

impl CustomOp1 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let size = Blocked::of(layout, self.name())?;
        let input = floats(storage, layout, self.name())?;
        if size.blocks != self.bias.len() {
            bail!(
                "depthwise: {} channels in, {} expected",
                size.blocks * BLOCK,
                self.bias.len() * BLOCK
            );
        }
        let out_size = Blocked {
            height: size.height.div_ceil(self.stride),
            width: size.width.div_ceil(self.stride),
            ..size
        };
        if out_size.numbers() == 0 {
            return Ok((CpuStorage::F32(Vec::new()), out_size.shape()));
        }
        let fill = |out: &mut [MaybeUninit<f32>]| {
            let planes = input
                .chunks_exact(size.plane())
                .zip(out.chunks_exact_mut(out_size.plane()));
            for (index, (input, out)) in planes.enumerate() {
                let number = index % size.blocks;
                let job = DepthwiseJob {
                    input,
                    height: size.height,
                    width: size.width,
                    stride: self.stride,
                    weights: &self.weights[number * TAPS..(number + 1) * TAPS],
                    bias: &self.bias[number],
                };
                assert!(job.is_sound(out.len()), "the lengths were checked above");
                match self.instructions {
                    Instructions::Portable => portable::depthwise(&job, out),
                    // SAFETY: `Avx2` is only held where the processor has AVX2 and FMA (`Instructions::checked`),
                    // and `is_sound` holds.
                    #[cfg(target_arch = "x86_64")]
                    Instructions::Avx2 => unsafe { crate::avx2::depthwise(&job, out) },
                }
            }
        };
        // SAFETY: every path writes every output of every plane.
        let out = unsafe { written(out_size.numbers(), fill) };
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}
