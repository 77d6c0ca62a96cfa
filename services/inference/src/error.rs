use mineseal_bus::BusError;
use mineseal_detector::DetectorError;
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
