//! What loading says of files that do not serve, and what it takes from those that do. The weights are made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/weights.rs"]
mod weights;

use std::path::Path;

use mineseal_detector::{
    Detector, DetectorError, DetectorSettings, Device, InputSize, PictureRef, YoloxDetector,
};
use mineseal_domain::ObjectClass;
use tempfile::TempDir;
use weights::{METADATA, save, tensors};

/// The standard metadata with one value changed; an empty one is left out.
fn changed<'a>(key: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<(&str, &str)> = METADATA.into_iter().filter(|&(known, _)| known != key).collect();
    if !value.is_empty() {
        all.push((key, value));
    }
    all
}

fn load(path: &Path) -> Result<YoloxDetector, DetectorError> {
    YoloxDetector::load(path, DetectorSettings::default())
}

fn refused(path: &Path) -> String {
    match load(path) {
        Ok(_) => panic!("the weights were taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn good_weights_load_and_run() {
    let folder = TempDir::new().unwrap();
    let mut detector = load(&save(&folder, &tensors(3), &METADATA)).unwrap();
    let card = detector.model().clone();
    assert_eq!(
        card.classes,
        [ObjectClass::Person, ObjectClass::Car, ObjectClass::Truck]
    );
    assert_eq!(card.input, InputSize::DEFAULT);
    assert_eq!(card.id, format!("yolox-{}", &card.sha256[..12]));
    let picture = vec![90; 100 * 50 * 3];
    let found = detector
        .detect(&[PictureRef::Rgb {
            data: &picture,
            width: 100,
            height: 50,
        }])
        .unwrap();
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .iter()
            .all(|one| one.bounding_box.is_sound() && one.score >= 0.1)
    );
}

#[test]
fn the_input_size_is_the_settings_then_the_weights() {
    let folder = TempDir::new().unwrap();
    let mut metadata = METADATA.to_vec();
    metadata.extend([("input_width", "320"), ("input_height", "192")]);
    let path = save(&folder, &tensors(3), &metadata);
    assert_eq!(
        load(&path).unwrap().model().input,
        InputSize {
            width: 320,
            height: 192
        }
    );
    let input = Some(InputSize {
        width: 64,
        height: 32,
    });
    let settings = DetectorSettings {
        input,
        ..DetectorSettings::default()
    };
    assert_eq!(
        Some(YoloxDetector::load(&path, settings).unwrap().model().input),
        input
    );
    for (width, height) in [(320, 200), (0, 32), (8192, 32)] {
        let settings = DetectorSettings {
            input: Some(InputSize { width, height }),
            ..DetectorSettings::default()
        };
        let error = YoloxDetector::load(&path, settings).err().unwrap().to_string();
        assert!(error.contains("multiples of 32"), "{error}");
    }
    let half = save(
        &folder,
        &tensors(3),
        &[&METADATA[..], &[("input_width", "320")]].concat(),
    );
    assert!(refused(&half).contains("input_height"));
}

#[test]
fn a_missing_file_is_named() {
    let found = refused(Path::new("/nowhere/weights.safetensors"));
    assert!(
        found.starts_with("cannot read /nowhere/weights.safetensors"),
        "{found}"
    );
}

#[test]
fn another_kind_of_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("weights.safetensors");
    let whole = std::fs::read(save(&folder, &tensors(3), &METADATA)).unwrap();
    for bytes in [&b"PK\x03\x04"[..], &[], &[0xff; 64], &whole[..whole.len() / 2]] {
        std::fs::write(&path, bytes).unwrap();
        let found = refused(&path);
        assert!(
            found.contains("weights.safetensors is not a safetensors file"),
            "{found}"
        );
    }
}

#[test]
fn a_missing_tensor_is_named_with_its_shape() {
    let folder = TempDir::new().unwrap();
    let mut tensors = tensors(3);
    tensors.remove("backbone.backbone.dark3.1.m.0.conv2.dconv.conv.weight");
    let found = refused(&save(&folder, &tensors, &METADATA));
    assert!(
        found.ends_with("has no tensor backbone.backbone.dark3.1.m.0.conv2.dconv.conv.weight; expected one of shape [32, 1, 3, 3]"),
        "{found}"
    );
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let folder = TempDir::new().unwrap();
    // Five classes in the head, three in the metadata.
    let found = refused(&save(&folder, &tensors(5), &METADATA));
    assert!(
        found.ends_with("tensor head.cls_preds.0.weight has shape [5, 64, 1, 1], expected [3, 64, 1, 1]"),
        "{found}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let folder = TempDir::new().unwrap();
    let mut tensors = tensors(3);
    tensors.get_mut("head.stems.1.conv.bias").unwrap().1[5] = f32::NAN;
    let found = refused(&save(&folder, &tensors, &METADATA));
    assert!(
        found.ends_with("tensor head.stems.1.conv.bias holds a number that is not finite"),
        "{found}"
    );
}

#[test]
fn metadata_that_does_not_serve_is_named() {
    let folder = TempDir::new().unwrap();
    let tensors = tensors(3);
    for (key, value, reason) in [
        ("arch", "", "metadata arch is \"\", expected yolox"),
        ("arch", "nanodet", "metadata arch is \"nanodet\", expected yolox"),
        (
            "depthwise",
            "sometimes",
            "metadata depthwise is \"sometimes\", expected true",
        ),
        (
            "depthwise",
            "false",
            "has no tensor backbone.backbone.dark2.0.conv.weight; expected one of shape [32, 16, 3, 3]",
        ),
        (
            "base_channels",
            "20",
            "metadata base_channels is \"20\", expected a multiple of 8",
        ),
        (
            "base_channels",
            "24",
            "tensor backbone.backbone.stem.conv.conv.weight has shape [16, 12, 3, 3], expected [24, 12, 3, 3]",
        ),
        ("base_channels", "16.0", "expected a whole number"),
        ("num_classes", "", "metadata num_classes is \"\""),
        ("classes", "person,car", "expected 3 names, as num_classes says"),
        ("classes", "", "expected 3 names with commas between"),
        ("classes", "car,person,car", "expected each name once"),
        (
            "classes",
            "cat,dog,cow",
            "expected at least one of person, bicycle",
        ),
    ] {
        let found = refused(&save(&folder, &tensors, &changed(key, value)));
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn classes_that_the_weights_lack_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = save(&folder, &tensors(3), &METADATA);
    let settings = DetectorSettings {
        classes: Some(vec![ObjectClass::Train]),
        ..DetectorSettings::default()
    };
    let found = YoloxDetector::load(&path, settings).err().unwrap().to_string();
    assert!(
        found.contains("knows the classes [\"person\", \"car\", \"truck\"], none of the wanted [\"train\"]"),
        "{found}"
    );
    for score_threshold in [0.0, 1.0, -1.0, f32::NAN] {
        let settings = DetectorSettings {
            score_threshold,
            ..DetectorSettings::default()
        };
        assert!(YoloxDetector::load(&path, settings).is_err());
    }
}

#[test]
fn without_a_device_that_can_be_used_the_reason_is_told() {
    let folder = TempDir::new().unwrap();
    let path = save(&folder, &tensors(3), &METADATA);
    // Whether this build has CUDA or not, and this machine a device or not, it has no hundred of them.
    let settings = DetectorSettings {
        device: Device::Cuda(99),
        ..DetectorSettings::default()
    };
    match YoloxDetector::load(&path, settings).err() {
        Some(DetectorError::Device { device, reason }) => {
            assert_eq!(device, Device::Cuda(99));
            assert!(!reason.is_empty());
        }
        other => panic!("{other:?}"),
    }
}
