//! A weights file taken apart again, so that a training can go on from weights whose normalisation was folded.
//!
//! A folded convolution gives `y = w·x + b`; training wants `y = scale · (w·x − mean) / √variance + shift` with the
//! moments of the batch. Both agree on a batch for `scale = √variance` and `shift = b + mean`. The moments of a layer
//! are right once those of all layers before it are, so they are measured again and again until nothing moves.

use std::fs;
use std::path::Path;

use candle_core::Tensor;
use safetensors::SafeTensors;

use crate::error::TrainingError;
use crate::export::measure;
use crate::folded::FoldedFile;
use crate::layers::{Kind, Layer};
use crate::net::Net;
use crate::operations::EPSILON;
use crate::optimiser::Optimiser;

/// Scales and shifts that move by less than this share of their size stand still.
const STILL: f64 = 1e-3;

/// Whether the file holds weights rather than a checkpoint: weights say what net they are for.
pub(crate) fn is_weights_file(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| {
        SafeTensors::read_metadata(&bytes).is_ok_and(|(_, header)| {
            header
                .metadata()
                .as_ref()
                .is_some_and(|entries| entries.contains_key("arch"))
        })
    })
}

/// Sets values and averages of all variables so that the net does on `pictures` what the weights in the file do.
///
/// # Errors
/// A file that cannot be read or is not of this net.
pub(crate) fn unfold(
    net: &Net,
    optimiser: &mut Optimiser,
    path: &Path,
    pictures: &Tensor,
) -> Result<(), TrainingError> {
    let damaged = |reason: String| TrainingError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let file = FoldedFile::read(path)?;
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for (layer_path, layer) in net.layers() {
        let (mut weights, bias) = file.layer(layer_path, layer)?;
        match layer.kind {
            Kind::Prediction => set(optimiser, &format!("{layer_path}.bias"), bias)?,
            Kind::Block(_) => {
                let enlarged = enlarge(layer, &mut weights);
                blocks.push(Block {
                    path: layer_path,
                    layer,
                    bias,
                    enlarged,
                    normalisation: Vec::new(),
                });
            }
        }
        set(
            optimiser,
            &format!("{layer_path}.weight"),
            layer.training_order(&weights),
        )?;
    }
    for _ in 0..net.layers().len() {
        optimiser.publish(net, |state| &state.value)?;
        let moments = measure(net, std::iter::once(Ok(pictures.clone())))?;
        let mut still = true;
        for block in &mut blocks {
            let sums = moments
                .get(block.path)
                .and_then(|sums| sums.lock().ok()?.moments());
            let (mean, variance) =
                sums.ok_or_else(|| damaged(format!("nothing ran through {}", block.path)))?;
            let before = std::mem::take(&mut block.normalisation);
            block.normalisation = block.that_gives(&mean, &variance);
            still &= before.len() == block.normalisation.len()
                && before
                    .iter()
                    .zip(&block.normalisation)
                    .all(|(old, new)| f64::from((old - new).abs()) <= STILL * f64::from(new.abs()).max(1e-2));
            set(
                optimiser,
                &format!("{}.normalisation", block.path),
                block.normalisation.clone(),
            )?;
        }
        if still {
            break;
        }
    }
    Ok(())
}

/// A convolution with normalisation, whose scale and shift are looked for.
pub(crate) struct Block<'a> {
    pub(crate) path: &'a String,
    pub(crate) layer: &'a Layer,
    /// The folded bias.
    pub(crate) bias: Vec<f32>,
    /// By how much the weights of each output were enlarged.
    pub(crate) enlarged: Vec<f32>,
    /// Scale and shift, as they stand.
    pub(crate) normalisation: Vec<f32>,
}

