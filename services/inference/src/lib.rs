//! Finds people and vehicles in frames: topic `frames` in, topic `detections` out, at least once.
//!
//! It keeps no state. Offsets of `frames` are committed after the detections are acknowledged, so that a crash
//! repeats frames and loses none; the counter knows repeated frames by session and sequence. A camera's detections
//! keep the order of its frames. No frame is ever dropped: when frames come faster than they can be looked at, fewer
//! are read, and Kafka keeps the rest.

mod assembly;
mod detectors;
mod error;
mod measures;
mod pipeline;
mod record;
mod service;
mod settings;

pub use error::InferenceError;
pub use service::run;
pub use settings::InferenceSettings;
