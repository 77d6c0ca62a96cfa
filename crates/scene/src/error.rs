use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong with a scene.
#[derive(Debug, Error)]
pub enum SceneError {
    /// The script cannot be rendered.
    #[error("the scene script is wrong: {what}")]
    Script {
        /// The field, its value and what it must be.
        what: String,
    },
    /// There is no font for the text on the picture.
    #[error(
        "no Chinese font found for the text on the picture; looked for {looked_for}; install one with `apt-get install fonts-wqy-microhei`"
    )]
    FontMissing {
        /// The files that were looked for.
        looked_for: String,
    },
    /// The font file is there and cannot be used.
    #[error(
        "the font {path} cannot be read: {reason}; reinstall it with `apt-get install --reinstall fonts-wqy-microhei`"
    )]
    FontBroken {
        /// The file.
        path: PathBuf,
        /// What its reader said.
        reason: String,
    },
    /// A file could not be read, written or renamed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The video could not be written.
    #[error("the clip {path} could not be written: {source}")]
    Video {
        /// The clip.
        path: PathBuf,
        /// What FFmpeg's side said.
        source: mineseal_video::VideoError,
    },
    /// A line of a truth file is not what it should be.
    #[error("{path}, line {line}: {reason}; render the clip again")]
    Truth {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}
