//! The net with its variables, and its forward pass for training.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candle_core::{Device, Error, Result, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::layers::{Kind, Layer, layers};
use crate::operations::{
    self, ConvolutionBlock, Join, JoinUpsampled, MomentSums, Prediction, PyramidPooling,
};

/// The probability that an untrained net gives to every object and class.
const PRIOR: f32 = 0.01;

/// Sums of the moments of every block, by layer path.
pub(crate) type Moments = BTreeMap<String, Arc<Mutex<MomentSums>>>;

/// The variables: `<path>.weight` for every layer, `<path>.normalisation` ([2, out]: scale, shift) for a
/// block, `<path>.bias` for a prediction.
pub(crate) struct Net {
    layers: BTreeMap<String, Layer>,
    variables: BTreeMap<String, Var>,
    /// Moments that blocks normalise by instead of those of the batch, by layer path.
    fixed: BTreeMap<String, Arc<operations::Moments>>,
}

impl Net {
    /// A net with random weights that follow from `seed`.
    pub(crate) fn new(seed: u64) -> Result<Self> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut variables = BTreeMap::new();
        let layers = layers();
        for layer in &layers {
            let bound = 1.0 / (layer.fan_in() as f32).sqrt();
            let (rows, columns) = layer.training_shape();
            let weights: Vec<f32> = (0..rows * columns)
                .map(|_| generator.random_range(-bound..bound))
                .collect();
            let weights = Tensor::from_vec(weights, (rows, columns), &Device::Cpu)?;
            variables.insert(format!("{}.weight", layer.path), Var::from_tensor(&weights)?);
            let (name, start) = match layer.kind {
                Kind::Block(_) => {
                    let mut values = vec![1.0_f32; layer.output];
                    values.resize(2 * layer.output, 0.0);
                    (
                        "normalisation",
                        Tensor::from_vec(values, (2, layer.output), &Device::Cpu)?,
                    )
                }
                Kind::Prediction => {
                    let bias: f32 = if layer.path.contains("reg_preds") {
                        0.0
                    } else {
                        -((1.0 - PRIOR) / PRIOR).ln()
                    };
                    (
                        "bias",
                        Tensor::from_vec(vec![bias; layer.output], layer.output, &Device::Cpu)?,
                    )
                }
            };
            variables.insert(format!("{}.{name}", layer.path), Var::from_tensor(&start)?);
        }
        let layers = layers
            .into_iter()
            .map(|layer| (layer.path.clone(), layer))
            .collect();
        Ok(Self {
            layers,
            variables,
            fixed: BTreeMap::new(),
        })
    }

    /// All variables by name.
    pub(crate) fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// All layers by path.
    pub(crate) fn layers(&self) -> &BTreeMap<String, Layer> {
        &self.layers
    }

    /// Moments that blocks normalise by, by layer path; a block without is normalised by the batch at hand.
    pub(crate) fn fixed(&self) -> &BTreeMap<String, Arc<operations::Moments>> {
        &self.fixed
    }

    /// From now on blocks normalise by these moments.
    pub(crate) fn fix(&mut self, moments: BTreeMap<String, Arc<operations::Moments>>) {
        self.fixed = moments;
    }

    /// Empty sums for every block.
    pub(crate) fn empty_moments(&self) -> Moments {
        let blocks = self
            .layers
            .values()
            .filter(|layer| matches!(layer.kind, Kind::Block(_)));
        blocks.map(|layer| (layer.path.clone(), Arc::default())).collect()
    }

    /// The raw outputs, [pictures, cells, 9]: tx, ty, tw, th, objectness and classes before the sigmoid.
    /// `pictures` is [pictures, rows / 2, columns / 2, 12], as [`crate::focus`] makes it.
    pub(crate) fn forward(&self, pictures: &Tensor, moments: Option<&Moments>) -> Result<Tensor> {
        Pass { net: self, moments }.run(pictures)
    }
}

struct Pass<'a> {
    net: &'a Net,
    moments: Option<&'a Moments>,
}

