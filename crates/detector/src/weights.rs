use std::collections::HashMap;
use std::path::Path;

use mineseal_domain::ObjectClass;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::{DetectorError, InputSize};

const CLASSES: [ObjectClass; 7] = [
    ObjectClass::Person,
    ObjectClass::Bicycle,
    ObjectClass::Car,
    ObjectClass::Motorcycle,
    ObjectClass::Bus,
    ObjectClass::Train,
    ObjectClass::Truck,
];
/// Places of [`CLASSES`] among the 80 of COCO.
const COCO: [usize; 7] = [0, 1, 2, 3, 5, 6, 7];

/// An opened file of weights.
pub(crate) struct Weights<'a> {
    path: &'a Path,
    metadata: HashMap<String, String>,
    tensors: SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    pub(crate) fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self, DetectorError> {
        let refuse = |error: safetensors::SafeTensorError| DetectorError::NotSafetensors {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(refuse)?;
        Ok(Self {
            path,
            metadata: header.metadata().clone().unwrap_or_default(),
            tensors,
        })
    }

    fn refused(&self, key: &'static str, expected: impl Into<String>) -> DetectorError {
        let found = self.metadata.get(key).cloned().unwrap_or_default();
        DetectorError::Metadata {
            path: self.path.to_owned(),
            key,
            found,
            expected: expected.into(),
        }
    }

    fn number(&self, key: &'static str) -> Result<Option<usize>, DetectorError> {
        let Some(text) = self.metadata.get(key) else {
            return Ok(None);
        };
        text.trim()
            .parse()
            .map(Some)
            .map_err(|_| self.refused(key, "a whole number"))
    }

    /// The architecture, which must be one that this crate builds.
    pub(crate) fn architecture(&self) -> Result<String, DetectorError> {
        match self.metadata.get("arch").map(String::as_str) {
            Some("yolox") => Ok("yolox".to_owned()),
            _ => Err(self.refused("arch", "yolox")),
        }
    }

    /// Whether 3x3 convolutions are separable, as in YOLOX-Nano, or go over all channels, as in the larger ones.
    pub(crate) fn depthwise(&self) -> Result<bool, DetectorError> {
        match self.metadata.get("depthwise").map(String::as_str) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(self.refused("depthwise", "true (YOLOX-Nano) or false (Tiny, S, M, L, X)")),
        }
    }

    /// Channels of the first layer.
    pub(crate) fn base_channels(&self) -> Result<usize, DetectorError> {
        match self.number("base_channels")? {
            Some(channels) if channels > 0 && channels % 8 == 0 && channels <= 256 => Ok(channels),
            _ => Err(self.refused("base_channels", "a multiple of 8, at most 256")),
        }
    }

    /// The size that the weights were made for, where they say.
    pub(crate) fn input(&self) -> Result<Option<InputSize>, DetectorError> {
        match (self.number("input_width")?, self.number("input_height")?) {
            (Some(width), Some(height)) => Ok(Some(InputSize { width, height })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.refused("input_height", "a number, as input_width is given")),
            (None, Some(_)) => Err(self.refused("input_width", "a number, as input_height is given")),
        }
    }

    /// How many classes the net tells apart, and at which places those that have a name here stand.
    pub(crate) fn classes(&self) -> Result<(usize, Vec<(usize, ObjectClass)>), DetectorError> {
        let Some(count @ 1..) = self.number("num_classes")? else {
            return Err(self.refused("num_classes", "a whole number from 1"));
        };
        let named: Vec<(usize, ObjectClass)> = match (self.metadata.get("classes"), count) {
            (Some(names), _) => {
                let names: Vec<&str> = names.split(',').map(str::trim).collect();
                if names.len() != count {
                    return Err(self.refused("classes", format!("{count} names, as num_classes says")));
                }
                let known = |name: &str| CLASSES.into_iter().find(|class| class.name() == name);
                names
                    .iter()
                    .enumerate()
                    .filter_map(|(place, name)| Some((place, known(name)?)))
                    .collect()
            }
            (None, 80) => COCO.into_iter().zip(CLASSES).collect(),
            (None, 1) => vec![(0, ObjectClass::Person)],
            (None, _) => {
                let expected = format!("{count} names with commas between, such as person,car,truck");
                return Err(self.refused("classes", expected));
            }
        };
        let repeated = |(index, (_, class)): (usize, &(usize, ObjectClass))| {
            named.iter().skip(index + 1).any(|(_, other)| other == class)
        };
        if named.iter().enumerate().any(repeated) {
            return Err(self.refused("classes", "each name once"));
        }
        if named.is_empty() {
            let names: Vec<&str> = CLASSES.iter().map(|class| class.name()).collect();
            return Err(self.refused("classes", format!("at least one of {}", names.join(", "))));
        }
        Ok((count, named))
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// The numbers of a tensor, which must be of this shape, of f32 and finite.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, DetectorError> {
        let path = || self.path.to_owned();
        let Ok(tensor) = self.tensors.tensor(name) else {
            return Err(DetectorError::TensorMissing {
                path: path(),
                tensor: name.to_owned(),
                expected: shape.to_vec(),
            });
        };
        if tensor.shape() != shape {
            return Err(DetectorError::TensorShape {
                path: path(),
                tensor: name.to_owned(),
                found: tensor.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        let refused = |reason| DetectorError::TensorNumbers {
            path: path(),
            tensor: name.to_owned(),
            reason,
        };
        if tensor.dtype() != Dtype::F32 {
            return Err(refused("is not of type F32"));
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(refused("holds a number that is not finite"));
        }
        Ok(numbers)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
