use tempfile::TempDir;

use super::*;

/// Name to shape and numbers.
type State = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

const SMALLEST: Size = Size {
    base: 16,
    depth: 1,
    depthwise: true,
    classes: 3,
};

/// Small repeatable numbers, not the same in any two places.
fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count)
        .map(|n| ((n * 7_919 + seed * 104_729) % 2_003) as f32 / 20_030.0 - 0.05)
        .collect()
}

fn net(size: Size) -> Vec<Found> {
    let convolutions = size.convolutions().into_iter().enumerate();
    convolutions
        .map(|(seed, one)| Found {
            shape: one.shape(),
            stride: one.stride,
            groups: one.groups,
            weight: numbers(seed, one.shape().iter().product()),
            bias: numbers(seed + 1_000, one.outputs),
        })
        .collect()
}

fn labels() -> Labels {
    Labels {
        classes: Some(vec!["person".into(), "car".into(), "truck".into()]),
        input: Some(InputSize {
            width: 64,
            height: 32,
        }),
    }
}

fn saved(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn message<T>(result: Result<T, DetectorError>) -> String {
    match result {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_onnx_export_becomes_weights_that_the_detector_takes() {
    let folder = TempDir::new().unwrap();
    for (size, name) in [
        (SMALLEST, "nano"),
        (
            Size {
                base: 24,
                depthwise: false,
                ..SMALLEST
            },
            "tiny",
        ),
        (
            Size {
                base: 48,
                depth: 2,
                depthwise: false,
                classes: 3,
            },
            "m",
        ),
    ] {
        let from = saved(&folder, "net.onnx", &onnx::tests::model(&net(size)));
        let inspected = inspect_weights(&from).unwrap();
        assert_eq!((inspected.format, inspected.size), ("onnx", Some(name)));
        assert!(inspected.card.is_err());
        let to = folder.path().join("net.safetensors");
        let written = convert_weights(&from, &to, &labels()).unwrap();
        let card = written.card.unwrap();
        assert_eq!(
            card.input,
            InputSize {
                width: 64,
                height: 32
            }
        );
        assert_eq!(card.classes.len(), 3);
        assert_eq!(
            (written.size, written.depthwise, written.classes, written.folded),
            (Some(name), size.depthwise, 3, true)
        );
        assert_eq!(written.metadata["source_sha256"], inspected.sha256);
        assert_eq!(written.parameters, inspected.parameters);
        // Every number came to its place.
        let again = Source::read(&to).unwrap();
        for ((convolution, found), expected) in again.net.iter().zip(net(size)) {
            assert_eq!(found.weight, expected.weight, "{}", convolution.name);
            assert_eq!(found.bias, expected.bias, "{}", convolution.name);
        }
        // Ours into ours changes nothing, and the hash of the first source stays.
        let other = folder.path().join("again.safetensors");
        let twice = convert_weights(&to, &other, &Labels::default()).unwrap();
        assert_eq!(twice.metadata, written.metadata);
    }
}

/// The smallest net as PyTorch has it in training.
fn trained() -> State {
    let mut all = BTreeMap::new();
    for (convolution, found) in SMALLEST.convolutions().into_iter().zip(net(SMALLEST)) {
        let name = convolution.name;
        let outputs = convolution.outputs;
        all.insert(format!("{name}.weight"), (found.shape.to_vec(), found.weight));
        if !convolution.normalised {
            all.insert(format!("{name}.bias"), (vec![outputs], found.bias));
            continue;
        }
        let outer = name.strip_suffix("conv").unwrap();
        for (part, numbers) in [
            ("weight", vec![2.0; outputs]),
            ("bias", found.bias),
            ("running_mean", vec![0.5; outputs]),
            ("running_var", vec![0.25 - EPSILON; outputs]),
        ] {
            all.insert(format!("{outer}bn.{part}"), (vec![outputs], numbers));
        }
    }
    all
}

fn safetensors(tensors: &State) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .values()
        .map(|(_, numbers)| numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, (shape, _)), bytes)| {
        (
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    ::safetensors::serialize(views, None).unwrap()
}

#[test]
fn batch_normalisation_of_a_pytorch_state_is_folded() {
    let folder = TempDir::new().unwrap();
    let from = saved(&folder, "state.safetensors", &safetensors(&trained()));
    let inspected = inspect_weights(&from).unwrap();
    assert_eq!((inspected.size, inspected.folded), (Some("nano"), false));
    assert!(inspected.card.is_err(), "the detector does not normalise");
    let to = folder.path().join("net.safetensors");
    let written = convert_weights(&from, &to, &labels()).unwrap();
    assert!(written.folded && written.card.is_ok());
    // Two for the scale, a half for the root of the variance: four times the weights, and the mean with them.
    for ((convolution, found), before) in Source::read(&to).unwrap().net.iter().zip(net(SMALLEST)) {
        let (factor, shift) = if convolution.normalised {
            (4.0, -2.0)
        } else {
            (1.0, 0.0)
        };
        let near = |found: &[f32], expected: &[f32], shift: f32, factor: f32| {
            found
                .iter()
                .zip(expected)
                .all(|(found, before)| (found - (before * factor + shift)).abs() < 1e-5)
        };
        assert!(
            near(&found.weight, &before.weight, 0.0, factor),
            "{}",
            convolution.name
        );
        assert!(
            near(&found.bias, &before.bias, shift, 1.0),
            "{}",
            convolution.name
        );
    }
}

#[test]
fn a_wrong_file_says_what_is_wrong_with_it_and_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("out.safetensors");
    let said = |name: &str, bytes: &[u8]| {
        let from = saved(&folder, name, bytes);
        let said = message(convert_weights(&from, &to, &labels()));
        assert!(said.contains(name), "{said}");
        assert!(!to.exists());
        said
    };
    let model = |change: &dyn Fn(&mut Vec<Found>)| {
        let mut net = net(SMALLEST);
        change(&mut net);
        onnx::tests::model(&net)
    };
    let text = said("more.onnx", &model(&|net| net.push(net[0].clone())));
    assert!(
        text.contains("is not a YOLOX net") && text.contains("convolutions"),
        "{text}"
    );
    let text = said("stride.onnx", &model(&|net| net[1].stride = 1));
    assert!(
        text.contains(
            "convolution 1, which should be backbone.backbone.dark2.0.dconv.conv, has stride 1, expected 2"
        ),
        "{text}"
    );
    let text = said(
        "shape.onnx",
        &model(&|net| {
            net[2].shape = [16, 32, 1, 1];
        }),
    );
    assert!(text.contains("outputs 16, expected 32"), "{text}");
    assert!(said("text.onnx", b"hello").contains("not a usable ONNX file"));

    let state = |change: &dyn Fn(&mut State)| {
        let mut all = trained();
        change(&mut all);
        safetensors(&all)
    };
    let mean = "backbone.bu_conv2.pconv.bn.running_mean";
    let text = said("missing.safetensors", &state(&|all| drop(all.remove(mean))));
    assert!(
        text.contains(&format!("has no tensor {mean}; expected one of shape [64]")),
        "{text}"
    );
    let text = said(
        "small.safetensors",
        &state(&|all| {
            all.insert(mean.to_owned(), (vec![2], vec![0.0; 2]));
        }),
    );
    assert!(text.contains("has shape [2], expected [64]"), "{text}");
    let text = said(
        "infinite.safetensors",
        &state(&|all| {
            if let Some((_, numbers)) = all.get_mut("head.obj_preds.1.bias") {
                numbers[0] = f32::INFINITY;
            }
        }),
    );
    assert!(
        text.contains("head.obj_preds.1.bias holds a number that is not finite"),
        "{text}"
    );
}

#[test]
fn the_open_weights_are_converted_as_they_were() {
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models"));
    let (onnx, ours) = (
        models.join("yolox_nano.onnx"),
        models.join("yolox_nano.safetensors"),
    );
    if !onnx.is_file() || !ours.is_file() {
        println!("skipped: the conversion of open weights needs ../shared/models, which is absent");
        return;
    }
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("net.safetensors");
    let written = convert_weights(&onnx, &to, &Labels::default()).unwrap();
    assert_eq!((written.size, written.classes), (Some("nano"), 80));
    let (found, expected) = (Source::read(&to).unwrap(), Source::read(&ours).unwrap());
    for ((convolution, found), (_, expected)) in found.net.iter().zip(&expected.net) {
        assert!(
            found.weight == expected.weight && found.bias == expected.bias,
            "{}",
            convolution.name
        );
    }
}