impl Pass<'_> {
    fn variable(&self, name: &str) -> Result<&Var> {
        self.net
            .variables
            .get(name)
            .ok_or_else(|| Error::Msg(format!("the net has no variable {name}")))
    }

    fn block(&self, input: &Tensor, path: &str) -> Result<Tensor> {
        let path = format!("{path}.conv");
        let convolution = match self.net.layers.get(&path).map(|layer| layer.kind) {
            Some(Kind::Block(convolution)) => convolution,
            _ => return Err(Error::Msg(format!("the net has no block {path}"))),
        };
        let weights = self.variable(&format!("{path}.weight"))?;
        let normalisation = self.variable(&format!("{path}.normalisation"))?;
        let sums = self.moments.and_then(|moments| moments.get(&path)).cloned();
        let fixed = self.net.fixed.get(&path).cloned();
        ConvolutionBlock::apply(convolution, input, [weights, normalisation], fixed, sums)
    }

    fn separable(&self, input: &Tensor, path: &str) -> Result<Tensor> {
        self.block(
            &self.block(input, &format!("{path}.dconv"))?,
            &format!("{path}.pconv"),
        )
    }

    fn cross_stage(&self, input: &Tensor, path: &str, shortcut: bool) -> Result<Tensor> {
        let mut first = self.block(input, &format!("{path}.conv1"))?;
        let second = self.block(input, &format!("{path}.conv2"))?;
        for step in 0.. {
            let step = format!("{path}.m.{step}");
            if !self.net.layers.contains_key(&format!("{step}.conv1.conv")) {
                break;
            }
            let inner = self.separable(
                &self.block(&first, &format!("{step}.conv1"))?,
                &format!("{step}.conv2"),
            )?;
            first = if shortcut { (inner + &first)? } else { inner };
        }
        self.block(&first.apply_op2(&second, Join)?, &format!("{path}.conv3"))
    }

    fn predict(&self, input: &Tensor, name: &str, level: usize) -> Result<Tensor> {
        let path = format!("head.{name}_preds.{level}");
        let weights = self.variable(&format!("{path}.weight"))?;
        Prediction::apply(input, weights, self.variable(&format!("{path}.bias"))?)
    }

    fn run(&self, pictures: &Tensor) -> Result<Tensor> {
        let dark = "backbone.backbone.dark";
        let x = self.block(pictures, "backbone.backbone.stem.conv")?;
        let x = self.cross_stage(
            &self.separable(&x, &format!("{dark}2.0"))?,
            &format!("{dark}2.1"),
            true,
        )?;
        let third = self.cross_stage(
            &self.separable(&x, &format!("{dark}3.0"))?,
            &format!("{dark}3.1"),
            true,
        )?;
        let fourth = self.cross_stage(
            &self.separable(&third, &format!("{dark}4.0"))?,
            &format!("{dark}4.1"),
            true,
        )?;
        let x = self.separable(&fourth, &format!("{dark}5.0"))?;
        let x = self
            .block(&x, &format!("{dark}5.1.conv1"))?
            .apply_op1(PyramidPooling)?;
        let x = self.block(&x, &format!("{dark}5.1.conv2"))?;
        let fifth = self.cross_stage(&x, &format!("{dark}5.2"), false)?;

        let lateral = self.block(&fifth, "backbone.lateral_conv0")?;
        let x = self.cross_stage(
            &lateral.apply_op2(&fourth, JoinUpsampled)?,
            "backbone.C3_p4",
            false,
        )?;
        let reduced = self.block(&x, "backbone.reduce_conv1")?;
        let fine = self.cross_stage(
            &reduced.apply_op2(&third, JoinUpsampled)?,
            "backbone.C3_p3",
            false,
        )?;
        let x = self
            .separable(&fine, "backbone.bu_conv2")?
            .apply_op2(&reduced, Join)?;
        let middle = self.cross_stage(&x, "backbone.C3_n3", false)?;
        let x = self
            .separable(&middle, "backbone.bu_conv1")?
            .apply_op2(&lateral, Join)?;
        let coarse = self.cross_stage(&x, "backbone.C3_n4", false)?;

        let mut levels = Vec::new();
        for (level, features) in [fine, middle, coarse].iter().enumerate() {
            let stem = self.block(features, &format!("head.stems.{level}"))?;
            let (mut classes, mut boxes) = (stem.clone(), stem);
            for step in 0..2 {
                classes = self.separable(&classes, &format!("head.cls_convs.{level}.{step}"))?;
                boxes = self.separable(&boxes, &format!("head.reg_convs.{level}.{step}"))?;
            }
            let parts = [
                self.predict(&boxes, "reg", level)?,
                self.predict(&boxes, "obj", level)?,
                self.predict(&classes, "cls", level)?,
            ];
            levels.push(Tensor::cat(&parts, 2)?);
        }
        Tensor::cat(&levels, 1)
    }
}

/// The input of the net from pictures of `width` x `height` in BGR, 0 to 255, rows of pixels of three
/// values: every 2x2 square becomes one pixel of 12 channels (top left, bottom left, top right, bottom right).
pub(crate) fn focus(pictures: &[Vec<f32>], width: usize, height: usize) -> Result<Tensor> {
    let (rows, columns) = (height / 2, width / 2);
    let mut values = Vec::with_capacity(pictures.len() * width * height * 3);
    for picture in pictures {
        for y in 0..rows {
            for x in 0..columns {
                for (dy, dx) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let pixel = ((2 * y + dy) * width + 2 * x + dx) * 3;
                    values.extend_from_slice(&picture[pixel..pixel + 3]);
                }
            }
        }
    }
    Tensor::from_vec(values, (pictures.len(), rows, columns, 12), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_a_gradient_and_the_output_one_row_per_cell() {
        let net = Net::new(1).unwrap();
        let mut generator = ChaCha8Rng::seed_from_u64(2);
        let pictures: Vec<Vec<f32>> = (0..2)
            .map(|_| {
                (0..64 * 64 * 3)
                    .map(|_| generator.random_range(0.0..255.0))
                    .collect()
            })
            .collect();
        let moments = net.empty_moments();
        let output = net
            .forward(&focus(&pictures, 64, 64).unwrap(), Some(&moments))
            .unwrap();
        assert_eq!(output.dims(), [2, 64 + 16 + 4, 9]);
        let store = output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        for (name, variable) in net.variables() {
            let gradient = store.get(variable).expect(name);
            let largest = gradient.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            let largest = largest.to_scalar::<f32>().unwrap();
            assert!(largest.is_finite() && largest > 0.0, "{name}: {largest}");
        }
        for (path, sums) in &moments {
            assert!(sums.lock().unwrap().moments().is_some(), "{path}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let (a, b, c) = (Net::new(7).unwrap(), Net::new(7).unwrap(), Net::new(8).unwrap());
        let stem = |net: &Net| {
            net.variables()["backbone.backbone.stem.conv.conv.weight"]
                .to_vec2::<f32>()
                .unwrap()
        };
        assert_eq!(stem(&a), stem(&b));
        assert_ne!(stem(&a), stem(&c));
    }

    #[test]
    fn focus_takes_the_columns_of_a_square_one_after_the_other() {
        let picture: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let values = focus(&[picture], 2, 2)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        assert_eq!(
            values,
            [0.0, 1.0, 2.0, 6.0, 7.0, 8.0, 3.0, 4.0, 5.0, 9.0, 10.0, 11.0]
        );
    }
}
