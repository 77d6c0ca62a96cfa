use std::path::PathBuf;

use mineseal_bus::BusError;
use mineseal_evidence::EvidenceError;
use mineseal_picture::PlaneError;
use mineseal_video::VideoError;
use thiserror::Error;

/// Why the extractor could not run.
#[derive(Debug, Error)]
pub enum ExtractorError {
    /// The bus refuses its settings.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The evidence store cannot be used.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Why a camera's reading broke off. Only that camera is affected.
#[derive(Debug, Error)]
pub(crate) enum CameraFault {
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("credential {name}: {file} cannot be read ({reason}); write user:password into it", file = file.display())]
    Credential {
        name: String,
        file: PathBuf,
        reason: String,
    },
    #[error("the picture cannot be measured: {0}")]
    Measure(#[from] PlaneError),
    #[error("its thread broke off")]
    Thread,
}

impl CameraFault {
    /// Whether nobody needs to do anything for the next try to succeed.
    pub(crate) fn may_pass_soon(&self) -> bool {
        match self {
            Self::Video(error) => matches!(
                error,
                VideoError::Unreachable { .. }
                    | VideoError::Stalled { .. }
                    | VideoError::SourceEnded { .. }
                    | VideoError::Broken { .. }
            ),
            Self::Bus(_) | Self::Thread => true,
            Self::Credential { .. } | Self::Measure(_) => false,
        }
    }
}
