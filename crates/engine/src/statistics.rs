use serde::{Deserialize, Serialize};

/// What came in since the engine was made, and what of it was left aside and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Taken, but nobody is followed in it: the decoder met errors, so that what was found may not be there.
    pub corrupt: u64,
    /// Crossings, of people and vehicles.
    pub crossings: u64,
    /// Reports of the positioning system that were compared with the count.
    pub positioning_compared: u64,
    /// Reports of the positioning system from before what is remembered of the count.
    pub positioning_too_old: u64,
}

impl Statistics {
    /// Every count with its name, in the order of the fields.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("frames", self.frames),
            ("unknown_mine", self.unknown_mine),
            ("unknown_camera", self.unknown_camera),
            ("malformed", self.malformed),
            ("repeated", self.repeated),
            ("older_session", self.older_session),
            ("time_back", self.time_back),
            ("clock_set_back", self.clock_set_back),
            ("time_ahead", self.time_ahead),
            ("corrupt", self.corrupt),
            ("crossings", self.crossings),
            ("positioning_compared", self.positioning_compared),
            ("positioning_too_old", self.positioning_too_old),
        ]
    }
}
