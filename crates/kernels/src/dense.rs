use std::ops::Range;

use candle_core::{Result, bail};

use crate::depthwise::TAPS;
use crate::layout::BLOCK;
use crate::map::{Map, View, Workspace};
use crate::separable::{Extra, Neighbours, run};
use crate::{Instructions, Pointwise};

/// A 3x3 convolution over all channels, padded by one pixel of zeros, with bias and SiLU; stride 1 or 2.
///
/// A tile of rows is laid out nine times, once for each place of the window; then it is a 1x1 convolution of nine times
/// the channels.
#[derive(Clone, Debug)]
pub struct Dense {
    window: Window,
    pointwise: Pointwise,
}

/// The nine places of the window side by side, as channels.
#[derive(Clone, Copy, Debug)]
struct Window {
    blocks: usize,
    stride: usize,
}

impl Dense {
    /// Packs `weight` (`[outputs, inputs, 3, 3]`) and `bias` (`[outputs]`). Outputs that do not fill the last block are
    /// zero there.
    ///
    /// # Errors
    /// Where the lengths do not fit together, the inputs do not fill whole blocks or the stride is neither 1 nor 2.
    pub fn new(weight: &[f32], bias: &[f32], stride: usize) -> Result<Self> {
        let outputs = bias.len();
        if outputs == 0 || weight.is_empty() || !weight.len().is_multiple_of(outputs * TAPS * BLOCK) {
            bail!(
                "dense: {} weights for {outputs} outputs; 9 for each input, and the inputs a multiple of {BLOCK}",
                weight.len()
            );
        }
        if stride != 1 && stride != 2 {
            bail!("dense: stride {stride}; 1 or 2 expected");
        }
        let inputs = weight.len() / outputs / TAPS;
        let mut by_tap = Vec::with_capacity(weight.len());
        for row in weight.chunks_exact(inputs * TAPS) {
            by_tap.extend((0..TAPS).flat_map(|tap| row.iter().skip(tap).step_by(TAPS)));
        }
        Ok(Self {
            window: Window {
                blocks: inputs / BLOCK,
                stride,
            },
            pointwise: Pointwise::new(&by_tap, bias, true)?,
        })
    }

    /// The same with other instructions; those that this processor lacks are not taken.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.pointwise = self.pointwise.with_instructions(instructions);
        self
    }

    /// As [`Pointwise::with_bytes`].
    #[must_use]
    pub fn with_bytes(mut self) -> Self {
        self.pointwise = self.pointwise.with_bytes();
        self
    }

    /// The convolution of a map; height and width are divided by the stride and rounded up.
    ///
    /// # Errors
    /// Where the map has another number of channels.
    pub fn apply(&self, workspace: &Workspace, input: View<'_>) -> Result<Map> {
        self.run(workspace, input, Extra::default())
    }

    /// The convolution, then `residual` added.
    ///
    /// # Errors
    /// As [`Self::apply`], or where the residual is not of the output's shape.
    pub fn apply_residual(&self, workspace: &Workspace, input: View<'_>, residual: View<'_>) -> Result<Map> {
        let extra = Extra {
            residual: Some(residual),
            ..Extra::default()
        };
        self.run(workspace, input, extra)
    }

    /// As [`Self::apply`], but only these rows are computed; the others are left over from an earlier map.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_rows(&self, workspace: &Workspace, input: View<'_>, rows: Range<usize>) -> Result<Map> {
        let extra = Extra {
            rows: Some(rows),
            ..Extra::default()
        };
        self.run(workspace, input, extra)
    }

    /// The convolution, and then a 1x1 convolution; only these rows are computed, as in [`Self::apply_rows`].
    ///
    /// # Errors
    /// As [`Self::apply`], or where `last` does not take the channels.
    pub fn apply_rows_then(
        &self,
        workspace: &Workspace,
        input: View<'_>,
        rows: Range<usize>,
        last: &Pointwise,
    ) -> Result<Map> {
        let extra = Extra {
            rows: Some(rows),
            last: Some(last),
            ..Extra::default()
        };
        self.run(workspace, input, extra)
    }

    fn run(&self, workspace: &Workspace, input: View<'_>, extra: Extra<'_>) -> Result<Map> {
        run(&self.window, &self.pointwise, workspace, input, extra)
    }
}

impl Neighbours for Window {
    fn check(&self, blocks: usize) -> Result<()> {
        if blocks != self.blocks {
            bail!(
                "dense: {} channels in, {} expected",
                blocks * BLOCK,
                self.blocks * BLOCK
            );
        }
        Ok(())
    }

    fn out_size(&self, (height, width): (usize, usize)) -> (usize, usize) {
        (height.div_ceil(self.stride), width.div_ceil(self.stride))
    }

    fn planes(&self, blocks: usize) -> usize {
        TAPS * blocks
    }

    /// `plane` counts the places of the window, by row and then by column, and within each the blocks.
    fn write_row(&self, input: View<'_>, zeros: &[f32], plane: usize, y: usize, out: &mut [f32]) {
        let (tap, block) = (plane / self.blocks, plane % self.blocks);
        let (down, right) = (tap / 3, tap % 3);
        // Counted from the padding: 0 is one before the picture.
        let row = match (y * self.stride + down).checked_sub(1) {
            Some(row) if row < input.height => input.row(block, row),
            _ => &zeros[..input.width * BLOCK],
        };
        let (pixels, _) = row.as_chunks::<BLOCK>();
        let (targets, _) = out.as_chunks_mut::<BLOCK>();
        for (x, target) in targets.iter_mut().enumerate() {
            let seen = (x * self.stride + right).checked_sub(1);
            *target = seen
                .and_then(|seen| pixels.get(seen))
                .copied()
                .unwrap_or([0.0; BLOCK]);
        }
    }
}
