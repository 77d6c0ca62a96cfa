use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::layout::{BLOCK, Blocked, floats};
use crate::map::{Map, View, Workspace};

/// Spatial pyramid pooling: the input and its maxima over windows of 5, 9 and 13 pixels, stride 1, padded with -∞,
/// one after the other along the channels.
///
/// A window of 9 is a window of 5 over windows of 5, and one of 13 is another over that: exact for maxima. NaN
/// counts as nothing in a window and stays in the copy of the input.
#[derive(Clone, Copy, Debug)]
pub struct SpatialPyramid;

/// Pixels on each side of the middle.
const REACH: usize = 2;

impl SpatialPyramid {
    /// Four times the channels of a blocked tensor.
    ///
    /// # Errors
    /// Where the tensor is not blocked.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        input.apply_op1_no_bwd(self)
    }

    /// The three maxima of a map, three times its channels, without the copy of the input.
    #[must_use]
    pub fn maxima(&self, workspace: &Workspace, input: View<'_>) -> Map {
        let mut out = workspace.map(3 * input.blocks, input.height, input.width);
        if input.plane() > 0 {
            let mut across = workspace.map(1, input.height, input.width);
            pool(
                input.numbers,
                input.size(),
                out.numbers_mut(),
                across.numbers_mut(),
            );
        }
        out
    }
}

impl CustomOp1 for SpatialPyramid {
    fn name(&self) -> &'static str {
        "spatial pyramid"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let size = Blocked::of(layout, self.name())?;
        let input = floats(storage, layout, self.name())?;
        let out_size = Blocked {
            blocks: size.blocks * 4,
            ..size
        };
        let mut out = vec![0.0; out_size.numbers()];
        if out.is_empty() {
            return Ok((CpuStorage::F32(out), out_size.shape()));
        }
        for (input, out) in input
            .chunks_exact(size.picture())
            .zip(out.chunks_exact_mut(out_size.picture()))
        {
            let (copy, pooled) = out.split_at_mut(size.picture());
            copy.copy_from_slice(input);
            pool(
                copy,
                (size.height, size.width),
                pooled,
                &mut vec![0.0; size.plane()],
            );
        }
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}

/// The three maxima of all blocks; `across` is memory for one block.
fn pool(input: &[f32], (height, width): (usize, usize), mut out: &mut [f32], across: &mut [f32]) {
    let plane = height * width * BLOCK;
    let mut source = input;
    while !out.is_empty() {
        let (pooled, rest) = out.split_at_mut(input.len());
        for (plane, pooled) in source.chunks_exact(plane).zip(pooled.chunks_exact_mut(plane)) {
            for (row, across) in plane
                .chunks_exact(width * BLOCK)
                .zip(across.chunks_exact_mut(width * BLOCK))
            {
                maxima(row, across, BLOCK);
            }
            maxima(across, pooled, width * BLOCK);
        }
        source = pooled;
        out = rest;
    }
}

/// Each run of `length` numbers of `out` becomes the maximum of the runs of `source` up to [`REACH`] away from it.
fn maxima(source: &[f32], out: &mut [f32], length: usize) {
    let runs = source.len() / length;
    for (index, out) in out.chunks_exact_mut(length).enumerate() {
        out.fill(f32::NEG_INFINITY);
        for near in index.saturating_sub(REACH)..(index + REACH + 1).min(runs) {
            for (highest, &value) in out.iter_mut().zip(&source[near * length..(near + 1) * length]) {
                *highest = if value > *highest { value } else { *highest };
            }
        }
    }
}
