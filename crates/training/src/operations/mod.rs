//! The operations of the net with their own gradients, as candle's custom operations. Everything is f32 on
//! the CPU, and activations lie as [pictures, rows, columns, channels].

mod block;
mod depthwise;
mod joins;
mod normalisation;
mod prediction;
mod stem;

pub(crate) use block::{Convolution, ConvolutionBlock, MomentSums};
pub(crate) use joins::{Join, JoinUpsampled, PyramidPooling};
pub(crate) use normalisation::{EPSILON, Moments};
pub(crate) use prediction::Prediction;

use candle_core::{CpuStorage, Device, Error, Layout, Result, Storage, Tensor};

/// The contiguous f32 values of a custom operation's argument.
fn argument<'a>(storage: &'a CpuStorage, layout: &Layout, operation: &str) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((first, last))) => Ok(&values[first..last]),
        _ => Err(Error::Msg(format!(
            "{operation} takes contiguous f32 tensors only"
        ))),
    }
}

/// Lends the contiguous f32 values of a CPU tensor.
fn with_values<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(argument(storage, layout, "backward")?),
        _ => Err(Error::Msg("training runs on the CPU only".into())),
    }
}

/// A copy of a tensor's values.
fn copied(tensor: &Tensor) -> Result<Vec<f32>> {
    with_values(tensor, |values| Ok(values.to_vec()))
}

fn tensor_like(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), &Device::Cpu)
}

#[cfg(test)]
pub(crate) mod check {
    //! Gradients against finite differences.
    use super::*;
    use candle_core::Var;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A variable of random values between −1 and 1.
    pub(crate) fn random(shape: &[usize], seed: u64) -> Var {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| generator.random_range(-1.0..1.0)).collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    /// Checks d(sum of squares-weighted result)/d(variable) at some places of every variable.
    pub(crate) fn gradients(variables: &[Var], tolerance: f32, run: impl Fn() -> Tensor) {
        let weights = {
            let result = run();
            let mut generator = ChaCha8Rng::seed_from_u64(99);
            let values: Vec<f32> = (0..result.elem_count())
                .map(|_| (generator.next_u32() % 7) as f32 / 3.0 - 1.0)
                .collect();
            Tensor::from_vec(values, result.shape(), &Device::Cpu).unwrap()
        };
        // The sum in f64, or rounding drowns the difference.
        let loss = |result: &Tensor| -> f64 {
            let (values, weights) = (copied(result).unwrap(), copied(&weights).unwrap());
            values
                .iter()
                .zip(&weights)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        let store = (run() * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        for (number, variable) in variables.iter().enumerate() {
            let gradient = copied(store.get(variable).expect("a gradient")).unwrap();
            let original = copied(variable).unwrap();
            let places = (original.len() / 40).max(1);
            for place in (0..original.len()).step_by(places) {
                let nudged = |by: f32| {
                    let mut values = original.clone();
                    values[place] += by;
                    variable.set(&tensor_like(values, variable).unwrap()).unwrap();
                    loss(&run())
                };
                let step = 1e-2;
                let numeric = ((nudged(step) - nudged(-step)) / f64::from(2.0 * step)) as f32;
                let scale = 1.0_f32.max(numeric.abs());
                assert!(
                    (gradient[place] - numeric).abs() <= tolerance * scale,
                    "variable {number} place {place}: {} against {numeric}",
                    gradient[place]
                );
            }
            variable.set(&tensor_like(original, variable).unwrap()).unwrap();
        }
    }
}
