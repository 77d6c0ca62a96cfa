//! Where pictures and clips of alarms are kept: an object store, by default a folder, or a bucket of an S3 server.

mod error;
mod paths;
mod s3;
mod store;
mod upload;

pub use error::EvidenceError;
pub use paths::{ObjectName, object_path};
pub use store::{EvidenceStore, Stored};
