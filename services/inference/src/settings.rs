use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use mineseal_detector::{DetectorSettings, Device, InputSize};
use mineseal_settings as configured;

/// How frames are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct InferenceSettings {
    /// Weights in safetensors; empty for the product's own.
    pub weights: PathBuf,
    /// The size that pictures are brought to; `None` for what the weights suggest.
    pub input: Option<InputSize>,
    /// Where the net runs.
    pub device: Device,
    /// Single-threaded detectors; 0 for half of the cores, at least one.
    pub workers: usize,
    /// Most pictures in a batch; 0 counts as 1.
    pub batch: usize,
    /// How long a batch waits for more pictures.
    pub max_wait: Duration,
    /// Boxes below are not published.
    pub score_threshold: f32,
}

impl InferenceSettings {
    /// With these weights and the defaults of the configuration.
    #[must_use]
    pub fn new(weights: PathBuf) -> Self {
        Self {
            weights,
            ..Self::from(&configured::InferenceSettings::default())
        }
    }

    pub(crate) fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism()
                .map_or(1, NonZeroUsize::get)
                .div_ceil(2),
            workers => workers,
        }
    }

    pub(crate) fn batch(&self) -> usize {
        self.batch.max(1)
    }

    pub(crate) fn detector(&self) -> DetectorSettings {
        DetectorSettings {
            input: self.input,
            score_threshold: self.score_threshold,
            max_batch: self.batch(),
            device: self.device,
            ..DetectorSettings::default()
        }
    }
}

impl From<&configured::InferenceSettings> for InferenceSettings {
    /// The section `[inference]` of the configuration. Where one side of the input is 0, the weights decide.
    fn from(section: &configured::InferenceSettings) -> Self {
        let input = match (section.input_width as usize, section.input_height as usize) {
            (0, _) | (_, 0) => None,
            (width, height) => Some(InputSize { width, height }),
        };
        Self {
            weights: section.weights.clone(),
            input,
            // The configuration was checked when it was read.
            device: section.device.parse().unwrap_or_default(),
            workers: section.workers,
            batch: section.batch,
            max_wait: Duration::from_millis(section.batch_wait_milliseconds),
            score_threshold: section.score_threshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_leaves_the_choice_to_the_weights_and_the_machine() {
        let section = configured::InferenceSettings::default();
        let settings = InferenceSettings::from(&section);
        assert_eq!(settings.input, None);
        assert!(settings.workers() >= 1);
        let section = configured::InferenceSettings {
            input_width: 320,
            input_height: 192,
            workers: 3,
            ..section
        };
        let settings = InferenceSettings::from(&section);
        assert_eq!(
            settings.input,
            Some(InputSize {
                width: 320,
                height: 192
            })
        );
        assert_eq!(settings.workers(), 3);
    }
}
