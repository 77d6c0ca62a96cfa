use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::layout::{BLOCK, Blocked, Lanes, floats};
use crate::map::View;
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

/// One row of outputs of one block.
pub(crate) struct DepthwiseRow<'a> {
    /// The three rows that the window sees, each `width` pixels.
    pub(crate) rows: [&'a [f32]; 3],
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) weights: &'a [Lanes],
    pub(crate) bias: &'a Lanes,
}

impl DepthwiseRow<'_> {
    pub(crate) fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// The lengths fit together. The vector paths rest on this.
    pub(crate) fn is_sound(&self, out_length: usize) -> bool {
        self.width > 0
            && (self.stride == 1 || self.stride == 2)
            && self.rows.iter().all(|row| row.len() == self.width * BLOCK)
            && self.weights.len() == TAPS
            && out_length == self.out_width() * BLOCK
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

    /// Blocks of sixteen channels, in and out.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Height and width of what comes out.
    pub(crate) fn out_size(&self, (height, width): (usize, usize)) -> (usize, usize) {
        (height.div_ceil(self.stride), width.div_ceil(self.stride))
    }

    /// Row `y` of the outputs of block `number` of a map; `zeros` is as long as a row of the map.
    pub(crate) fn map_row(&self, input: View<'_>, zeros: &[f32], number: usize, y: usize, out: &mut [f32]) {
        let rows = std::array::from_fn(|row| {
            // Counted from the padding: 0 is one before the picture.
            match (y * self.stride + row).checked_sub(1) {
                Some(row) if row < input.height => input.row(number, row),
                _ => &zeros[..input.width * BLOCK],
            }
        });
        self.row(rows, input.width, number, out);
    }

    /// # Panics
    /// Where the lengths do not fit together, which would be a mistake in this crate.
    pub(crate) fn row(&self, rows: [&[f32]; 3], width: usize, number: usize, out: &mut [f32]) {
        let job = DepthwiseRow {
            rows,
            width,
            stride: self.stride,
            weights: &self.weights[number * TAPS..(number + 1) * TAPS],
            bias: &self.bias[number],
        };
        assert!(job.is_sound(out.len()), "the lengths were checked by the caller");
        match self.instructions {
            Instructions::Portable => portable::depthwise(&job, out),
            // SAFETY: `Avx2` is only held where the processor has AVX2 and FMA (`Instructions::checked`), and
            // `is_sound` holds.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { crate::avx2::depthwise(&job, out) },
            // SAFETY: likewise for AVX-512.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { crate::avx512::depthwise(&job, out) },
        }
    }

    /// The convolution of a blocked tensor; height and width are divided by the stride and rounded up.
    ///
    /// # Errors
    /// Where the tensor is not blocked or has another number of channels.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.apply_op1_no_bwd(self)
    }

    pub(crate) fn check(&self, blocks: usize) -> Result<()> {
        if blocks != self.bias.len() {
            bail!(
                "depthwise: {} channels in, {} expected",
                blocks * BLOCK,
                self.bias.len() * BLOCK
            );
        }
        Ok(())
    }
}

impl CustomOp1 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let size = Blocked::of(layout, self.name())?;
        let input = floats(storage, layout, self.name())?;
        self.check(size.blocks)?;
        let (height, width) = self.out_size((size.height, size.width));
        let out_size = Blocked {
            height,
            width,
            ..size
        };
        let mut out = vec![0.0; out_size.numbers()];
        if out.is_empty() {
            return Ok((CpuStorage::F32(out), out_size.shape()));
        }
        let zeros = vec![0.0; size.width * BLOCK];
        for (index, row) in out.chunks_exact_mut(width * BLOCK).enumerate() {
            let (plane, y) = (index / height, index % height);
            let (picture, number) = (plane / size.blocks, plane % size.blocks);
            let view = View {
                numbers: &input[picture * size.picture()..(picture + 1) * size.picture()],
                blocks: size.blocks,
                height: size.height,
                width: size.width,
            };
            self.map_row(view, &zeros, number, y, row);
        }
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}
