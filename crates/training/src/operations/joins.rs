//! Joining activations by channel: side by side, with the first one doubled in size, and the pooled pyramid.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor};

use super::{argument, tensor_like, with_values};
use crate::simd::vectorised;

/// [N, H, W, A] and [N, H, W, B] side by side: [N, H, W, A + B].
pub(crate) struct Join;

impl CustomOp2 for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn cpu_fwd(
        &self,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (pictures, height, width, left) = first_layout.shape().dims4()?;
        let right = second_layout.shape().dims4()?.3;
        let first = argument(first, first_layout, self.name())?;
        let second = argument(second, second_layout, self.name())?;
        let mut result = vec![0.0; first.len() + second.len()];
        for ((out, a), b) in result
            .chunks_exact_mut(left + right)
            .zip(first.chunks_exact(left))
            .zip(second.chunks_exact(right))
        {
            out[..left].copy_from_slice(a);
            out[left..].copy_from_slice(b);
        }
        Ok((
            CpuStorage::F32(result),
            (pictures, height, width, left + right).into(),
        ))
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (left, right) = (first.dim(3)?, second.dim(3)?);
        let (mut a, mut b) = (vec![0.0; first.elem_count()], vec![0.0; second.elem_count()]);
        with_values(gradient, |values| {
            for ((row, a), b) in values
                .chunks_exact(left + right)
                .zip(a.chunks_exact_mut(left))
                .zip(b.chunks_exact_mut(right))
            {
                a.copy_from_slice(&row[..left]);
                b.copy_from_slice(&row[left..]);
            }
            Ok(())
        })?;
        Ok((Some(tensor_like(a, first)?), Some(tensor_like(b, second)?)))
    }
}

/// [N, H, W, A] with every pixel twice in each direction, beside [N, 2H, 2W, B].
pub(crate) struct JoinUpsampled;

impl CustomOp2 for JoinUpsampled {
    fn name(&self) -> &'static str {
        "join upsampled"
    }

    fn cpu_fwd(
        &self,
        small: &CpuStorage,
        small_layout: &Layout,
        large: &CpuStorage,
        large_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let left = small_layout.shape().dims4()?.3;
        let (pictures, height, width, right) = large_layout.shape().dims4()?;
        let small = argument(small, small_layout, self.name())?;
        let large = argument(large, large_layout, self.name())?;
        let mut result = vec![0.0; pictures * height * width * (left + right)];
        let rows = result
            .chunks_exact_mut(width * (left + right))
            .zip(large.chunks_exact(width * right));
        for (row, (out, large)) in rows.enumerate() {
            // `height` is even, so half the running row number is the running row of the small picture.
            let start = row / 2 * (width / 2) * left;
            let small = &small[start..start + width / 2 * left];
            for (x, (out, large)) in out
                .chunks_exact_mut(left + right)
                .zip(large.chunks_exact(right))
                .enumerate()
            {
                out[..left].copy_from_slice(&small[x / 2 * left..(x / 2 + 1) * left]);
                out[left..].copy_from_slice(large);
            }
        }
        Ok((
            CpuStorage::F32(result),
            (pictures, height, width, left + right).into(),
        ))
    }

    fn bwd(
        &self,
        small: &Tensor,
        large: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let left = small.dim(3)?;
        let (_, _, width, right) = large.dims4()?;
        let (mut a, mut b) = (vec![0.0; small.elem_count()], vec![0.0; large.elem_count()]);
        with_values(gradient, |values| {
            let rows = values
                .chunks_exact(width * (left + right))
                .zip(b.chunks_exact_mut(width * right));
            for (row, (slope, large)) in rows.enumerate() {
                let start = row / 2 * (width / 2) * left;
                let small = &mut a[start..start + width / 2 * left];
                for (x, (slope, large)) in slope
                    .chunks_exact(left + right)
                    .zip(large.chunks_exact_mut(right))
                    .enumerate()
                {
                    let cell = &mut small[x / 2 * left..(x / 2 + 1) * left];
                    for (sum, slope) in cell.iter_mut().zip(&slope[..left]) {
                        *sum += slope;
                    }
                    large.copy_from_slice(&slope[left..]);
                }
            }
            Ok(())
        })?;
        Ok((Some(tensor_like(a, small)?), Some(tensor_like(b, large)?)))
    }
}

/// Spatial pyramid pooling: [N, H, W, C] beside its maxima over 5x5, 9x9 and 13x13: [N, H, W, 4C].
/// The 9x9 maximum is the 5x5 maximum taken twice, the 13x13 three times.
pub(crate) struct PyramidPooling;

const REACH: usize = 2;

vectorised! {
    /// Takes each value of `source` that is larger than the best so far, and notes where it was found.
    fn take_larger<'a>(best: &'a mut [f32], found: &'a mut [u32], source: &'a [f32], place: u32) {
        for ((best, found), value) in best.iter_mut().zip(found.iter_mut()).zip(source) {
            let better = *value > *best;
            *best = if better { *value } else { *best };
            *found = if better { place } else { *found };
        }
    }
}

