//! The weights as the detector loads them: normalisation folded into the convolutions, YOLOX's names.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Error, Result, Tensor};
use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoint::in_order;
use crate::error::TrainingError;
use crate::layers::{BASE_CHANNELS, CLASSES, Kind};
use crate::net::{Moments, Net};
use crate::operations::EPSILON;
use crate::optimiser::Optimiser;

/// Size at which the weights are used: larger than the one they were trained at, because small and close people
/// are found better so; the card has both figures.
const DETECTION_WIDTH: usize = 384;
/// Height of it.
const DETECTION_HEIGHT: usize = 224;

/// What the file says of itself: also the width and height that the net was trained at.
fn metadata((width, height): (usize, usize)) -> HashMap<String, String> {
    let entries = [
        ("arch", "yolox".to_owned()),
        ("depthwise", "true".to_owned()),
        ("base_channels", BASE_CHANNELS.to_string()),
        ("num_classes", CLASSES.len().to_string()),
        ("classes", CLASSES.join(",")),
        ("input_width", DETECTION_WIDTH.to_string()),
        ("input_height", DETECTION_HEIGHT.to_string()),
        ("trained_width", width.to_string()),
        ("trained_height", height.to_string()),
        ("bn", "folded".to_owned()),
        ("format", "pt".to_owned()),
    ];
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Shape and values of every tensor of the file, by name.
pub(crate) type Folded = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Weights and bias of every layer in the file's order, from the averages and the measured moments.
pub(crate) fn folded(net: &Net, optimiser: &Optimiser, moments: &Moments) -> Result<Folded> {
    let missing = |what: &str| Error::Msg(format!("{what} is missing"));
    let mut tensors = BTreeMap::new();
    for (path, layer) in net.layers() {
        let state = |name: &str| {
            let name = format!("{path}.{name}");
            optimiser
                .states
                .get(&name)
                .map(|state| &state.average)
                .ok_or_else(|| missing(&name))
        };
        let mut weights = layer.file_order(state("weight")?);
        let bias = match layer.kind {
            Kind::Prediction => state("bias")?.clone(),
            Kind::Block(_) => {
                let sums = moments.get(path).ok_or_else(|| missing(path))?;
                let sums = sums.lock().map_err(|_| missing(path))?;
                let (mean, variance) = sums.moments().ok_or_else(|| missing(path))?;
                let (scale, shift) = state("normalisation")?.split_at(layer.output);
                let mut bias = Vec::with_capacity(layer.output);
                let filters = weights.chunks_exact_mut(layer.fan_in());
                for (channel, filter) in filters.enumerate() {
                    let factor = f64::from(scale[channel]) / (variance[channel] + f64::from(EPSILON)).sqrt();
                    for weight in filter {
                        *weight = (f64::from(*weight) * factor) as f32;
                    }
                    bias.push((f64::from(shift[channel]) - mean[channel] * factor) as f32);
                }
                bias
            }
        };
        tensors.insert(format!("{path}.weight"), (layer.file_shape().to_vec(), weights));
        tensors.insert(format!("{path}.bias"), (vec![layer.output], bias));
    }
    Ok(tensors)
}

/// Measures every block's moments with the averaged weights over `batches`.
pub(crate) fn measure(
    net: &Net,
    batches: impl Iterator<Item = std::result::Result<Tensor, TrainingError>>,
) -> std::result::Result<Moments, TrainingError> {
    let moments = net.empty_moments();
    for batch in batches {
        net.forward(&batch?, Some(&moments))?;
    }
    Ok(moments)
}

/// The bytes of the weights file of a net that was trained at this width and height.
pub(crate) fn weights_file(tensors: &Folded, trained: (usize, usize)) -> Result<Vec<u8>> {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (
                name,
                shape,
                values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            )
        })
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (name, shape, bytes) in &bytes {
        let view = TensorView::new(Dtype::F32, (*shape).clone(), bytes);
        views.push((
            name.as_str(),
            view.map_err(|error| Error::Msg(error.to_string()))?,
        ));
    }
    let file = safetensors::serialize(views, Some(metadata(trained)));
    Ok(in_order(file.map_err(|error| Error::Msg(error.to_string()))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::ConvolutionBlock;
    use crate::optimiser::Schedule;
    use candle_core::Device;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The folded convolution, by candle's own operations, does what the block did in training.
    #[test]
    fn folded_layers_give_what_the_blocks_gave() {
        let net = Net::new(3).unwrap();
        let schedule = Schedule {
            peak: 1e-3,
            warm_up: 1,
            steps: 1,
        };
        let optimiser = Optimiser::new(&net, schedule, 0.0, 1.0).unwrap();
        let mut generator = ChaCha8Rng::seed_from_u64(4);
        let mut random = |shape: (usize, usize, usize, usize)| {
            let count = shape.0 * shape.1 * shape.2 * shape.3;
            let values: Vec<f32> = (0..count).map(|_| generator.random_range(-1.0..1.0)).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let paths = [
            "backbone.backbone.stem.conv.conv",
            "backbone.backbone.dark3.0.dconv.conv",
            "backbone.backbone.dark2.1.m.0.conv2.dconv.conv",
            "backbone.lateral_conv0.conv",
        ];
        let input = random((2, 64, 64, 12));
        let moments = net.empty_moments();
        net.forward(&input, Some(&moments)).unwrap();
        for path in paths {
            let Kind::Block(convolution) = net.layers()[path].kind else {
                panic!("{path} is a block")
            };
            let channels = net.layers()[path].input;
            let input = random((2, 8, 12, channels));
            let own = net.empty_moments();
            let weights = &net.variables()[&format!("{path}.weight")];
            let normalisation = &net.variables()[&format!("{path}.normalisation")];
            let sums = Some(own[path].clone());
            let expected =
                ConvolutionBlock::apply(convolution, &input, [weights, normalisation], None, sums).unwrap();
            // The other layers' moments are those of the whole net; only this layer is compared.
            let mut moments = moments.clone();
            moments.insert(path.to_owned(), own[path].clone());
            let tensors = folded(&net, &optimiser, &moments).unwrap();
            let (shape, values) = &tensors[&format!("{path}.weight")];
            let kernel = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
            let (shape, values) = &tensors[&format!("{path}.bias")];
            let bias = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
            let (padding, groups) = (kernel.dim(2).unwrap() / 2, channels / kernel.dim(1).unwrap());
            let stride = input.dim(1).unwrap() / expected.dim(1).unwrap();
            let nchw = input.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let result = nchw.conv2d(&kernel, padding, stride, 1, groups).unwrap();
            let result = result
                .permute((0, 2, 3, 1))
                .unwrap()
                .broadcast_add(&bias)
                .unwrap()
                .silu()
                .unwrap();
            let difference = (result - expected)
                .unwrap()
                .abs()
                .unwrap()
                .flatten_all()
                .unwrap()
                .max(0)
                .unwrap();
            let difference = difference.to_scalar::<f32>().unwrap();
            assert!(difference < 1e-4, "{path}: {difference}");
        }
    }
}
