//! Every convolution of a YOLOX net of any size, by name and in the order of the reference implementation.

/// What tells the sizes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Channels of the first layer.
    pub(crate) base: usize,
    /// Bottlenecks of the smallest stage; the large stages of the backbone have three times as many.
    pub(crate) depth: usize,
    /// 3x3 convolutions are separable.
    pub(crate) depthwise: bool,
    pub(crate) classes: usize,
}

/// One convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Convolution {
    /// Its weight is `NAME.weight` and its bias `NAME.bias`.
    pub(crate) name: String,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) window: usize,
    pub(crate) stride: usize,
    pub(crate) groups: usize,
    /// A batch normalisation follows it in training: `bn` beside its `conv`.
    pub(crate) normalised: bool,
}

impl Convolution {
    /// Shape of the weight.
    pub(crate) fn shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs / self.groups, self.window, self.window]
    }
}

/// Depths of the published sizes: Nano, Tiny and S; M; L; X.
pub(crate) const DEPTHS: [usize; 4] = [1, 2, 3, 4];

impl Size {
    /// The name of a published size.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match (self.base, self.depth, self.depthwise) {
            (16, 1, true) => Some("nano"),
            (24, 1, false) => Some("tiny"),
            (32, 1, false) => Some("s"),
            (48, 2, false) => Some("m"),
            (64, 3, false) => Some("l"),
            (80, 4, false) => Some("x"),
            _ => None,
        }
    }

    pub(crate) fn convolutions(self) -> Vec<Convolution> {
        let mut plan = Plan {
            size: self,
            all: Vec::new(),
        };
        plan.backbone();
        plan.neck();
        plan.head();
        plan.all
    }
}

struct Plan {
    size: Size,
    all: Vec<Convolution>,
}

impl Plan {
    fn push(&mut self, name: String, channels: (usize, usize), window: usize, stride: usize, groups: usize) {
        self.all.push(Convolution {
            name,
            outputs: channels.1,
            inputs: channels.0,
            window,
            stride,
            groups,
            normalised: true,
        });
    }

    fn pointwise(&mut self, path: &str, inputs: usize, outputs: usize) {
        self.push(format!("{path}.conv"), (inputs, outputs), 1, 1, 1);
    }

    fn window(&mut self, path: &str, inputs: usize, outputs: usize, stride: usize) {
        if self.size.depthwise {
            self.push(format!("{path}.dconv.conv"), (inputs, inputs), 3, stride, inputs);
            self.push(format!("{path}.pconv.conv"), (inputs, outputs), 1, 1, 1);
        } else {
            self.push(format!("{path}.conv"), (inputs, outputs), 3, stride, 1);
        }
    }

    fn cross_stage(&mut self, path: &str, inputs: usize, outputs: usize, bottlenecks: usize) {
        let half = outputs / 2;
        self.pointwise(&format!("{path}.conv1"), inputs, half);
        self.pointwise(&format!("{path}.conv2"), inputs, half);
        for number in 0..bottlenecks {
            self.pointwise(&format!("{path}.m.{number}.conv1"), half, half);
            self.window(&format!("{path}.m.{number}.conv2"), half, half, 1);
        }
        self.pointwise(&format!("{path}.conv3"), 2 * half, outputs);
    }

    fn backbone(&mut self) {
        let (c, depth) = (self.size.base, self.size.depth);
        let dark = "backbone.backbone";
        self.push(format!("{dark}.stem.conv.conv"), (12, c), 3, 1, 1);
        for (stage, channels, bottlenecks) in [(2, c, depth), (3, 2 * c, 3 * depth), (4, 4 * c, 3 * depth)] {
            self.window(&format!("{dark}.dark{stage}.0"), channels, 2 * channels, 2);
            self.cross_stage(
                &format!("{dark}.dark{stage}.1"),
                2 * channels,
                2 * channels,
                bottlenecks,
            );
        }
        self.window(&format!("{dark}.dark5.0"), 8 * c, 16 * c, 2);
        self.pointwise(&format!("{dark}.dark5.1.conv1"), 16 * c, 8 * c);
        self.pointwise(&format!("{dark}.dark5.1.conv2"), 32 * c, 16 * c);
        self.cross_stage(&format!("{dark}.dark5.2"), 16 * c, 16 * c, depth);
    }

    fn neck(&mut self) {
        let (c, depth) = (self.size.base, self.size.depth);
        self.pointwise("backbone.lateral_conv0", 16 * c, 8 * c);
        self.cross_stage("backbone.C3_p4", 16 * c, 8 * c, depth);
        self.pointwise("backbone.reduce_conv1", 8 * c, 4 * c);
        self.cross_stage("backbone.C3_p3", 8 * c, 4 * c, depth);
        self.window("backbone.bu_conv2", 4 * c, 4 * c, 2);
        self.cross_stage("backbone.C3_n3", 8 * c, 8 * c, depth);
        self.window("backbone.bu_conv1", 8 * c, 8 * c, 2);
        self.cross_stage("backbone.C3_n4", 16 * c, 16 * c, depth);
    }

    fn head(&mut self) {
        let (c, classes) = (self.size.base, self.size.classes);
        let hidden = 4 * c;
        for (level, inputs) in [4 * c, 8 * c, 16 * c].into_iter().enumerate() {
            self.pointwise(&format!("head.stems.{level}"), inputs, hidden);
            for way in ["cls", "reg"] {
                for number in 0..2 {
                    self.window(&format!("head.{way}_convs.{level}.{number}"), hidden, hidden, 1);
                }
                let lasts: &[(&str, usize)] = match way {
                    "cls" => &[("cls", classes)],
                    _ => &[("reg", 4), ("obj", 1)],
                };
                for (last, outputs) in lasts {
                    self.push(format!("head.{last}_preds.{level}"), (hidden, *outputs), 1, 1, 1);
                    if let Some(last) = self.all.last_mut() {
                        last.normalised = false;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sizes_have_their_published_parameters() {
        // Of the reference implementation's table, millions; batch normalisation folded.
        for (base, depth, depthwise, name, millions) in [
            (16, 1, true, "nano", 0.91),
            (24, 1, false, "tiny", 5.06),
            (32, 1, false, "s", 9.0),
            (48, 2, false, "m", 25.3),
            (64, 3, false, "l", 54.2),
            (80, 4, false, "x", 99.1),
        ] {
            let size = Size {
                base,
                depth,
                depthwise,
                classes: 80,
            };
            assert_eq!(size.name(), Some(name));
            let parameters: usize = size
                .convolutions()
                .iter()
                .map(|one| one.shape().iter().product::<usize>() + one.outputs)
                .sum();
            let found = parameters as f64 / 1e6;
            assert!((found / millions - 1.0).abs() < 0.01, "{name}: {found}");
        }
    }
}
