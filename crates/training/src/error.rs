use std::path::PathBuf;

/// Why a training or an evaluation stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// A file could not be read or written.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} is damaged: {reason}; delete it and start again")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The checkpoint belongs to a run with other settings.
    #[error(
        "the checkpoint {path} was made with other settings ({difference}); give another folder, or the same settings"
    )]
    OtherSettings {
        /// Which file.
        path: PathBuf,
        /// The first difference.
        difference: String,
    },
    /// A setting makes no sense.
    #[error("{0}")]
    Settings(String),
    /// A scene could not be rendered.
    #[error("render a training scene: {0}")]
    Scene(#[from] mineseal_scene::SceneError),
    /// A picture could not be compressed or read.
    #[error("JPEG of a training picture: {0}")]
    Jpeg(#[from] turbojpeg::Error),
    /// A clip of real pictures could not be read.
    #[error("read {path}: {reason}")]
    Clip {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The detector refused the weights or a picture.
    #[error("the detector, evaluating: {0}")]
    Detector(String),
    /// A computation failed.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
    /// The caller broke off while the pictures were still being rendered.
    #[error("broken off before the first step")]
    BrokenOff,
    /// A thread of the training ended without a result.
    #[error("a training thread stopped unexpectedly; start the same command again to resume")]
    Thread,
}

impl TrainingError {
    pub(crate) fn file(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}
