use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use mineseal_settings::{S3Settings, Settings};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};

use crate::{EvidenceError, s3, upload};

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
    /// Of an S3 server.
    endpoint: Option<Arc<str>>,
    store: Arc<dyn ObjectStore>,
}

/// The place alone: what lies behind it may know a password.
impl fmt::Debug for EvidenceStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EvidenceStore({})", self.place)
    }
}

impl EvidenceStore {
    /// The store that the settings name; without one the folder `evidence` in the data folder.
    ///
    /// # Errors
    /// As [`EvidenceStore::open`].
    pub fn configured(settings: &Settings) -> Result<Self, EvidenceError> {
        if !settings.evidence.location.is_empty() {
            return Self::open(&settings.evidence.location, &settings.evidence.s3);
        }
        let data = match settings.data_directory.as_os_str().is_empty() {
            true => Path::new(".mineseal"),
            false => &settings.data_directory,
        };
        Self::open(&data.join("evidence").to_string_lossy(), &settings.evidence.s3)
    }

    /// Opens a folder, given as a path or as `file://` with an absolute path, or a bucket of an S3 server, given as
    /// `s3://BUCKET/PREFIX`. A folder is made if it is not there, and tried by writing to it; a bucket must be there and
    /// is asked by [`EvidenceStore::check`] or when something is stored. What the settings leave open Amazon's variables
    /// in the environment say (`AWS_ACCESS_KEY_ID`, ...).
    ///
    /// # Errors
    /// [`EvidenceError::NotWritable`], [`EvidenceError::Misconfigured`], [`EvidenceError::Unsupported`].
    pub fn open(place: &str, s3: &S3Settings) -> Result<Self, EvidenceError> {
        let folder = match place.split_once("://") {
            Some(("s3", _)) => {
                let variables = std::env::vars_os()
                    .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
                return Self::open_s3(place, s3, variables);
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
            endpoint: None,
            store: Arc::new(store),
        })
    }

    /// Opens `s3://BUCKET/PREFIX` with the variables of an environment.
    ///
    /// # Errors
    /// [`EvidenceError::Misconfigured`].
    pub fn open_s3(
        place: &str,
        settings: &S3Settings,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, EvidenceError> {
        let bucket = s3::open(place, settings, variables)?;
        Ok(Self {
            place: place.into(),
            endpoint: Some(bucket.endpoint.into()),
            store: bucket.store,
        })
    }

    /// Whether an S3 server takes what will be stored: writes an empty object `writable`. A folder was tried when it was
    /// opened.
    ///
    /// # Errors
    /// [`EvidenceError::Unreachable`], [`EvidenceError::Denied`], [`EvidenceError::NoBucket`], [`EvidenceError::Store`].
    pub async fn check(&self) -> Result<(), EvidenceError> {
        if self.endpoint.is_none() {
            return Ok(());
        }
        self.replace("writable", Bytes::new()).await
    }

    /// Stores an object: when this returns it is complete and on the disk, or the S3 server has said so; before, nothing
    /// lies under its path. Storing the same bytes again changes nothing.
    ///
    /// # Errors
    /// [`EvidenceError::Conflict`] where the path holds other bytes, [`EvidenceError::BadPath`]; and what
    /// [`EvidenceError::is_passing`], with nothing under the path.
    pub async fn put(&self, path: &str, bytes: impl Into<Bytes>) -> Result<Stored, EvidenceError> {
        let bytes = bytes.into();
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
        self.write(path, bytes).await?;
        Ok(stored)
    }

    /// Stores something that is no evidence and may change, such as what is known of a camera's view: what lay under
    /// the path before is replaced in one step.
    ///
    /// # Errors
    /// [`EvidenceError::BadPath`], and what [`EvidenceError::is_passing`].
    pub async fn replace(&self, path: &str, bytes: impl Into<Bytes>) -> Result<(), EvidenceError> {
        self.write(path, bytes.into()).await
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`EvidenceError::Absent`], [`EvidenceError::BadPath`], and what [`EvidenceError::is_passing`].
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, EvidenceError> {
        let location = self.location(path)?;
        let fault = |error| self.fault(path, true, error);
        let found = self.store.get(&location).await.map_err(fault)?;
        Ok(found.bytes().await.map_err(fault)?.to_vec())
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<(), EvidenceError> {
        let location = self.location(path)?;
        let written = if self.endpoint.is_some() {
            upload::put(self.store.as_ref(), &location, bytes).await
        } else {
            self.store
                .put(&location, PutPayload::from(bytes))
                .await
                .map(|_| ())
        };
        written.map_err(|reason| self.fault(path, false, reason))
    }

    /// Refuses paths that would lead out of the store.
    fn location(&self, path: &str) -> Result<ObjectPath, EvidenceError> {
        ObjectPath::parse(path).map_err(|reason| EvidenceError::BadPath {
            place: self.place.to_string(),
            path: path.to_owned(),
            reason,
        })
    }

    fn fault(&self, path: &str, reading: bool, reason: object_store::Error) -> EvidenceError {
        EvidenceError::of_store(&self.place, self.endpoint.as_deref(), path, reading, reason)
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
