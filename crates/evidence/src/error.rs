use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use object_store::client::HttpError;
use thiserror::Error;

/// What can go wrong with the object store. No message holds a secret.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// The place's scheme is not built in.
    #[error(
        "evidence store {place}: {scheme}:// is not supported; give a folder, a file:// or an s3:// address \
         (evidence.location)"
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
    /// What is configured for an S3 server makes no sense, or a file that it names cannot be read.
    #[error("evidence store {place}: {key}: {reason}; {help}")]
    Misconfigured {
        /// As configured.
        place: String,
        /// The setting.
        key: &'static str,
        /// What is wrong.
        reason: String,
        /// How to mend it.
        help: &'static str,
    },
    /// The S3 server does not know the key, or the key may not do this.
    #[error(
        "evidence store {place}: {path}: the server refuses the access key: {reason}; mend evidence.s3.access_key_id_file and \
         secret_access_key_file, or give the key the rights s3:GetObject, s3:PutObject, s3:ListBucket and \
         s3:AbortMultipartUpload for this bucket"
    )]
    Denied {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
        /// What the server says.
        reason: Box<object_store::Error>,
    },
    /// The S3 server has no such bucket.
    #[error(
        "evidence store {place}: {path}: the server at {endpoint} has no such bucket; make it, or mend evidence.location or \
         evidence.s3.endpoint"
    )]
    NoBucket {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
        /// The server.
        endpoint: String,
    },
    /// The S3 server does not answer.
    #[error(
        "evidence store {place}: {path}: no answer from {endpoint}: {reason}; see that the server runs and that it can be \
         reached from here (evidence.s3.endpoint)"
    )]
    Unreachable {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
        /// The server.
        endpoint: String,
        /// What the network says.
        reason: String,
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
    /// No path within the store.
    #[error("evidence store {place}: {path}: {reason}")]
    BadPath {
        /// As configured.
        place: String,
        /// As given.
        path: String,
        /// What is wrong with it.
        reason: object_store::path::Error,
    },
    /// Anything else.
    #[error("evidence store {place}: {path}: {reason}")]
    Store {
        /// As configured.
        place: String,
        /// Path of the object.
        path: String,
        /// What the store says.
        reason: Box<object_store::Error>,
    },
}

impl EvidenceError {
    /// Whether the same may succeed later without a change of the configuration of this process: a server that is
    /// away, a key or a bucket that somebody mends at the server, a full disk.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NotWritable { .. }
            | Self::Denied { .. }
            | Self::NoBucket { .. }
            | Self::Unreachable { .. }
            | Self::Store { .. } => true,
            Self::Unsupported { .. }
            | Self::Misconfigured { .. }
            | Self::Absent { .. }
            | Self::Conflict { .. }
            | Self::BadPath { .. } => false,
        }
    }

    /// What the store said of `path`; `endpoint` is the S3 server's, where it is one. `reading`: an object that is not
    /// there is [`EvidenceError::Absent`].
    pub(crate) fn of_store(
        place: &str,
        endpoint: Option<&str>,
        path: &str,
        reading: bool,
        reason: object_store::Error,
    ) -> Self {
        use object_store::Error as Fault;
        let (place, path) = (place.to_owned(), path.to_owned());
        match (reason, endpoint) {
            // What an S3 server says of an object that it could keep, were there the bucket.
            (Fault::NotFound { source, .. }, Some(endpoint))
                if !reading || source.to_string().contains("NoSuchBucket") =>
            {
                let endpoint = endpoint.to_owned();
                Self::NoBucket {
                    place,
                    path,
                    endpoint,
                }
            }
            (Fault::NotFound { .. }, _) if reading => Self::Absent { place, path },
            (reason @ (Fault::PermissionDenied { .. } | Fault::Unauthenticated { .. }), Some(_)) => {
                Self::Denied {
                    place,
                    path,
                    reason: Box::new(reason),
                }
            }
            (reason, Some(endpoint)) => match no_answer(&reason) {
                Some(words) => Self::Unreachable {
                    place,
                    path,
                    endpoint: endpoint.to_owned(),
                    reason: words,
                },
                None => Self::Store {
                    place,
                    path,
                    reason: Box::new(reason),
                },
            },
            (reason, None) => Self::Store {
                place,
                path,
                reason: Box::new(reason),
            },
        }
    }
}

/// The innermost words of an error that came without an answer of the server: no connection, no name, no time left.
fn no_answer(reason: &object_store::Error) -> Option<String> {
    let mut next = reason.source();
    let mut of_the_network = false;
    let mut innermost = None;
    while let Some(error) = next {
        of_the_network |= error.is::<HttpError>();
        innermost = Some(error.to_string());
        next = error.source();
    }
    innermost.filter(|_| of_the_network)
}
