use thiserror::Error;

use crate::MineEngine;

/// How an engine's state is written: two bytes with this number, the greater first, then CBOR. It rises with
/// every change of what the state holds.
///
/// 3: shifts, non-regular passages, positioning and the views of cameras. A state of format 2 is read as one that has
/// seen none of them.
pub const STATE_FORMAT: i32 = 3;

/// The oldest format that this build reads.
pub const OLDEST_STATE_FORMAT: i32 = 2;

/// Why a state could not be written or read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// The state could not be written.
    #[error("the state of a mine cannot be written: {0}")]
    Write(String),
    /// Written by another version of the engine.
    #[error(
        "the state of a mine has format {found}, this build reads formats {OLDEST_STATE_FORMAT} to {STATE_FORMAT}; \
         replay the mine's detections, or run the build that wrote it"
    )]
    Format {
        /// What it says of itself.
        found: i32,
    },
    /// Cut off or damaged.
    #[error("the state of a mine cannot be read: {0}")]
    Read(String),
}

impl MineEngine {
    /// Writes the whole state. The same state gives the same bytes.
    ///
    /// # Errors
    /// [`StateError::Write`].
    pub fn encode_state(&self) -> Result<Vec<u8>, StateError> {
        let mut bytes = format_bytes()?.to_vec();
        ciborium::into_writer(self, &mut bytes).map_err(|error| StateError::Write(error.to_string()))?;
        Ok(bytes)
    }
}

/// Reads what [`MineEngine::encode_state`] wrote.
///
/// # Errors
/// [`StateError::Format`] for another format, [`StateError::Read`] for bytes that are cut off, damaged, or too
/// many.
pub fn decode_state(bytes: &[u8]) -> Result<MineEngine, StateError> {
    let Some((format, mut body)) = bytes.split_first_chunk::<2>() else {
        return Err(StateError::Read(format!(
            "{} bytes do not even hold its format",
            bytes.len()
        )));
    };
    let found = i32::from(u16::from_be_bytes(*format));
    if !(OLDEST_STATE_FORMAT..=STATE_FORMAT).contains(&found) {
        return Err(StateError::Format { found });
    }
    let engine = ciborium::from_reader(&mut body).map_err(|error| StateError::Read(error.to_string()))?;
    if !body.is_empty() {
        return Err(StateError::Read(format!("{} bytes follow its end", body.len())));
    }
    Ok(engine)
}

fn format_bytes() -> Result<[u8; 2], StateError> {
    u16::try_from(STATE_FORMAT)
        .map(u16::to_be_bytes)
        .map_err(|_| StateError::Write(format!("format {STATE_FORMAT} does not fit into two bytes")))
}
