//! Convolution, batch normalisation and SiLU as one operation: the unit that the net is made of.

use std::sync::{Arc, Mutex};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Device, Error, Layout, Result, Shape, Tensor};

use super::depthwise::{self, Plane};
use super::normalisation::{self, Moments};
use super::{argument, copied, stem, tensor_like, with_values};

/// The three kinds of convolution in the net. None has a bias: the shift of the normalisation is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convolution {
    /// 1x1; weights [out, in].
    Pointwise,
    /// 3x3 within each channel; weights [9, channels].
    Depthwise {
        /// 1 or 2.
        stride: usize,
    },
    /// Dense 3x3 on the net's input, which needs no gradient; weights [out, 9 · in].
    Stem,
}

/// Mean and mean square of every channel, added up over batches: what the exported weights are folded with.
#[derive(Debug, Default)]
pub(crate) struct MomentSums {
    batches: f64,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl MomentSums {
    /// Adds one batch.
    pub(crate) fn add(&mut self, moments: &Moments) {
        let channels = moments.mean.len();
        self.mean.resize(channels, 0.0);
        self.square.resize(channels, 0.0);
        self.batches += 1.0;
        for (channel, (mean, variance)) in moments.mean.iter().zip(&moments.variance).enumerate() {
            let (mean, variance) = (f64::from(*mean), f64::from(*variance));
            self.mean[channel] += mean;
            self.square[channel] += mean * mean + variance;
        }
    }

    /// Mean and variance of each channel over all batches; `None` before the first.
    pub(crate) fn moments(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        if self.batches == 0.0 {
            return None;
        }
        let mean: Vec<f64> = self.mean.iter().map(|sum| sum / self.batches).collect();
        let variance = self
            .square
            .iter()
            .zip(&mean)
            .map(|(sum, mean)| (sum / self.batches - mean * mean).max(0.0))
            .collect();
        Some((mean, variance))
    }
}

/// What the backward pass needs of the forward pass.
struct Kept {
    convolved: Vec<f32>,
    moments: Moments,
}

/// The operation. Its arguments: input [N, H, W, C], weights, and [2, out] with scale and shift.
/// One value serves one forward and one backward pass.
pub(crate) struct ConvolutionBlock {
    convolution: Convolution,
    fixed: Option<Arc<Moments>>,
    sums: Option<Arc<Mutex<MomentSums>>>,
    kept: Mutex<Option<Kept>>,
}

impl ConvolutionBlock {
    /// Applies the block to `input`. Where `sums` is given, the batch's moments are added to it. Where `fixed` is given,
    /// the values are normalised by these moments and not by those of the batch.
    pub(crate) fn apply(
        convolution: Convolution,
        input: &Tensor,
        [weights, normalisation]: [&Tensor; 2],
        fixed: Option<Arc<Moments>>,
        sums: Option<Arc<Mutex<MomentSums>>>,
    ) -> Result<Tensor> {
        let operation = Self {
            convolution,
            fixed,
            sums,
            kept: Mutex::new(None),
        };
        input.apply_op3(weights, normalisation, operation)
    }

