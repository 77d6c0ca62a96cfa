//! Every convolution of YOLOX-Nano by its name, with the shape of its weights in training and in the file.

use crate::operations::Convolution;

/// What the net finds, in the order of its class outputs. Rendered buses are too unlike real ones: the last class is
/// learnt from real pictures alone.
pub const CLASSES: [&str; 4] = ["person", "car", "truck", "bus"];
/// The first so many of [`CLASSES`] are learnt from and judged on rendered scenes.
pub(crate) const RENDERED_CLASSES: usize = 3;
/// Width of the pictures that the net is trained on.
pub const INPUT_WIDTH: usize = 320;
/// Height of the pictures that the net is trained on.
pub const INPUT_HEIGHT: usize = 192;
/// Pixels per cell of the three output levels.
pub(crate) const STRIDES: [usize; 3] = [8, 16, 32];
/// Channels of the stem; all others are multiples of it.
pub(crate) const BASE_CHANNELS: usize = 16;
/// Channels inside the head.
const HEAD_CHANNELS: usize = 64;

/// What follows a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Normalisation and SiLU.
    Block(Convolution),
    /// A bias only.
    Prediction,
}

/// One convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The module path of YOLOX, with `.weight` and `.bias` to follow.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) input: usize,
    pub(crate) output: usize,
}

impl Layer {
    /// Shape of the weights in training.
    pub(crate) fn training_shape(&self) -> (usize, usize) {
        match self.kind {
            Kind::Block(Convolution::Depthwise { .. }) => (9, self.output),
            Kind::Block(Convolution::Stem) => (self.output, 9 * self.input),
            Kind::Block(Convolution::Pointwise) | Kind::Prediction => (self.output, self.input),
        }
    }

    /// Shape of the weights in the file: [out, in, rows, columns].
    pub(crate) fn file_shape(&self) -> [usize; 4] {
        match self.kind {
            Kind::Block(Convolution::Depthwise { .. }) => [self.output, 1, 3, 3],
            Kind::Block(Convolution::Stem) => [self.output, self.input, 3, 3],
            Kind::Block(Convolution::Pointwise) | Kind::Prediction => [self.output, self.input, 1, 1],
        }
    }

    /// Values that one output is summed from.
    pub(crate) fn fan_in(&self) -> usize {
        self.file_shape()[1..].iter().product()
    }

    /// The weights in the file's order.
    pub(crate) fn file_order(&self, weights: &[f32]) -> Vec<f32> {
        match self.kind {
            Kind::Block(Convolution::Depthwise { .. }) => {
                let of_channel = |channel| (0..9).map(move |tap| weights[tap * self.output + channel]);
                (0..self.output).flat_map(of_channel).collect()
            }
            Kind::Block(Convolution::Stem) => weights
                .chunks_exact(9 * self.input)
                .flat_map(|row| (0..self.input).flat_map(|channel| row[channel..].iter().step_by(self.input)))
                .copied()
                .collect(),
            Kind::Block(Convolution::Pointwise) | Kind::Prediction => weights.to_vec(),
        }
    }
}

impl Layer {
    /// The inverse of [`Self::file_order`].
    pub(crate) fn training_order(&self, weights: &[f32]) -> Vec<f32> {
        match self.kind {
            Kind::Block(Convolution::Depthwise { .. }) => {
                let of_tap = |tap| (0..self.output).map(move |channel| weights[channel * 9 + tap]);
                (0..9).flat_map(of_tap).collect()
            }
            Kind::Block(Convolution::Stem) => weights
                .chunks_exact(9 * self.input)
                .flat_map(|row| (0..9).flat_map(|tap| row[tap..].iter().step_by(9)))
                .copied()
                .collect(),
            Kind::Block(Convolution::Pointwise) | Kind::Prediction => weights.to_vec(),
        }
    }
}

#[derive(Default)]
struct List(Vec<Layer>);

impl List {
    fn push(&mut self, path: String, kind: Kind, input: usize, output: usize) {
        self.0.push(Layer {
            path,
            kind,
            input,
            output,
        });
    }

    fn pointwise(&mut self, path: &str, input: usize, output: usize) {
        self.push(
            format!("{path}.conv"),
            Kind::Block(Convolution::Pointwise),
            input,
            output,
        );
    }

    fn separable(&mut self, path: &str, input: usize, output: usize, stride: usize) {
        self.push(
            format!("{path}.dconv.conv"),
            Kind::Block(Convolution::Depthwise { stride }),
            input,
            input,
        );
        self.pointwise(&format!("{path}.pconv"), input, output);
    }

