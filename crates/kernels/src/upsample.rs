use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::layout::{BLOCK, Blocked, floats};
use crate::map::{Map, View, Workspace};

/// Twice the height and width, each pixel four times.
#[derive(Clone, Copy, Debug)]
pub struct Upsample;

impl Upsample {
    /// A blocked tensor of twice the height and width.
    ///
    /// # Errors
    /// Where the tensor is not blocked.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.apply_op1_no_bwd(self)
    }

    /// A map of twice the height and width.
    #[must_use]
    pub fn apply(&self, workspace: &Workspace, input: View<'_>) -> Map {
        let mut out = workspace.map(input.blocks, 2 * input.height, 2 * input.width);
        repeat(input.numbers, input.width, out.numbers_mut());
        out
    }
}

impl CustomOp1 for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let size = Blocked::of(layout, self.name())?;
        let input = floats(storage, layout, self.name())?;
        let out_size = Blocked {
            height: size.height * 2,
            width: size.width * 2,
            ..size
        };
        let mut out = vec![0.0; out_size.numbers()];
        repeat(input, size.width, &mut out);
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}

/// Rows of `width` pixels, twice as long and twice each.
fn repeat(input: &[f32], width: usize, out: &mut [f32]) {
    let row = width * BLOCK;
    if row == 0 {
        return;
    }
    for (source, out) in input.chunks_exact(row).zip(out.chunks_exact_mut(4 * row)) {
        let (upper, lower) = out.split_at_mut(2 * row);
        let (pixels, _) = source.as_chunks::<BLOCK>();
        let (pairs, _) = upper.as_chunks_mut::<{ 2 * BLOCK }>();
        for (pixel, pair) in pixels.iter().zip(pairs) {
            pair[..BLOCK].copy_from_slice(pixel);
            pair[BLOCK..].copy_from_slice(pixel);
        }
        lower.copy_from_slice(upper);
    }
}