/// The 5x5 maximum of one picture, and where it was found.
fn pool(values: &[f32], height: usize, width: usize, channels: usize) -> (Vec<f32>, Vec<u32>) {
    let mut maxima = vec![f32::NEG_INFINITY; values.len()];
    let mut places = vec![0_u32; values.len()];
    for y in 0..height {
        for x in 0..width {
            let out = (y * width + x) * channels;
            let (best, found) = (&mut maxima[out..out + channels], &mut places[out..out + channels]);
            for yy in y.saturating_sub(REACH)..(y + REACH + 1).min(height) {
                for xx in x.saturating_sub(REACH)..(x + REACH + 1).min(width) {
                    let pixel = yy * width + xx;
                    let source = &values[pixel * channels..(pixel + 1) * channels];
                    take_larger(best, found, source, pixel as u32);
                }
            }
        }
    }
    (maxima, places)
}

/// Sends every gradient to the pixel that its maximum came from.
fn unpool(slope: &[f32], places: &[u32], channels: usize, sums: &mut [f32]) {
    for (slopes, places) in slope.chunks_exact(channels).zip(places.chunks_exact(channels)) {
        for (channel, (slope, place)) in slopes.iter().zip(places).enumerate() {
            sums[*place as usize * channels + channel] += slope;
        }
    }
}

impl CustomOp1 for PyramidPooling {
    fn name(&self) -> &'static str {
        "pyramid pooling"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pictures, height, width, channels) = layout.shape().dims4()?;
        let values = argument(input, layout, self.name())?;
        let mut result = vec![0.0; values.len() * 4];
        let picture = height * width * channels;
        for (values, out) in values
            .chunks_exact(picture)
            .zip(result.chunks_exact_mut(picture * 4))
        {
            let mut level = values.to_vec();
            for part in 0..4 {
                for (out, value) in out
                    .chunks_exact_mut(4 * channels)
                    .zip(level.chunks_exact(channels))
                {
                    out[part * channels..(part + 1) * channels].copy_from_slice(value);
                }
                if part < 3 {
                    level = pool(&level, height, width, channels).0;
                }
            }
        }
        Ok((
            CpuStorage::F32(result),
            (pictures, height, width, 4 * channels).into(),
        ))
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, height, width, channels) = input.dims4()?;
        let picture = height * width * channels;
        let mut result = Vec::with_capacity(input.elem_count());
        with_values(input, |values| {
            with_values(gradient, |slopes| {
                for (values, slopes) in values.chunks_exact(picture).zip(slopes.chunks_exact(picture * 4)) {
                    let part = |part: usize| -> Vec<f32> {
                        slopes
                            .chunks_exact(4 * channels)
                            .flat_map(|row| &row[part * channels..(part + 1) * channels])
                            .copied()
                            .collect()
                    };
                    let (five, first) = pool(values, height, width, channels);
                    let (nine, second) = pool(&five, height, width, channels);
                    let (_, third) = pool(&nine, height, width, channels);
                    let mut sums = part(3);
                    for (level, places) in [(2, third), (1, second), (0, first)] {
                        let mut inner = part(level);
                        unpool(&sums, &places, channels, &mut inner);
                        sums = inner;
                    }
                    result.extend(sums);
                }
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(result, input.shape(), &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{gradients, random};
    use super::super::copied;
    use super::*;

    #[test]
    fn join_gradients_are_the_finite_differences() {
        let variables = [random(&[2, 3, 4, 16], 1), random(&[2, 3, 4, 32], 2)];
        let [a, b] = &variables;
        gradients(&variables, 0.01, || a.apply_op2(b, Join).unwrap());
    }

    #[test]
    fn upsampled_join_gradients_are_the_finite_differences() {
        let variables = [random(&[2, 3, 2, 16], 1), random(&[2, 6, 4, 16], 2)];
        let [a, b] = &variables;
        gradients(&variables, 0.01, || a.apply_op2(b, JoinUpsampled).unwrap());
    }

    #[test]
    fn pooling_gradients_are_the_finite_differences() {
        // Values far enough apart that the differences' step does not change which one is the largest.
        let count = 6 * 10 * 16;
        let values: Vec<f32> = (0..count).map(|i| ((i * 7919) % count) as f32 * 0.1).collect();
        let x = random(&[1, 6, 10, 16], 1);
        x.set(&tensor_like(values, &x).unwrap()).unwrap();
        gradients(std::slice::from_ref(&x), 0.05, || {
            x.apply_op1(PyramidPooling).unwrap()
        });
    }

    #[test]
    fn pooling_takes_the_maxima_of_five_nine_and_thirteen() {
        let x = random(&[1, 6, 10, 16], 8);
        let result = copied(&x.apply_op1(PyramidPooling).unwrap()).unwrap();
        let values = copied(&x).unwrap();
        for (part, reach) in [(0, 0_i32), (1, 2), (2, 4), (3, 6)] {
            for (y, column, channel) in [(0_i32, 0_i32, 0_usize), (5, 9, 15), (2, 3, 7)] {
                let expected = (0_i32..60)
                    .filter(|p| (p / 10 - y).abs() <= reach && (p % 10 - column).abs() <= reach)
                    .map(|p| values[p as usize * 16 + channel])
                    .fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(
                    result[(y * 10 + column) as usize * 64 + part * 16 + channel],
                    expected
                );
            }
        }
    }
}
