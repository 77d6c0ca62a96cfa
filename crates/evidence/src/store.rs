use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What can go wrong with the object store.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// The place's scheme is not built in.
    #[error("evidence store {place}: {scheme}:// is not supported; give a folder or a file:// address")]
    Unsupported {
        /// As configured.
        place: String,
        /// Its scheme.
        scheme: String,
    },
    /// The folder cannot be made or written.
    #[error(
        "evidence store {folder}: cannot be written ({reason}); create the folder and give the service's user \
         the right to write there",
        folder = folder.display()
    )]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// No object has this path.
    #[error("evidence store {place}: no object {path}")]
    Absent {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
    },
    /// Another object lies under the path: evidence is never overwritten.
    #[error(
        "evidence store {place}: {path} already holds something else (SHA-256 {found}); it was left as it is"
    )]
    Conflict {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
        /// SHA-256 of what lies there.
        found: String,
    },
    /// Anything else.
    #[error("evidence store {place}: {path}: {reason}")]
    Store {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
        /// What the store says.
        reason: object_store::Error,
    },
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Of the bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// Keeps the pictures and clips of alarms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EvidenceStore {
    place: Arc<str>,
    store: Arc<dyn ObjectStore>,
}

impl EvidenceStore {
    /// Opens a folder, given as a path or as `file://` with an absolute path. It is made if it is not there,
    /// and tried by writing to it.
    ///
    /// # Errors
    /// [`EvidenceError::NotWritable`], [`EvidenceError::Unsupported`].
    pub fn open(place: &str) -> Result<Self, EvidenceError> {
        let folder = match place.split_once("://") {
            Some(("file", path)) => PathBuf::from(path),
            Some((scheme, _)) => {
                let (place, scheme) = (place.to_owned(), scheme.to_owned());
                return Err(EvidenceError::Unsupported { place, scheme });
            }
            None => PathBuf::from(place),
        };
        try_writing(&folder).map_err(|reason| EvidenceError::NotWritable {
            folder: folder.clone(),
            reason,
        })?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|error| EvidenceError::NotWritable {
                folder,
                reason: io::Error::other(error),
            })?
            .with_fsync(true);
        Ok(Self {
            place: place.into(),
            store: Arc::new(store),
        })
    }

    /// Stores an object: when this returns it is complete and on the disk; before, nothing lies under its
    /// path. Storing the same bytes again changes nothing.
    ///
    /// # Errors
    /// [`EvidenceError::Conflict`] where the path holds other bytes, [`EvidenceError::Store`].
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<Stored, EvidenceError> {
        let stored = Stored {
            sha256: sha256(&bytes),
            size: bytes.len() as u64,
        };
        match self.get(path).await {
            Ok(present) if present == bytes => return Ok(stored),
            Ok(present) => {
                let (place, path) = (self.place.to_string(), path.to_owned());
                return Err(EvidenceError::Conflict {
                    place,
                    path,
                    found: sha256(&present),
                });
            }
            Err(EvidenceError::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
        let location = self.location(path)?;
        self.store
            .put(&location, PutPayload::from(bytes))
            .await
            .map_err(|error| self.fault(path, error))?;
        Ok(stored)
    }

    /// Stores something that is no evidence and may change, such as what is known of a camera's view: what lay under
    /// the path before is replaced in one step.
    ///
    /// # Errors
    /// [`EvidenceError::Store`].
    pub async fn replace(&self, path: &str, bytes: Vec<u8>) -> Result<(), EvidenceError> {
        let location = self.location(path)?;
        self.store
            .put(&location, PutPayload::from(bytes))
            .await
            .map_err(|error| self.fault(path, error))?;
        Ok(())
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`EvidenceError::Absent`], [`EvidenceError::Store`].
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, EvidenceError> {
        let location = self.location(path)?;
        let fault = |error| self.fault(path, error);
        let found = self.store.get(&location).await.map_err(fault)?;
        Ok(found.bytes().await.map_err(fault)?.to_vec())
    }

    /// Refuses paths that would lead out of the store.
    fn location(&self, path: &str) -> Result<ObjectPath, EvidenceError> {
        ObjectPath::parse(path)
            .map_err(|error| self.fault(path, object_store::Error::InvalidPath { source: error }))
    }

    fn fault(&self, path: &str, error: object_store::Error) -> EvidenceError {
        let (place, path) = (self.place.to_string(), path.to_owned());
        match error {
            object_store::Error::NotFound { .. } => EvidenceError::Absent { place, path },
            reason => EvidenceError::Store { place, path, reason },
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn try_writing(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let trial = folder.join(format!(".writable-{}", std::process::id()));
    fs::write(&trial, b"")?;
    fs::remove_file(trial)
}
