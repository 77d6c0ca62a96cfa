use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::layout::{BLOCK, Blocked, floats, written};

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
        if out_size.numbers() == 0 {
            return Ok((CpuStorage::F32(Vec::new()), out_size.shape()));
        }
        let (row, out_row) = (size.width * BLOCK, out_size.width * BLOCK);
        let fill = |out: &mut [MaybeUninit<f32>]| {
            for (source, out) in input.chunks_exact(row).zip(out.chunks_exact_mut(2 * out_row)) {
                let (upper, lower) = out.split_at_mut(out_row);
                for target in [upper, lower] {
                    for (pixel, pair) in source.chunks_exact(BLOCK).zip(target.chunks_exact_mut(2 * BLOCK)) {
                        pair[..BLOCK].write_copy_of_slice(pixel);
                        pair[BLOCK..].write_copy_of_slice(pixel);
                    }
                }
            }
        };
        // SAFETY: every input row writes its two output rows, and they are all of the output.
        let out = unsafe { written(out_size.numbers(), fill) };
        Ok((CpuStorage::F32(out), out_size.shape()))
    }
}
