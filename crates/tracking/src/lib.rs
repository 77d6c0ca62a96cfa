//! Follows objects from frame to frame: detections of one camera in, numbered tracks out.
//!
//! Pure and deterministic: time comes with each frame, so any sampling rate (and a changing one) works, and the
//! whole state serialises, so that a restart goes on where it stopped.
//!
//! The association is ByteTrack's (Zhang et al., ECCV 2022, arXiv 2110.06864): detections with high scores are
//! assigned first, those with low scores then continue tracks that found none. Motion is a Kalman filter of
//! eight states; likeness is judged by the filter's own uncertainty, so that a vehicle at 8 frames a second,
//! whose boxes do not overlap from frame to frame, is followed as well as a person at 25. What all tracks have in
//! common is the camera's movement, and is taken out before they are assigned.

mod association;
mod camera;
mod kalman;
mod partial;
mod settings;
mod track;
mod tracker;

pub use settings::TrackerSettings;
pub use track::TrackedObject;
pub use tracker::Tracker;
