//! Weights that are made for a test: nets of any size, with small repeatable numbers.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Width, depth and kind of a net.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) base: usize,
    pub(crate) depth: usize,
    pub(crate) depthwise: bool,
}

/// The sizes of YOLOX by their names (Ge et al. 2021), smallest first.
pub(crate) const SIZES: [(&str, Size); 6] = [
    ("nano", size(16, 1, true)),
    ("tiny", size(24, 1, false)),
    ("s", size(32, 1, false)),
    ("m", size(48, 2, false)),
    ("l", size(64, 3, false)),
    ("x", size(80, 4, false)),
];

const fn size(base: usize, depth: usize, depthwise: bool) -> Size {
    Size {
        base,
        depth,
        depthwise,
    }
}

impl Size {
    /// The metadata of a file of this size with three classes.
    pub(crate) fn metadata(self) -> [(&'static str, String); 5] {
        [
            ("arch", "yolox".to_owned()),
            ("depthwise", self.depthwise.to_string()),
            ("base_channels", self.base.to_string()),
            ("num_classes", "3".to_owned()),
            ("classes", "person,car,truck".to_owned()),
        ]
    }

    /// A net of three classes with repeatable numbers of the size of the fan-in, so that they neither die nor explode on
    /// their way.
    pub(crate) fn random(self) -> Tensors {
        let shapes = tensors_of(self, 3, |_, _| 0.0);
        let scales: BTreeMap<&str, f32> = shapes
            .iter()
            .filter_map(|(name, (shape, _))| {
                let name = name.strip_suffix(".weight")?;
                let fan_in = shape[1..].iter().product::<usize>() as f32;
                // What is added to its own input again and again must be smaller, or it grows with the depth.
                let scale = match name {
                    _ if name.ends_with("stem.conv.conv") => 0.02,
                    _ if name.contains(".m.") => 2.0,
                    _ => 2.6,
                };
                Some((name, scale / fan_in.sqrt()))
            })
            .collect();
        tensors_of(self, 3, |name, n| {
            let mut hash = name.bytes().fold(n as u64 + 1, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            hash ^= hash >> 29;
            let uniform =
                (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
            uniform * scales[name]
        })
    }
}

/// Names and shapes of the smallest net, with small repeatable numbers.
pub(crate) fn tensors(classes: usize) -> Tensors {
    let smallest = Size {
        base: 16,
        depth: 1,
        depthwise: true,
    };
    tensors_of(smallest, classes, |name, n| {
        ((n * 7919 + name.len()) % 201) as f32 / 1000.0 - 0.1
    })
}

/// Names and shapes of a net; `weight` gives number `n` of the weight of that name.
pub(crate) fn tensors_of(
    Size {
        base,
        depth,
        depthwise,
    }: Size,
    classes: usize,
    weight: impl Fn(&str, usize) -> f32,
) -> Tensors {
    let mut all = Tensors::new();
    let mut convolution = |name: String, outputs: usize, inputs: usize, window: usize| {
        let count = outputs * inputs * window * window;
        let numbers = (0..count).map(|n| weight(&name, n)).collect();
        all.insert(
            format!("{name}.weight"),
            (vec![outputs, inputs, window, window], numbers),
        );
        all.insert(format!("{name}.bias"), (vec![outputs], vec![0.01; outputs]));
    };
    let mut windows: Vec<(String, usize, usize)> = Vec::new();
    let mut window = |name: &str, inputs, outputs| windows.push((name.to_owned(), inputs, outputs));
    for (stage, times) in [("dark2", 1), ("dark3", 2), ("dark4", 4), ("dark5", 8)] {
        window(
            &format!("backbone.backbone.{stage}.0"),
            times * base,
            2 * times * base,
        );
    }
    window("backbone.bu_conv2", 4 * base, 4 * base);
    window("backbone.bu_conv1", 8 * base, 8 * base);
    for level in 0..3 {
        for way in ["cls_convs", "reg_convs"] {
            (0..2).for_each(|number| window(&format!("head.{way}.{level}.{number}"), 4 * base, 4 * base));
        }
    }
    let cross_stages = [
        ("backbone.backbone.dark2.1", 2 * base, 2 * base, depth),
        ("backbone.backbone.dark3.1", 4 * base, 4 * base, 3 * depth),
        ("backbone.backbone.dark4.1", 8 * base, 8 * base, 3 * depth),
        ("backbone.backbone.dark5.2", 16 * base, 16 * base, depth),
        ("backbone.C3_p4", 16 * base, 8 * base, depth),
        ("backbone.C3_p3", 8 * base, 4 * base, depth),
        ("backbone.C3_n3", 8 * base, 8 * base, depth),
        ("backbone.C3_n4", 16 * base, 16 * base, depth),
    ];
    for (name, _, outputs, bottlenecks) in cross_stages {
        (0..bottlenecks)
            .for_each(|number| window(&format!("{name}.m.{number}.conv2"), outputs / 2, outputs / 2));
    }
    for (name, inputs, outputs) in windows {
        if depthwise {
            convolution(format!("{name}.dconv.conv"), inputs, 1, 3);
            convolution(format!("{name}.pconv.conv"), outputs, inputs, 1);
        } else {
            convolution(format!("{name}.conv"), outputs, inputs, 3);
        }
    }
    for (name, inputs, outputs, bottlenecks) in cross_stages {
        convolution(format!("{name}.conv1.conv"), outputs / 2, inputs, 1);
        convolution(format!("{name}.conv2.conv"), outputs / 2, inputs, 1);
        convolution(format!("{name}.conv3.conv"), outputs, outputs, 1);
        for number in 0..bottlenecks {
            convolution(
                format!("{name}.m.{number}.conv1.conv"),
                outputs / 2,
                outputs / 2,
                1,
            );
        }
    }
    convolution("backbone.backbone.stem.conv.conv".into(), base, 12, 3);
    convolution(
        "backbone.backbone.dark5.1.conv1.conv".into(),
        8 * base,
        16 * base,
        1,
    );
    convolution(
        "backbone.backbone.dark5.1.conv2.conv".into(),
        16 * base,
        32 * base,
        1,
    );
    convolution("backbone.lateral_conv0.conv".into(), 8 * base, 16 * base, 1);
    convolution("backbone.reduce_conv1.conv".into(), 4 * base, 8 * base, 1);
    for (level, times) in [4, 8, 16].into_iter().enumerate() {
        convolution(format!("head.stems.{level}.conv"), 4 * base, times * base, 1);
        convolution(format!("head.cls_preds.{level}"), classes, 4 * base, 1);
        convolution(format!("head.reg_preds.{level}"), 4, 4 * base, 1);
        convolution(format!("head.obj_preds.{level}"), 1, 4 * base, 1);
    }
    all
}

pub(crate) const METADATA: [(&str, &str); 5] = [
    ("arch", "yolox"),
    ("depthwise", "true"),
    ("base_channels", "16"),
    ("num_classes", "3"),
    ("classes", "person,car,truck"),
];

/// Writes them as `weights.safetensors`.
pub(crate) fn save(folder: &TempDir, tensors: &Tensors, metadata: &[(&str, &str)]) -> PathBuf {
    let bytes: Vec<Vec<u8>> = tensors
        .values()
        .map(|(_, numbers)| numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, (shape, _)), bytes)| {
        (
            name.clone(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let metadata = metadata
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
    path
}
