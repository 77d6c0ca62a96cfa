//! Files of weights: what is in one, and from other forms into ours.

mod onnx;
mod plan;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::weights::sha256;
use crate::{DetectorError, DetectorSettings, InputSize, ModelCard, YoloxDetector};
use onnx::Found;
use plan::{Convolution, DEPTHS, Size};

/// What batch normalisations of YOLOX add to the variance.
const EPSILON: f32 = 1e-3;

/// Parts of a batch normalisation.
const NORMALISATION: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// What a file of weights holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsFacts {
    /// The file.
    pub path: PathBuf,
    /// `safetensors` or `onnx`.
    pub format: &'static str,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// Name of the published size: `nano`, `tiny`, `s`, `m`, `l`, `x`.
    pub size: Option<&'static str>,
    /// Channels of the first layer.
    pub base_channels: usize,
    /// Bottlenecks of the smallest stage.
    pub depth: usize,
    /// 3x3 convolutions are separable.
    pub depthwise: bool,
    /// Classes that the net tells apart.
    pub classes: usize,
    /// Batch normalisation is part of the convolutions.
    pub folded: bool,
    /// Tensors.
    pub tensors: usize,
    /// Numbers in them.
    pub parameters: usize,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// As the detector uses it; the reason why not, if it cannot.
    pub card: Result<ModelCard, String>,
}

/// What a source does not say itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Names of the classes, in their order.
    pub classes: Option<Vec<String>>,
    /// The size that the weights were made for.
    pub input: Option<InputSize>,
}

/// The net of a file, in whatever form.
struct Source {
    format: &'static str,
    sha256: String,
    size: Size,
    folded: bool,
    tensors: usize,
    parameters: usize,
    metadata: BTreeMap<String, String>,
    net: Vec<(Convolution, Folded)>,
}

/// Weight and bias, batch normalisation folded in.
struct Folded {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Says what is in a file of weights: ours, a PyTorch state that was saved as safetensors, or an ONNX export.
///
/// # Errors
/// It cannot be read or holds no YOLOX; the error names the tensor that does not fit, its shape and the expected one.
pub fn inspect_weights(path: &Path) -> Result<WeightsFacts, DetectorError> {
    let source = Source::read(path)?;
    let card = match source.format {
        "safetensors" => YoloxDetector::load(path, DetectorSettings::default())
            .map(|detector| crate::Detector::model(&detector).clone())
            .map_err(|error| error.to_string()),
        _ => Err("the detector reads safetensors; convert it".to_owned()),
    };
    Ok(WeightsFacts {
        path: path.to_owned(),
        format: source.format,
        sha256: source.sha256,
        size: source.size.name(),
        base_channels: source.size.base,
        depth: source.size.depth,
        depthwise: source.size.depthwise,
        classes: source.size.classes,
        folded: source.folded,
        tensors: source.tensors,
        parameters: source.parameters,
        metadata: source.metadata,
        card,
    })
}

/// Writes the net of a file as the detector reads it: safetensors, f32, batch normalisation folded, with metadata that
/// says what it is and the SHA-256 of the source. Returns what was written.
///
/// # Errors
/// As [`inspect_weights`]; the file cannot be written; or the detector would not take what was written (nothing is
/// left of it then).
pub fn convert_weights(from: &Path, to: &Path, labels: &Labels) -> Result<WeightsFacts, DetectorError> {
    let source = Source::read(from)?;
    let bytes = source.write(from, labels)?;
    // Whatever the detector would say of the new file it says of the source, before there is a new one.
    YoloxDetector::parse(from, &bytes, DetectorSettings::default())?;
    std::fs::write(to, bytes).map_err(|source| DetectorError::Write {
        path: to.to_owned(),
        source,
    })?;
    inspect_weights(to)
}

impl Source {
    fn read(path: &Path) -> Result<Self, DetectorError> {
        let bytes = std::fs::read(path).map_err(|source| DetectorError::Read {
            path: path.to_owned(),
            source,
        })?;
        // The length of a safetensors header stands in eight bytes before its brace.
        if bytes.get(8) == Some(&b'{') {
            Self::of_safetensors(path, &bytes)
        } else {
            Self::of_onnx(path, &bytes)
        }
    }

