use serde::{Deserialize, Serialize};

/// What came in since the engine was made, and what of it was left aside and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Frames that came, those that were left aside among them.
    pub frames: u64,
    /// Left aside: of another mine.
    pub unknown_mine: u64,
    /// Left aside: of a camera that is not registered.
    pub unknown_camera: u64,
    /// Left aside: its width or height is none of a picture.
    pub malformed: u64,
    /// Left aside: sequence not beyond the last one of its session.
    pub repeated: u64,
    /// Left aside: of an older session than the camera's current one.
    pub older_session: u64,
    /// Left aside: a little earlier than, or at the same time as, the frame before it.
    pub time_back: u64,
    /// Taken although it is much earlier than the frame before it: the clock was set back.
    pub clock_set_back: u64,
    /// Taken although it claims to be taken after it was published: its time moves nothing but its own camera.
    pub time_ahead: u64,
    /// Crossings, of people and vehicles.
    pub crossings: u64,
}
