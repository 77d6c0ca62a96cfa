//! Where pictures and clips of alarms are kept: an object store, by default a folder.

mod paths;
mod store;

pub use paths::{ObjectName, object_path};
pub use store::{EvidenceError, EvidenceStore, Stored};
