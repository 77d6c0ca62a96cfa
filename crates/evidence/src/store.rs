use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What can go wrong with the object store.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// The place's scheme is not built in.
    #[error(
        "evidence store {place}: {scheme}:// is not supported; give a folder, a file:// or an s3:// address"
    )]
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
    /// The address or the variables of an S3 store make no sense.
    #[error(
        "evidence store {place}: {reason}; give s3://BUCKET/PREFIX and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
         AWS_REGION, and for another server than Amazon's AWS_ENDPOINT (with AWS_ALLOW_HTTP=true where it is no https://)"
    )]
    Misconfigured {
        /// As configured.
        place: String,
        /// What is wrong.
        reason: object_store::Error,
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
#[derive(Clone)]
pub struct EvidenceStore {
    place: Arc<str>,
    store: Arc<dyn ObjectStore>,
}

/// The place alone: what lies behind it may know a password.
impl fmt::Debug for EvidenceStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EvidenceStore({})", self.place)
    }
}

impl EvidenceStore {
    /// Opens a folder, given as a path or as `file://` with an absolute path, or a bucket of an S3 server, given as
    /// `s3://BUCKET/PREFIX`. A folder is made if it is not there, and tried by writing to it; a bucket must be there and
    /// is asked first when something is stored. How it is reached stands in the environment, under Amazon's usual names
    /// (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, ...).
    ///
    /// # Errors
    /// [`EvidenceError::NotWritable`], [`EvidenceError::Misconfigured`], [`EvidenceError::Unsupported`].
    pub fn open(place: &str) -> Result<Self, EvidenceError> {
        let folder = match place.split_once("://") {
            Some(("s3", _)) => {
                let variables = std::env::vars_os()
                    .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
                return Self::open_s3(place, variables);
            }
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

    /// Opens `s3://BUCKET/PREFIX` with variables named as in the environment; others than Amazon's are passed over.
    ///
    /// # Errors
    /// [`EvidenceError::Misconfigured`].
    pub fn open_s3(
        place: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, EvidenceError> {
        let misconfigured = |reason| EvidenceError::Misconfigured {
            place: place.to_owned(),
            reason,
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in variables {
            let known = name.starts_with("AWS_");
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
                && known
            {
                builder = builder.with_config(key, value);
            }
        }
        let (_, path) = place.split_once("://").unwrap_or_default();
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if !bucket.is_empty() {
            builder = builder.with_bucket_name(bucket);
        }
        let store = builder.build().map_err(misconfigured)?;
        let prefix = ObjectPath::parse(prefix)
            .map_err(|source| misconfigured(object_store::Error::InvalidPath { source }))?;
        Ok(Self {
            place: place.into(),
            store: Arc::new(PrefixStore::new(store, prefix)),
        })
    }

    /// Stores an object: when this returns it is complete and on the disk, or the S3 server has said so; before, nothing
    /// lies under its path. Storing the same bytes again changes nothing.
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
            .map_err(|reason| self.refusal(path, reason))?;
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
            .map_err(|reason| self.refusal(path, reason))?;
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

    /// Why something could not be stored; a bucket that is not there is no absent object.
    fn refusal(&self, path: &str, reason: object_store::Error) -> EvidenceError {
        let (place, path) = (self.place.to_string(), path.to_owned());
        EvidenceError::Store { place, path, reason }
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