    fn cross_stage(&mut self, path: &str, input: usize, output: usize, depth: usize) {
        let hidden = output / 2;
        self.pointwise(&format!("{path}.conv1"), input, hidden);
        self.pointwise(&format!("{path}.conv2"), input, hidden);
        self.pointwise(&format!("{path}.conv3"), output, output);
        for step in 0..depth {
            self.pointwise(&format!("{path}.m.{step}.conv1"), hidden, hidden);
            self.separable(&format!("{path}.m.{step}.conv2"), hidden, hidden, 1);
        }
    }
}

/// All convolutions of the net.
pub(crate) fn layers() -> Vec<Layer> {
    let mut list = List::default();
    let base = BASE_CHANNELS;
    list.push(
        "backbone.backbone.stem.conv.conv".into(),
        Kind::Block(Convolution::Stem),
        12,
        base,
    );
    for (name, factor, depth) in [("dark2", 1, 1), ("dark3", 2, 3), ("dark4", 4, 3), ("dark5", 8, 0)] {
        let path = format!("backbone.backbone.{name}");
        let (input, output) = (base * factor, base * factor * 2);
        list.separable(&format!("{path}.0"), input, output, 2);
        if depth > 0 {
            list.cross_stage(&format!("{path}.1"), output, output, depth);
        } else {
            list.pointwise(&format!("{path}.1.conv1"), output, input);
            list.pointwise(&format!("{path}.1.conv2"), output * 2, output);
            list.cross_stage(&format!("{path}.2"), output, output, 1);
        }
    }
    let (small, middle, large) = (base * 4, base * 8, base * 16);
    list.pointwise("backbone.lateral_conv0", large, middle);
    list.cross_stage("backbone.C3_p4", large, middle, 1);
    list.pointwise("backbone.reduce_conv1", middle, small);
    list.cross_stage("backbone.C3_p3", middle, small, 1);
    list.separable("backbone.bu_conv2", small, small, 2);
    list.cross_stage("backbone.C3_n3", middle, middle, 1);
    list.separable("backbone.bu_conv1", middle, middle, 2);
    list.cross_stage("backbone.C3_n4", large, large, 1);
    for (level, input) in [small, middle, large].into_iter().enumerate() {
        list.pointwise(&format!("head.stems.{level}"), input, HEAD_CHANNELS);
        for branch in ["cls", "reg"] {
            for step in 0..2 {
                list.separable(
                    &format!("head.{branch}_convs.{level}.{step}"),
                    HEAD_CHANNELS,
                    HEAD_CHANNELS,
                    1,
                );
            }
        }
        for (name, outputs) in [("cls", CLASSES.len()), ("reg", 4), ("obj", 1)] {
            list.push(
                format!("head.{name}_preds.{level}"),
                Kind::Prediction,
                HEAD_CHANNELS,
                outputs,
            );
        }
    }
    list.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_net_is_yolox_nano() {
        let layers = layers();
        assert_eq!(layers.len(), 113);
        // 904,463 for 80 classes (weights and biases after folding); 76 classes fewer on three levels.
        let parameters: usize = layers.iter().map(|l| l.fan_in() * l.output + l.output).sum();
        assert_eq!(parameters, 904_463 - 3 * 76 * 65);
    }

    #[test]
    fn names_and_shapes_are_those_of_the_open_weights() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/models/yolox_nano.safetensors"
        );
        let Ok(bytes) = std::fs::read(path) else {
            println!("skipped: the names of YOLOX-Nano needs ../shared/models, which is absent");
            return;
        };
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let layers = layers();
        assert_eq!(file.len(), 2 * layers.len());
        for layer in &layers {
            let tensor = file.tensor(&format!("{}.weight", layer.path)).expect(&layer.path);
            let mut shape = layer.file_shape();
            if layer.path.contains("cls_preds") {
                shape[0] = 80;
            }
            assert_eq!(tensor.shape(), shape, "{}", layer.path);
        }
    }

    #[test]
    fn the_files_order_puts_channels_before_taps() {
        let layer = |convolution, input, output| Layer {
            path: String::new(),
            kind: Kind::Block(convolution),
            input,
            output,
        };
        let depthwise = layer(Convolution::Depthwise { stride: 1 }, 2, 2);
        let weights: Vec<f32> = (0..18).map(|v| v as f32).collect();
        assert_eq!(depthwise.file_order(&weights)[..3], [0.0, 2.0, 4.0]);
        assert_eq!(depthwise.file_order(&weights)[9], 1.0);
        let stem = layer(Convolution::Stem, 2, 1);
        assert_eq!(stem.file_order(&weights)[..3], [0.0, 2.0, 4.0]);
        assert_eq!(stem.file_order(&weights)[9..11], [1.0, 3.0]);
        for layer in [depthwise, stem] {
            assert_eq!(layer.training_order(&layer.file_order(&weights)), weights);
        }
    }
}
