use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::layout::{BLOCK, Blocked, Lanes};
use crate::map::{Map, Workspace};
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

    /// Blocks of sixteen channels that come out.
    #[must_use]
    pub fn output_blocks(&self) -> usize {
        self.bias.len()
    }

    /// `pictures`: bytes, `[pictures, height, width, 3]`, height and width even. The result is blocked and of half
    /// the height and width.
    ///
    /// # Errors
    /// Where the tensor is not of that kind.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        pictures.apply_op1_no_bwd(self)
    }

    /// `bytes`: one picture, `[height, width, 3]`, height and width even. The map has half of both.
    ///
    /// # Errors
    /// Where the picture is not of that kind.
    pub fn apply(&self, workspace: &Workspace, bytes: &[u8], height: usize, width: usize) -> Result<Map> {
        check_picture(bytes, height, width)?;
        let (blocks, out_height, row) = (self.output_blocks(), height / 2, width / 2 * BLOCK);
        let mut out = workspace.map(blocks, out_height, width / 2);
        if bytes.is_empty() {
            return Ok(out);
        }
        let mut ring = workspace.map(1, 1, StemRows::ring_length(width).div_ceil(BLOCK));
        let mut rows = StemRows::new(self, bytes, (height, width), ring.numbers_mut());
        let mut line = workspace.map(blocks, 1, width / 2);
        for y in 0..out_height {
            rows.write(y, line.numbers_mut());
            let planes = out.numbers_mut().chunks_exact_mut(out_height * row);
            for (plane, line) in planes.zip(line.numbers().chunks_exact(row)) {
                plane[y * row..(y + 1) * row].copy_from_slice(line);
            }
        }
        Ok(out)
    }

    /// # Panics
    /// Where the lengths do not fit together, which would be a mistake in this crate.
    fn row(&self, rows: [&[f32]; WINDOW], number: usize, out: &mut [f32]) {
        let job = StemJob {
            rows,
            weights: &self.weights[number * TAPS..(number + 1) * TAPS],
            bias: &self.bias[number],
        };
        assert!(job.is_sound(out.len()), "the lengths were checked by the caller");
        match self.instructions {
            Instructions::Portable => portable::stem(&job, out),
            // SAFETY: `Avx2` is only held where the processor has AVX2 and FMA (`Instructions::checked`), and
            // `is_sound` holds.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { crate::avx2::stem(&job, out) },
            // SAFETY: likewise for AVX-512.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { crate::avx512::stem(&job, out) },
        }
    }

    fn widen(&self, bytes: &[u8], numbers: &mut [f32]) {
        match self.instructions {
            // SAFETY: `Avx512` is only held where the processor has it.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { crate::avx512::widen(bytes, numbers) },
            _ => portable::widen(bytes, numbers),
        }
    }
}

/// One picture of bytes on its way through the stem, row by row from the top.
pub(crate) struct StemRows<'a> {
    stem: &'a Stem,
    bytes: &'a [u8],
    height: usize,
    width: usize,
    /// The last six rows as numbers, by row modulo six; rows are counted from the first row of padding, and those
    /// outside the picture are zero.
    ring: &'a mut [f32],
    /// Rows that were put into the ring.
    read: usize,
}

impl<'a> StemRows<'a> {
    /// Numbers in the ring.
    pub(crate) fn ring_length(width: usize) -> usize {
        WINDOW * (width + 4) * COLOURS
    }

    /// `ring` is memory to use.
    pub(crate) fn new(
        stem: &'a Stem,
        bytes: &'a [u8],
        (height, width): (usize, usize),
        ring: &'a mut [f32],
    ) -> Self {
        ring.fill(0.0);
        Self {
            stem,
            bytes,
            height,
            width,
            ring,
            read: 0,
        }
    }

    fn length(&self) -> usize {
        (self.width + 4) * COLOURS
    }

    fn read_row(&mut self) {
        let (row, length) = (self.read, self.length());
        let start = row % WINDOW * length;
        let slot = &mut self.ring[start + 2 * COLOURS..start + length - 2 * COLOURS];
        let inside = row.checked_sub(2).filter(|&row| row < self.height);
        match inside {
            Some(row) => {
                let bytes = &self.bytes[row * self.width * COLOURS..(row + 1) * self.width * COLOURS];
                self.stem.widen(bytes, slot);
            }
            None => slot.fill(0.0),
        }
        self.read += 1;
    }

    /// Row `y` of every output block, block after block; rows are asked for from the top.
    pub(crate) fn write(&mut self, y: usize, out: &mut [f32]) {
        while self.read < 2 * y + WINDOW {
            self.read_row();
        }
        let length = self.length();
        let rows = std::array::from_fn(|index| {
            let start = (2 * y + index) % WINDOW * length;
            &self.ring[start..start + length]
        });
        for (number, out) in out.chunks_exact_mut(self.width / 2 * BLOCK).enumerate() {
            self.stem.row(rows, number, out);
        }
    }
}

/// The size serves and the picture has all its bytes.
pub(crate) fn check_picture(bytes: &[u8], height: usize, width: usize) -> Result<()> {
    if !height.is_multiple_of(2) || !width.is_multiple_of(2) || bytes.len() != height * width * COLOURS {
        bail!(
            "stem: {} bytes for {height}x{width}; even sizes and {COLOURS} bytes a pixel expected",
            bytes.len()
        );
    }
    Ok(())
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
        let mut out = vec![0.0; size.numbers()];
        if out.is_empty() {
            return Ok((CpuStorage::F32(out), size.shape()));
        }
        let length = size.width * BLOCK;
        let mut ring = vec![0.0; StemRows::ring_length(width)];
        let mut lines = vec![0.0; size.blocks * length];
        let bytes = bytes[from..to].chunks_exact(height * width * COLOURS);
        for (bytes, out) in bytes.zip(out.chunks_exact_mut(size.picture())) {
            let mut rows = StemRows::new(self, bytes, (height, width), &mut ring);
            for y in 0..size.height {
                rows.write(y, &mut lines);
                for (plane, line) in out.chunks_exact_mut(size.plane()).zip(lines.chunks_exact(length)) {
                    plane[y * length..(y + 1) * length].copy_from_slice(line);
                }
            }
        }
        Ok((CpuStorage::F32(out), size.shape()))
    }
}
