use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::layout::{BLOCK, Blocked, Lanes, written};
use crate::{Instructions, portable};

/// Colours of a pixel.
const COLOURS: usize = 3;
/// Rows, and pixels of a row, that one output sees.
pub(crate) const WINDOW: usize = 6;
/// Numbers of one input row that one output sees.
pub(crate) const ROW_TAPS: usize = WINDOW * COLOURS;
/// From one output to the next along an input row.
pub(crate) const STEP: usize = 2 * COLOURS;
/// Numbers that one output sees.
const TAPS: usize = WINDOW * ROW_TAPS;

/// The first layer of YOLOX: Focus and a 3x3 convolution over its 12 planes, with bias and SiLU.
///
/// Focus only rearranges, so that both together are a 6x6 convolution of stride 2, padded by two pixels of zeros,
/// straight over the picture's bytes.
#[derive(Clone, Debug)]
pub struct Stem {
    /// `[output block][tap]`, taps by row, pixel and colour.
    weights: Vec<Lanes>,
    /// `[output block]`.
    bias: Vec<Lanes>,
    instructions: Instructions,
}

/// One row of outputs in one block.
pub(crate) struct StemJob<'a> {
    /// Six rows of the picture as numbers, each padded by two pixels at both ends.
    pub(crate) rows: [&'a [f32]; WINDOW],
    pub(crate) weights: &'a [Lanes],
    pub(crate) bias: &'a Lanes,
}

impl StemJob<'_> {
    /// The lengths fit together. The vector paths rest on this.
    pub(crate) fn is_sound(&self, out_length: usize) -> bool {
        let outputs = out_length / BLOCK;
        let needed = outputs.saturating_sub(1) * STEP + ROW_TAPS;
        self.weights.len() == TAPS
            && out_length.is_multiple_of(BLOCK)
            && self.rows.iter().all(|row| row.len() >= needed)
    }
}

impl Stem {
    /// Packs `weight` (`[outputs, 12, 3, 3]`; the planes are top-left, bottom-left, top-right, bottom-right, each
    /// with the picture's three colours) and `bias` (`[outputs]`).
    ///
    /// # Errors
    /// Where the lengths do not fit together or the outputs do not fill whole blocks.
    pub fn new(weight: &[f32], bias: &[f32]) -> Result<Self> {
        let outputs = bias.len();
        if outputs == 0 || !outputs.is_multiple_of(BLOCK) || weight.len() != outputs * TAPS {
            bail!(
                "stem: {} weights for {outputs} outputs; {TAPS} each and a multiple of {BLOCK}",
                weight.len()
            );
        }
        let mut packed = vec![Lanes::ZERO; outputs / BLOCK * TAPS];
        let mut packed_bias = vec![Lanes::ZERO; outputs / BLOCK];
        for (output, window) in weight.chunks_exact(TAPS).enumerate() {
            let (number, lane) = (output / BLOCK, output % BLOCK);
            packed_bias[number].0[lane] = bias[output];
            for (index, &value) in window.iter().enumerate() {
                let (plane, row, column) = (index / 9, index / 3 % 3, index % 3);
                let (quarter, colour) = (plane / COLOURS, plane % COLOURS);
                let (down, right) = (quarter % 2, quarter / 2);
                let tap = (2 * row + down) * ROW_TAPS + (2 * column + right) * COLOURS + colour;
                packed[number * TAPS + tap].0[lane] = value;
            }
        }
        Ok(Self {
            weights: packed,
            bias: packed_bias,
            instructions: Instructions::detect(),
        })
    }

    /// The same with other instructions; those that this processor lacks are not taken.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions.checked();
        self
    }

    /// `pictures`: bytes, `[pictures, height, width, 3]`, height and width even. The result is blocked and of half
    /// the height and width.
    ///
    /// # Errors
    /// Where the tensor is not of that kind.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        pictures.apply_op1_no_bwd(self)
    }

    fn row(&self, rows: [&[f32]; WINDOW], number: usize, out: &mut [MaybeUninit<f32>]) {
        let weights = &self.weights[number * TAPS..(number + 1) * TAPS];
        let job = StemJob {
            rows,
            weights,
            bias: &self.bias[number],
        };
        assert!(job.is_sound(out.len()), "the lengths were checked by the caller");
        match self.instructions {
            Instructions::Portable => portable::stem(&job, out),
            // SAFETY: `Avx2` is only held where the processor has AVX2 and FMA (`Instructions::checked`), and
            // `is_sound` holds.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { crate::avx2::stem(&job, out) },
        }
    }
}

/// The last six rows of a picture as numbers, by row modulo six; rows outside the picture are zero.
struct RowRing {
    numbers: Vec<f32>,
    length: usize,
}

impl RowRing {
    fn new(width: usize) -> Self {
        let length = (width + 4) * COLOURS;
        Self {
            numbers: vec![0.0; WINDOW * length],
            length,
        }
    }

    /// Rows are counted from the first row of padding.
    fn put(&mut self, row: usize, bytes: Option<&[u8]>) {
        let start = (row % WINDOW) * self.length;
        let slot = &mut self.numbers[start..start + self.length];
        let inner = &mut slot[2 * COLOURS..self.length - 2 * COLOURS];
        match bytes {
            Some(bytes) => inner
                .iter_mut()
                .zip(bytes)
                .for_each(|(number, &byte)| *number = f32::from(byte)),
            None => inner.fill(0.0),
        }
    }

    fn window(&self, first: usize) -> [&[f32]; WINDOW] {
        std::array::from_fn(|index| {
            let start = ((first + index) % WINDOW) * self.length;
            &self.numbers[start..start + self.length]
        })
    }
}

impl CustomOp1 for Stem {
    fn name(&self) -> &'static str {
        "stem"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pictures, height, width, colours) = layout.shape().dims4()?;
        let CpuStorage::U8(bytes) = storage else {
            bail!("stem: the pictures must be bytes")
        };
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!("stem: the pictures must be contiguous")
        };
        if colours != COLOURS || !height.is_multiple_of(2) || !width.is_multiple_of(2) {
            bail!("stem: pictures of {height}x{width}x{colours}; even sizes and {COLOURS} colours expected");
        }
        let size = Blocked {
            pictures,
            blocks: self.bias.len(),
            height: height / 2,
            width: width / 2,
        };
        if size.numbers() == 0 {
            return Ok((CpuStorage::F32(Vec::new()), size.shape()));
        }
        let mut ring = RowRing::new(width);
        let fill = |out: &mut [MaybeUninit<f32>]| {
            let bytes = bytes[from..to].chunks_exact(height * width * COLOURS);
            for (bytes, out) in bytes.zip(out.chunks_exact_mut(size.picture())) {
                let padded = |row: usize| {
                    let inside = row.checked_sub(2).filter(|&row| row < height)?;
                    bytes.get(inside * width * COLOURS..(inside + 1) * width * COLOURS)
                };
                (0..WINDOW - 2).for_each(|row| ring.put(row, padded(row)));
                for y in 0..size.height {
                    let first = 2 * y;
                    ring.put(first + 4, padded(first + 4));
                    ring.put(first + 5, padded(first + 5));
                    for (number, plane) in out.chunks_exact_mut(size.plane()).enumerate() {
                        let row = y * size.width * BLOCK..(y + 1) * size.width * BLOCK;
                        self.row(ring.window(first), number, &mut plane[row]);
                    }
                }
            }
        };
        // SAFETY: every row of every block of every picture is written.
        let out = unsafe { written(size.numbers(), fill) };
        Ok((CpuStorage::F32(out), size.shape()))
    }
}