    fn convolve(
        &self,
        input: &CpuStorage,
        shape: Dimensions,
        weights: &CpuStorage,
        layouts: [&Layout; 2],
    ) -> Result<Vec<f32>> {
        let rows = shape.pictures * shape.plane.height * shape.plane.width;
        let channels = shape.plane.channels;
        let values = argument(input, layouts[0], self.name())?;
        match self.convolution {
            Convolution::Pointwise => {
                let out = layouts[1].dims()[0];
                let left = Layout::contiguous_with_offset((rows, channels), layouts[0].start_offset());
                product(
                    input,
                    weights,
                    (rows, out, channels),
                    &left,
                    &transposed(layouts[1])?,
                )
            }
            Convolution::Depthwise { stride } => {
                let weights = argument(weights, layouts[1], self.name())?;
                Ok(depthwise::forward(values, weights, shape.plane, stride))
            }
            Convolution::Stem => {
                let out = layouts[1].dims()[0];
                let pixels = shape.plane.height * shape.plane.width;
                let right = transposed(layouts[1])?;
                let mut result = Vec::with_capacity(rows * out);
                for picture in values.chunks_exact(shape.plane.len()) {
                    let mut columns = vec![0.0; pixels * 9 * channels];
                    stem::columns(
                        picture,
                        shape.plane.height,
                        shape.plane.width,
                        channels,
                        &mut columns,
                    );
                    let left = Layout::contiguous((pixels, 9 * channels));
                    let size = (pixels, out, 9 * channels);
                    result.extend(product(&CpuStorage::F32(columns), weights, size, &left, &right)?);
                }
                Ok(result)
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Dimensions {
    pictures: usize,
    plane: Plane,
}

fn dimensions(dims: &[usize]) -> Result<Dimensions> {
    match dims {
        &[pictures, height, width, channels] => Ok(Dimensions {
            pictures,
            plane: Plane {
                height,
                width,
                channels,
            },
        }),
        _ => Err(Error::Msg(format!(
            "activations have four dimensions, not {dims:?}"
        ))),
    }
}

fn transposed(layout: &Layout) -> Result<Layout> {
    layout.transpose(0, 1)
}

/// The matrix product of candle: (rows, columns, inner).
fn product(
    left: &CpuStorage,
    right: &CpuStorage,
    (rows, columns, inner): (usize, usize, usize),
    left_layout: &Layout,
    right_layout: &Layout,
) -> Result<Vec<f32>> {
    match left.matmul(right, (1, rows, columns, inner), left_layout, right_layout)? {
        CpuStorage::F32(values) => Ok(values),
        _ => Err(Error::Msg("the product of f32 matrices is f32".into())),
    }
}

impl CustomOp3 for ConvolutionBlock {
    fn name(&self) -> &'static str {
        "convolution block"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        normalisation: &CpuStorage,
        normalisation_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = dimensions(input_layout.dims())?;
        let convolved = self.convolve(input, shape, weights, [input_layout, weights_layout])?;
        let scale_and_shift = argument(normalisation, normalisation_layout, self.name())?;
        let out = scale_and_shift.len() / 2;
        let (scale, shift) = scale_and_shift.split_at(out);
        let of_batch = || normalisation::moments(&convolved, out);
        if let Some(sums) = &self.sums {
            sums.lock().map_err(|_| poisoned())?.add(&of_batch());
        }
        let moments = self.fixed.as_deref().cloned().unwrap_or_else(of_batch);
        let result = normalisation::forward(&convolved, &moments, scale, shift);
        *self.kept.lock().map_err(|_| poisoned())? = Some(Kept { convolved, moments });
        let plane = match self.convolution {
            Convolution::Depthwise { stride } => shape.plane.strided(stride),
            Convolution::Pointwise | Convolution::Stem => shape.plane,
        };
        Ok((
            CpuStorage::F32(result),
            (shape.pictures, plane.height, plane.width, out).into(),
        ))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weights: &Tensor,
        normalisation: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().map_err(|_| poisoned())?.take();
        let Some(Kept { convolved, moments }) = kept else {
            return Err(Error::Msg(
                "a convolution block goes backward once after each forward pass".into(),
            ));
        };
        let shape = dimensions(input.dims())?;
        let scale_and_shift = copied(normalisation)?;
        let out = scale_and_shift.len() / 2;
        let (scale, shift) = scale_and_shift.split_at(out);
        let mut slope = copied(gradient)?;
        let mut affine = normalisation::backward(
            &convolved,
            &mut slope,
            (&moments, self.fixed.is_some()),
            scale,
            shift,
        );
        drop(convolved);
        affine.scale.extend(affine.shift);
        let normalisation_gradient = tensor_like(affine.scale, normalisation)?;
        let rows = result.elem_count() / out;
        let (input_gradient, weight_gradient) = match self.convolution {
            Convolution::Pointwise => {
                let slope = Tensor::from_vec(slope, (rows, out), &Device::Cpu)?;
                let flat = input.reshape((rows, shape.plane.channels))?;
                let input_gradient = slope.matmul(weights)?.reshape(input.shape())?;
                (Some(input_gradient), slope.t()?.matmul(&flat)?)
            }
            Convolution::Depthwise { stride } => {
                let input_gradient = with_values(weights, |weights| {
                    Ok(depthwise::input_gradient(&slope, weights, shape.plane, stride))
                })?;
                let weight_gradient = with_values(input, |values| {
                    Ok(depthwise::weight_gradient(values, &slope, shape.plane, stride))
                })?;
                (
                    Some(tensor_like(input_gradient, input)?),
                    tensor_like(weight_gradient, weights)?,
                )
            }
            Convolution::Stem => (None, stem_weight_gradient(input, &slope, shape, weights)?),
        };
        Ok((
            input_gradient,
            Some(weight_gradient),
            Some(normalisation_gradient),
        ))
    }
}

fn stem_weight_gradient(
    input: &Tensor,
    slope: &[f32],
    shape: Dimensions,
    weights: &Tensor,
) -> Result<Tensor> {
    let (plane, out) = (shape.plane, weights.dim(0)?);
    let (pixels, taps) = (plane.height * plane.width, 9 * plane.channels);
    let mut sum = weights.zeros_like()?;
    let values = copied(input)?;
    for (picture, slope) in values
        .chunks_exact(plane.len())
        .zip(slope.chunks_exact(pixels * out))
    {
        let mut columns = vec![0.0; pixels * taps];
        stem::columns(picture, plane.height, plane.width, plane.channels, &mut columns);
        let columns = Tensor::from_vec(columns, (pixels, taps), &Device::Cpu)?;
        let slope = Tensor::from_slice(slope, (pixels, out), &Device::Cpu)?;
        sum = (sum + slope.t()?.matmul(&columns)?)?;
    }
    Ok(sum)
}

fn poisoned() -> Error {
    Error::Msg("another thread of the training failed".into())
}

#[cfg(test)]
mod tests {
    use super::super::check::{gradients, random};
    use super::*;

    fn block(convolution: Convolution, input: &Tensor, weights: &Tensor, normalisation: &Tensor) -> Tensor {
        ConvolutionBlock::apply(convolution, input, [weights, normalisation], None, None).unwrap()
    }

    #[test]
    fn pointwise_gradients_are_the_finite_differences() {
        let variables = [
            random(&[2, 4, 5, 32], 1),
            random(&[16, 32], 2),
            random(&[2, 16], 3),
        ];
        let [x, w, n] = &variables;
        gradients(&variables, 0.01, || block(Convolution::Pointwise, x, w, n));
    }

    #[test]
    fn depthwise_gradients_are_the_finite_differences() {
        for stride in [1, 2] {
            let variables = [
                random(&[2, 6, 8, 16], 1),
                random(&[9, 16], 2),
                random(&[2, 16], 3),
            ];
            let [x, w, n] = &variables;
            gradients(&variables, 0.01, || {
                block(Convolution::Depthwise { stride }, x, w, n)
            });
        }
    }

    #[test]
    fn stem_gradients_are_the_finite_differences() {
        let input = random(&[2, 6, 8, 12], 1);
        let variables = [random(&[16, 108], 2), random(&[2, 16], 3)];
        let [w, n] = &variables;
        gradients(&variables, 0.01, || {
            block(Convolution::Stem, input.as_tensor(), w, n)
        });
    }

    #[test]
    fn gradients_past_fixed_moments_are_the_finite_differences() {
        let variables = [
            random(&[2, 4, 5, 32], 1),
            random(&[16, 32], 2),
            random(&[2, 16], 3),
        ];
        let [x, w, n] = &variables;
        let fixed = Arc::new(Moments {
            mean: (0..16).map(|channel| channel as f32 / 10.0 - 0.8).collect(),
            variance: (0..16).map(|channel| 0.5 + channel as f32 / 8.0).collect(),
        });
        gradients(&variables, 0.01, || {
            let fixed = Some(fixed.clone());
            ConvolutionBlock::apply(Convolution::Pointwise, x, [w, n], fixed, None).unwrap()
        });
    }

    #[test]
    fn depthwise_agrees_with_candles_own_convolution() {
        for stride in [1, 2] {
            let (x, w) = (random(&[1, 6, 8, 16], 4), random(&[9, 16], 5));
            let values = depthwise::forward(
                &copied(&x).unwrap(),
                &copied(&w).unwrap(),
                Plane {
                    height: 6,
                    width: 8,
                    channels: 16,
                },
                stride,
            );
            let kernel = w.t().unwrap().reshape((16, 1, 3, 3)).unwrap();
            let nchw = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let expected = nchw
                .conv2d(&kernel, 1, stride, 1, 16)
                .unwrap()
                .permute((0, 2, 3, 1))
                .unwrap();
            for (own, candle) in values.iter().zip(copied(&expected).unwrap()) {
                assert!((own - candle).abs() < 1e-5, "{own} against {candle}");
            }
        }
    }

    #[test]
    fn the_moments_of_two_batches_are_those_of_all_rows() {
        let mut sums = MomentSums::default();
        assert!(sums.moments().is_none());
        sums.add(&Moments {
            mean: vec![1.0],
            variance: vec![0.0],
        });
        sums.add(&Moments {
            mean: vec![3.0],
            variance: vec![0.0],
        });
        assert_eq!(sums.moments().unwrap(), (vec![2.0], vec![1.0]));
    }
}