impl Block<'_> {
    /// Scale and shift with which the block gives, by these moments, what the folded layer gives.
    pub(crate) fn that_gives(&self, mean: &[f64], variance: &[f64]) -> Vec<f32> {
        let channels = 0..self.layer.output;
        let factor = |channel: usize| f64::from(self.enlarged[channel]);
        let scale = channels
            .clone()
            .map(|channel| ((variance[channel] + f64::from(EPSILON)).sqrt() / factor(channel)) as f32);
        let shift =
            channels.map(|channel| (f64::from(self.bias[channel]) + mean[channel] / factor(channel)) as f32);
        scale.chain(shift).collect()
    }
}

/// Brings each output's weights to the size that they have in an untrained net: normalisation makes their size
/// meaningless, but an optimiser whose steps have one size for all weights goes too far where they are small.
pub(crate) fn enlarge(layer: &Layer, weights: &mut [f32]) -> Vec<f32> {
    // Root of the mean square of numbers spread evenly over ±1/√(fan in).
    let wanted = (1.0 / (3.0 * layer.fan_in() as f32)).sqrt();
    weights
        .chunks_exact_mut(layer.fan_in())
        .map(|filter| {
            let square = filter.iter().map(|weight| weight * weight).sum::<f32>() / layer.fan_in() as f32;
            let factor = if square > 0.0 { wanted / square.sqrt() } else { 1.0 };
            for weight in filter {
                *weight *= factor;
            }
            factor
        })
        .collect()
}

pub(crate) fn set(optimiser: &mut Optimiser, name: &str, values: Vec<f32>) -> Result<(), TrainingError> {
    let state = optimiser
        .states
        .get_mut(name)
        .filter(|state| state.value.len() == values.len())
        .ok_or_else(|| TrainingError::Settings(format!("the net has no variable {name} of that size")))?;
    state.average.clone_from(&values);
    state.value = values;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::export::{folded, weights_file};
    use crate::optimiser::Schedule;
    use candle_core::Device;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn optimiser(net: &Net) -> Optimiser {
        let schedule = Schedule {
            peak: 1e-3,
            warm_up: 1,
            steps: 1,
        };
        Optimiser::new(net, schedule, 0.0, 1.0).unwrap()
    }

    #[test]
    fn a_net_taken_from_its_own_file_does_the_same() {
        let mut generator = ChaCha8Rng::seed_from_u64(5);
        let pixels: Vec<f32> = (0..4 * 32 * 32 * 12)
            .map(|_| generator.random_range(0.0..255.0))
            .collect();
        let pictures = Tensor::from_vec(pixels, (4, 32, 32, 12), &Device::Cpu).unwrap();
        let first = Net::new(3).unwrap();
        let expected = first.forward(&pictures, None).unwrap();
        let moments = measure(&first, std::iter::once(Ok(pictures.clone()))).unwrap();
        let bytes = weights_file(&folded(&first, &optimiser(&first), &moments).unwrap(), (320, 192)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        fs::write(&path, bytes).unwrap();
        assert!(is_weights_file(&path));

        let second = Net::new(4).unwrap();
        let mut states = optimiser(&second);
        unfold(&second, &mut states, &path, &pictures).unwrap();
        states.publish(&second, |state| &state.average).unwrap();
        let difference = (second.forward(&pictures, None).unwrap() - expected)
            .unwrap()
            .abs()
            .unwrap()
            .flatten_all()
            .unwrap()
            .max(0)
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(difference < 0.05, "{difference}");
    }

    #[test]
    fn a_file_of_another_net_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let values = [0_u8; 4];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &values).unwrap();
        let metadata = HashMap::from([("arch".to_owned(), "yolox".to_owned())]);
        let bytes = safetensors::serialize([("other", view)], Some(metadata)).unwrap();
        fs::write(&path, bytes).unwrap();
        let net = Net::new(1).unwrap();
        let pictures = Tensor::zeros((1, 32, 32, 12), candle_core::DType::F32, &Device::Cpu).unwrap();
        let error = unfold(&net, &mut optimiser(&net), &path, &pictures).unwrap_err();
        assert!(error.to_string().contains("it has no tensor backbone"), "{error}");
    }
}