    fn of_onnx(path: &Path, bytes: &[u8]) -> Result<Self, DetectorError> {
        let found = onnx::convolutions(bytes).map_err(|reason| DetectorError::Onnx {
            path: path.to_owned(),
            reason,
        })?;
        let not_yolox = |reason: String| DetectorError::NotYolox {
            path: path.to_owned(),
            reason,
        };
        let (Some(stem), Some(second)) = (found.first(), found.get(1)) else {
            return Err(not_yolox(format!("it has {} convolutions", found.len())));
        };
        let (base, depthwise) = (stem.shape[0], second.groups > 1);
        let sizes = DEPTHS.map(|depth| Size {
            base,
            depth,
            depthwise,
            classes: 1,
        });
        let counts = sizes.map(|size| size.convolutions().len());
        let fitting = sizes.iter().zip(counts).find(|(_, count)| *count == found.len());
        let Some((mut size, _)) = fitting.map(|(size, count)| (*size, count)) else {
            return Err(not_yolox(format!(
                "it has {} convolutions; YOLOX has {counts:?}, from Nano, Tiny and S to X",
                found.len()
            )));
        };
        let plan = size.convolutions();
        let classes = plan.iter().position(|one| one.name == "head.cls_preds.0");
        size.classes = classes
            .and_then(|place| found.get(place))
            .map_or(1, |one| one.shape[0]);
        let mut net = Vec::with_capacity(found.len());
        for (number, (expected, found)) in size.convolutions().into_iter().zip(found).enumerate() {
            check(path, number, &expected, &found)?;
            let Found { weight, bias, .. } = found;
            net.push((expected, Folded { weight, bias }));
        }
        Ok(Self {
            format: "onnx",
            sha256: sha256(bytes),
            size,
            folded: true,
            tensors: 2 * net.len(),
            parameters: net.iter().map(|(_, one)| one.weight.len() + one.bias.len()).sum(),
            metadata: BTreeMap::new(),
            net,
        })
    }

    fn of_safetensors(path: &Path, bytes: &[u8]) -> Result<Self, DetectorError> {
        let refuse = |error: safetensors::SafeTensorError| DetectorError::NotSafetensors {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
        let shape = |name: &str| file.tensor(name).ok().map(|tensor| tensor.shape().to_vec());
        let missing = |tensor: &str, expected: &[usize]| DetectorError::TensorMissing {
            path: path.to_owned(),
            tensor: tensor.to_owned(),
            expected: expected.to_vec(),
        };
        let stem = "backbone.backbone.stem.conv.conv.weight";
        let base = match shape(stem).as_deref() {
            Some(&[outputs, ..]) => outputs,
            _ => return Err(missing(stem, &[16, 12, 3, 3])),
        };
        let bottleneck = |number: usize| format!("backbone.backbone.dark2.1.m.{number}.conv1.conv.weight");
        let last = "head.cls_preds.0.weight";
        let size = Size {
            base,
            depth: (0..)
                .take_while(|number| shape(&bottleneck(*number)).is_some())
                .count()
                .max(1),
            depthwise: shape("backbone.backbone.dark2.0.dconv.conv.weight").is_some(),
            classes: match shape(last).as_deref() {
                Some(&[classes, ..]) => classes,
                _ => return Err(missing(last, &[80, 4 * base, 1, 1])),
            },
        };
        let tensors = Tensors { path, file: &file };
        let mut folded = true;
        let mut net = Vec::new();
        for convolution in size.convolutions() {
            let normalised = convolution.normalised && shape(&format!("{}.bias", convolution.name)).is_none();
            folded &= !normalised;
            let numbers = if normalised {
                tensors.normalised(&convolution)?
            } else {
                Folded {
                    weight: tensors.numbers(&format!("{}.weight", convolution.name), &convolution.shape())?,
                    bias: tensors.numbers(&format!("{}.bias", convolution.name), &[convolution.outputs])?,
                }
            };
            net.push((convolution, numbers));
        }
        Ok(Self {
            format: "safetensors",
            sha256: sha256(bytes),
            size,
            folded,
            tensors: file.len(),
            parameters: file
                .tensors()
                .iter()
                .map(|(_, one)| one.shape().iter().product::<usize>())
                .sum(),
            metadata: header
                .metadata()
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            net,
        })
    }

    fn write(&self, from: &Path, labels: &Labels) -> Result<Vec<u8>, DetectorError> {
        let mut metadata: BTreeMap<String, String> = self.metadata.clone();
        // A file that was converted before keeps the hash of where it came from.
        metadata
            .entry("source_sha256".to_owned())
            .or_insert_with(|| self.sha256.clone());
        let mut set = |key: &str, value: String| metadata.insert(key.to_owned(), value);
        set("arch", "yolox".to_owned());
        set("bn", "folded".to_owned());
        set("depthwise", self.size.depthwise.to_string());
        set("base_channels", self.size.base.to_string());
        set("num_classes", self.size.classes.to_string());
        if let Some(classes) = &labels.classes {
            set("classes", classes.join(","));
        }
        if let Some(InputSize { width, height }) = labels.input {
            set("input_width", width.to_string());
            set("input_height", height.to_string());
        }
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let bytes = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        for (convolution, Folded { weight, bias }) in &self.net {
            let name = &convolution.name;
            tensors.push((
                format!("{name}.weight"),
                convolution.shape().to_vec(),
                bytes(weight),
            ));
            tensors.push((format!("{name}.bias"), vec![convolution.outputs], bytes(bias)));
        }
        let refuse = |error: safetensors::SafeTensorError| DetectorError::NotYolox {
            path: from.to_owned(),
            reason: error.to_string(),
        };
        let views: Result<Vec<(&str, TensorView<'_>)>, _> = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
            })
            .collect();
        let metadata: HashMap<String, String> = metadata.into_iter().collect();
        safetensors::serialize(views.map_err(refuse)?, Some(metadata)).map_err(refuse)
    }
}

fn check(path: &Path, number: usize, expected: &Convolution, found: &Found) -> Result<(), DetectorError> {
    let shape = expected.shape();
    for (what, found, expected_number) in [
        ("outputs", found.shape[0], shape[0]),
        ("inputs for each group", found.shape[1], shape[1]),
        ("a height of the window of", found.shape[2], shape[2]),
        ("a width of the window of", found.shape[3], shape[3]),
        ("stride", found.stride, expected.stride),
        ("groups", found.groups, expected.groups),
        ("biases", found.bias.len(), shape[0]),
    ] {
        if found != expected_number {
            return Err(DetectorError::Convolution {
                path: path.to_owned(),
                number,
                name: expected.name.clone(),
                what,
                found,
                expected: expected_number,
            });
        }
    }
    Ok(())
}

struct Tensors<'a> {
    path: &'a Path,
    file: &'a SafeTensors<'a>,
}

