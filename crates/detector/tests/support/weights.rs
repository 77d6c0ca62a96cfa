//! Weights that are made for a test: the smallest net, with small repeatable numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Names and shapes of the smallest net, with small repeatable numbers.
pub(crate) fn tensors(classes: usize) -> Tensors {
    let mut all = Tensors::new();
    let mut convolution = |name: String, outputs: usize, inputs: usize, window: usize| {
        let count = outputs * inputs * window * window;
        let weight = (0..count)
            .map(|n| ((n * 7919 + name.len()) % 201) as f32 / 1000.0 - 0.1)
            .collect();
        all.insert(
            format!("{name}.weight"),
            (vec![outputs, inputs, window, window], weight),
        );
        all.insert(format!("{name}.bias"), (vec![outputs], vec![0.01; outputs]));
    };
    let mut separable = |name: &str, inputs, outputs| {
        convolution(format!("{name}.dconv.conv"), inputs, 1, 3);
        convolution(format!("{name}.pconv.conv"), outputs, inputs, 1);
    };
    for (stage, inputs) in [("dark2", 16), ("dark3", 32), ("dark4", 64), ("dark5", 128)] {
        separable(&format!("backbone.backbone.{stage}.0"), inputs, 2 * inputs);
    }
    separable("backbone.bu_conv2", 64, 64);
    separable("backbone.bu_conv1", 128, 128);
    for level in 0..3 {
        for way in ["cls_convs", "reg_convs"] {
            (0..2).for_each(|number| separable(&format!("head.{way}.{level}.{number}"), 64, 64));
        }
    }
    let cross_stages = [
        ("backbone.backbone.dark2.1", 32, 32, 1),
        ("backbone.backbone.dark3.1", 64, 64, 3),
        ("backbone.backbone.dark4.1", 128, 128, 3),
        ("backbone.backbone.dark5.2", 256, 256, 1),
        ("backbone.C3_p4", 256, 128, 1),
        ("backbone.C3_p3", 128, 64, 1),
        ("backbone.C3_n3", 128, 128, 1),
        ("backbone.C3_n4", 256, 256, 1),
    ];
    for (name, _, outputs, bottlenecks) in cross_stages {
        (0..bottlenecks)
            .for_each(|number| separable(&format!("{name}.m.{number}.conv2"), outputs / 2, outputs / 2));
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
    convolution("backbone.backbone.stem.conv.conv".into(), 16, 12, 3);
    convolution("backbone.backbone.dark5.1.conv1.conv".into(), 128, 256, 1);
    convolution("backbone.backbone.dark5.1.conv2.conv".into(), 256, 512, 1);
    convolution("backbone.lateral_conv0.conv".into(), 128, 256, 1);
    convolution("backbone.reduce_conv1.conv".into(), 64, 128, 1);
    for (level, inputs) in [64, 128, 256].into_iter().enumerate() {
        convolution(format!("head.stems.{level}.conv"), 64, inputs, 1);
        convolution(format!("head.cls_preds.{level}"), classes, 64, 1);
        convolution(format!("head.reg_preds.{level}"), 4, 64, 1);
        convolution(format!("head.obj_preds.{level}"), 1, 64, 1);
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
