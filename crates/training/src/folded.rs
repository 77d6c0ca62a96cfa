//! A weights file read for training: folded convolutions by their names, of its classes those that this net has.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype;
use safetensors::{SafeTensors, tensor::Metadata};

use crate::error::TrainingError;
use crate::layers::{CLASSES, Kind, Layer};

/// Places of [`CLASSES`] among the 80 of COCO.
const PLACES_IN_COCO: [usize; CLASSES.len()] = [0, 2, 7, 5];
/// What a class that the file does not know begins with: about one in a hundred.
const UNKNOWN: f32 = -4.6;

/// The file.
pub(crate) struct FoldedFile {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Number of its classes.
    count: usize,
    /// Where each class of this net is in the file.
    places: [Option<usize>; CLASSES.len()],
}

impl FoldedFile {
    /// Reads it whole.
    pub(crate) fn read(path: &Path) -> Result<Self, TrainingError> {
        let bytes = fs::read(path).map_err(TrainingError::file("read", path))?;
        let header = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(path, error.to_string()))?;
        let (count, places) = classes(&header.1);
        Ok(Self {
            path: path.to_owned(),
            bytes,
            count,
            places,
        })
    }

    /// Weights, in the file's order, and bias of a layer.
    pub(crate) fn layer(&self, name: &str, layer: &Layer) -> Result<(Vec<f32>, Vec<f32>), TrainingError> {
        let file =
            SafeTensors::deserialize(&self.bytes).map_err(|error| damaged(&self.path, error.to_string()))?;
        let tensor = |name: String, shape: &[usize]| {
            let found = file
                .tensor(&name)
                .map_err(|_| damaged(&self.path, format!("it has no tensor {name}")))?;
            if found.shape() != shape || found.dtype() != Dtype::F32 {
                return Err(damaged(
                    &self.path,
                    format!(
                        "tensor {name} is {:?} {:?}, expected F32 {shape:?}",
                        found.dtype(),
                        found.shape()
                    ),
                ));
            }
            let (numbers, _) = found.data().as_chunks::<4>();
            Ok(numbers
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect::<Vec<f32>>())
        };
        let mut shape = layer.file_shape();
        let of_classes = layer.kind == Kind::Prediction && name.contains("cls_preds");
        if of_classes {
            shape[0] = self.count;
        }
        let weights = tensor(format!("{name}.weight"), &shape)?;
        let bias = tensor(format!("{name}.bias"), &shape[..1])?;
        if !of_classes {
            return Ok((weights, bias));
        }
        let filter = layer.fan_in();
        let mut chosen = (Vec::new(), Vec::new());
        for place in self.places {
            match place {
                Some(place) => {
                    chosen.0.extend_from_slice(&weights[place * filter..][..filter]);
                    chosen.1.push(bias[place]);
                }
                None => {
                    chosen.0.resize(chosen.0.len() + filter, 0.0);
                    chosen.1.push(UNKNOWN);
                }
            }
        }
        Ok(chosen)
    }
}

fn damaged(path: &Path, reason: String) -> TrainingError {
    TrainingError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

/// How many classes a file has, and where those of this net are among them.
fn classes(header: &Metadata) -> (usize, [Option<usize>; CLASSES.len()]) {
    let facts = header.metadata().as_ref();
    let named = facts.and_then(|facts| facts.get("classes"));
    if let Some(names) = named {
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        let places = CLASSES.map(|class| names.iter().position(|name| *name == class));
        return (names.len(), places);
    }
    (80, PLACES_IN_COCO.map(Some))
}
