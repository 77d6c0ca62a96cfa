use mineseal_bus::BusError;
use mineseal_detector::DetectorError;
use mineseal_settings::SettingsProblem;
use thiserror::Error;

/// Why the service ended.
#[derive(Debug, Error)]
pub enum InferenceError {
    /// The product's own weights cannot be written out for the loader.
    #[error("cannot write the product's own weights to the folder for temporary files: {0}")]
    OwnWeights(#[source] std::io::Error),
    /// The detector could not be made, or failed in a way that is not a picture's fault.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The detector's threads are gone; the log says why.
    #[error("the detector has ended: {0}")]
    DetectorEnded(String),
    /// The subscription ended by itself.
    #[error("the reading of frames has ended")]
    SubscriptionEnded,
}

impl InferenceError {
    /// For the operator: a device that cannot be used is a wrong setting.
    #[must_use]
    pub fn explained(self) -> Box<dyn std::error::Error + Send + Sync> {
        match self {
            Self::Detector(DetectorError::Device { device, reason }) => Box::new(SettingsProblem::Value {
                file: "configuration".to_owned(),
                key: "inference.device".to_owned(),
                what: format!("检测器无法在 {device} 上运行 / the detector cannot run there: {reason}"),
                help: "没有可用的 NVIDIA 显卡时请设为 cpu / without a usable NVIDIA device set it to cpu"
                    .to_owned(),
            }),
            other => Box::new(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use mineseal_detector::Device;

    use super::*;

    #[test]
    fn a_device_that_cannot_be_used_is_a_wrong_setting() {
        let error = InferenceError::Detector(DetectorError::Device {
            device: Device::Cuda(0),
            reason: "no driver".to_owned(),
        });
        let explained = error.explained();
        assert!(explained.is::<SettingsProblem>());
        let text = explained.to_string();
        assert!(
            text.contains("inference.device") && text.contains("no driver"),
            "{text}"
        );
        let other = InferenceError::SubscriptionEnded.explained();
        assert!(other.is::<InferenceError>());
    }
}