impl Tensors<'_> {
    /// Of 32 or 16 bits.
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, DetectorError> {
        let path = || self.path.to_owned();
        let tensor = self.file.tensor(name).map_err(|_| DetectorError::TensorMissing {
            path: path(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
        })?;
        if tensor.shape() != shape {
            return Err(DetectorError::TensorShape {
                path: path(),
                tensor: name.to_owned(),
                found: tensor.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        let (whole, _) = tensor.data().as_chunks::<4>();
        let (half, _) = tensor.data().as_chunks::<2>();
        match tensor.dtype() {
            Dtype::F32 => Ok(whole.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
            Dtype::BF16 => {
                let widen = |&bytes: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16);
                Ok(half.iter().map(widen).collect())
            }
            _ => Err(DetectorError::TensorNumbers {
                path: path(),
                tensor: name.to_owned(),
                reason: "is of a type that is not read: F32 and BF16 are",
            }),
        }
    }

    /// A convolution without bias and the batch normalisation after it, as one.
    fn normalised(&self, convolution: &Convolution) -> Result<Folded, DetectorError> {
        let name = &convolution.name;
        let outer = name.strip_suffix("conv").unwrap_or(name);
        let [scale, shift, mean, variance] =
            NORMALISATION.map(|part| self.numbers(&format!("{outer}bn.{part}"), &[convolution.outputs]));
        let (scale, shift, mean, variance) = (scale?, shift?, mean?, variance?);
        let mut weight = self.numbers(&format!("{name}.weight"), &convolution.shape())?;
        let taps = (weight.len() / convolution.outputs.max(1)).max(1);
        let mut bias = Vec::with_capacity(convolution.outputs);
        for (output, row) in weight.chunks_exact_mut(taps).enumerate() {
            let factor = scale[output] / (variance[output] + EPSILON).sqrt();
            row.iter_mut().for_each(|number| *number *= factor);
            bias.push(shift[output] - mean[output] * factor);
        }
        Ok(Folded { weight, bias })
    }
}

#[cfg(test)]
mod tests;
