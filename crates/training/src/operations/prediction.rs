//! The last 1x1 convolutions: a bias, no normalisation, no activation.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::{argument, copied};

/// Arguments: input [N, H, W, C], weights [out, C], bias [out]; result [N, H · W, out].
pub(crate) struct Prediction;

impl Prediction {
    /// Applies the convolution.
    pub(crate) fn apply(input: &Tensor, weights: &Tensor, bias: &Tensor) -> Result<Tensor> {
        input.apply_op3(weights, bias, Self)
    }
}

impl CustomOp3 for Prediction {
    fn name(&self) -> &'static str {
        "prediction"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (pictures, height, width, channels) = input_layout.shape().dims4()?;
        let (rows, out) = (pictures * height * width, weights_layout.dims()[0]);
        argument(input, input_layout, self.name())?;
        let left = Layout::contiguous_with_offset((rows, channels), input_layout.start_offset());
        let right = weights_layout.transpose(0, 1)?;
        let mut result = input.matmul(weights, (1, rows, out, channels), &left, &right)?;
        let bias = argument(bias, bias_layout, self.name())?;
        if let CpuStorage::F32(values) = &mut result {
            for row in values.chunks_exact_mut(out) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += bias;
                }
            }
        }
        Ok((result, (pictures, height * width, out).into()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weights: &Tensor,
        _bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (out, channels) = weights.dims2()?;
        let slope = Tensor::from_vec(
            copied(gradient)?,
            (gradient.elem_count() / out, out),
            &Device::Cpu,
        )?;
        let flat = input.reshape((slope.dim(0)?, channels))?;
        let input_gradient = slope.matmul(weights)?.reshape(input.shape())?;
        Ok((
            Some(input_gradient),
            Some(slope.t()?.matmul(&flat)?),
            Some(slope.sum(0)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{gradients, random};
    use super::*;

    #[test]
    fn prediction_gradients_are_the_finite_differences() {
        let variables = [random(&[2, 3, 4, 16], 1), random(&[5, 16], 2), random(&[5], 3)];
        let [x, w, b] = &variables;
        gradients(&variables, 0.01, || Prediction::apply(x, w, b).unwrap());
    }
}
