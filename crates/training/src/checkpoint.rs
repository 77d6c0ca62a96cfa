//! A run's whole state in one file, from which it goes on exactly: values, moments, averages, step, settings.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::error::TrainingError;
use crate::optimiser::State;

const STEP: &str = "step";
const SETTINGS: &str = "settings";

/// What a checkpoint holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) step: u64,
    /// The settings that decide the run, as JSON.
    pub(crate) settings: String,
    pub(crate) states: BTreeMap<String, State>,
}

/// Writes `bytes` to `path` whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainingError> {
    let draft = path.with_extension("draft");
    fs::write(&draft, bytes).map_err(TrainingError::file("write", &draft))?;
    fs::rename(&draft, path).map_err(TrainingError::file("put in place", path))
}

/// A safetensors file with its metadata in alphabetical order: the library writes them in any order, and the
/// same weights are to be the same bytes.
pub(crate) fn in_order(file: Vec<u8>) -> Vec<u8> {
    let ordered = || -> Option<Vec<u8>> {
        let (length, rest) = file.split_first_chunk::<8>()?;
        let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let mut entries: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
        entries.get_mut("__metadata__")?.as_object_mut()?.sort_keys();
        let mut text = serde_json::to_vec(&entries).ok()?;
        // The data stay where they are: the header keeps its length.
        text.resize(header.len().max(text.len()), b' ');
        Some([&(text.len() as u64).to_le_bytes()[..], &text, data].concat())
    };
    ordered().unwrap_or(file)
}

impl Checkpoint {
    /// Writes the checkpoint.
    pub(crate) fn store(
        step: u64,
        settings: &str,
        states: &BTreeMap<String, State>,
        path: &Path,
    ) -> Result<(), TrainingError> {
        let damaged = |error: safetensors::SafeTensorError| TrainingError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut parts = BTreeMap::new();
        for (name, state) in states {
            let fields = [
                ("value", &state.value),
                ("first", &state.first),
                ("second", &state.second),
                ("average", &state.average),
            ];
            for (field, values) in fields {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                parts.insert(format!("{field}/{name}"), bytes);
            }
        }
        let mut views = Vec::with_capacity(parts.len());
        for (name, bytes) in &parts {
            views.push((
                name,
                TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(damaged)?,
            ));
        }
        let metadata = [(STEP, step.to_string()), (SETTINGS, settings.to_owned())];
        let metadata: HashMap<String, String> = metadata.map(|(name, value)| (name.to_owned(), value)).into();
        write_whole(
            path,
            &in_order(safetensors::serialize(views, Some(metadata)).map_err(damaged)?),
        )
    }

    /// Reads a checkpoint; `None` where there is no file.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, TrainingError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TrainingError::file("read", path)(error)),
        };
        let damaged = |reason: String| TrainingError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let text = |error: safetensors::SafeTensorError| damaged(error.to_string());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(text)?;
        let entries = header.metadata().clone().unwrap_or_default();
        let step = entries.get(STEP).and_then(|step| step.parse().ok());
        let step = step.ok_or_else(|| damaged("it names no step".into()))?;
        let settings = entries.get(SETTINGS).cloned().unwrap_or_default();
        let file = SafeTensors::deserialize(&bytes).map_err(text)?;
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        for (name, tensor) in file.iter() {
            let (field, variable) = name
                .split_once('/')
                .ok_or_else(|| damaged(format!("unknown tensor {name}")))?;
            let (numbers, _) = tensor.data().as_chunks::<4>();
            let values = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            let state = states.entry(variable.to_owned()).or_default();
            match field {
                "value" => state.value = values,
                "first" => state.first = values,
                "second" => state.second = values,
                "average" => state.average = values,
                _ => return Err(damaged(format!("unknown tensor {name}"))),
            }
        }
        Ok(Some(Self {
            step,
            settings,
            states,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        assert_eq!(Checkpoint::load(&path).unwrap(), None);
        let state = State {
            value: vec![1.0, -2.5],
            first: vec![0.1, 0.2],
            second: vec![0.3, 0.4],
            average: vec![5.0, 6.0],
        };
        let states = BTreeMap::from([("head.weight".to_owned(), state)]);
        Checkpoint::store(17, "{}", &states, &path).unwrap();
        let expected = Checkpoint {
            step: 17,
            settings: "{}".into(),
            states,
        };
        assert_eq!(Checkpoint::load(&path).unwrap(), Some(expected));
        fs::write(&path, b"not a checkpoint").unwrap();
        assert!(
            Checkpoint::load(&path)
                .unwrap_err()
                .to_string()
                .contains("damaged")
        );
    }
}
