use serde::{Deserialize, Serialize};

/// Half width of the zone around the line in which nothing is decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buffer {
    /// As a share of the object's height in the picture: grows with nearness, as jitter does.
    ShareOfHeight(f32),
    /// In pixels.
    Pixels(f32),
}

/// When a track has crossed. The defaults are meant for every line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossingRule {
    /// Half width of the zone around the line in which nothing is decided.
    pub buffer: Buffer,
    /// Frames in a row that must agree on the new side.
    pub agreeing_frames: u32,
    /// From this many half widths on one frame is enough, if the box kept its shape in it: so that whoever is
    /// fast is not lost where frames are few.
    pub clear_half_widths: f32,
    /// How much the height of the box may differ from what it was for one frame to be enough, as a share.
    pub shape_tolerance: f32,
    /// A track that was not seen for this long has ended, in seconds; longer than the tracker keeps its tracks.
    pub memory_seconds: f64,
}

impl Default for CrossingRule {
    fn default() -> Self {
        Self {
            buffer: Buffer::ShareOfHeight(0.1),
            agreeing_frames: 2,
            clear_half_widths: 2.0,
            shape_tolerance: 0.25,
            memory_seconds: 3.0,
        }
    }
}

impl CrossingRule {
    /// Half width of the zone for an object of this height, in pixels.
    pub(crate) fn half_width(&self, height: f32) -> f32 {
        match self.buffer {
            Buffer::ShareOfHeight(share) => share * height,
            Buffer::Pixels(pixels) => pixels,
        }
        .max(0.0)
    }
}
