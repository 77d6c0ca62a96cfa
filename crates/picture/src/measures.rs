use serde::{Deserialize, Serialize};

/// What is measured on a picture beyond [`mineseal_domain::HealthMeasures`]: against the picture before, against
/// the camera's references and against the last ten minutes. A share is 0 to 1; −1 where nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewMeasures {
    /// Share of the cells without any change since the frame before, sensor noise included.
    pub still_share: f32,
    /// Share of the cells that are even and all of the same brightness: a picture that no camera took.
    pub blank_share: f32,
    /// Share of the reference's cells with structure that show the same edges now.
    pub kept_share: f32,
    /// Share of the reference's cells with structure that show hardly any structure now.
    pub flat_share: f32,
    /// Fine detail, as a part of what the reference has; 1 is as sharp as it was. Median over the cells.
    pub detail: f32,
    /// How far the picture lies to the right of its mean place, in shares of its width; 0 where unknown.
    pub shift_right: f32,
    /// How far it lies below its mean place, in shares of its width.
    pub shift_down: f32,
    /// Mean distance of the chroma from grey, in levels.
    pub colour: f32,
    /// The same of the reference with the same light; −1 where no reference has this light.
    pub reference_colour: f32,
    /// Period with which the pictures come back, microseconds; 0 where they do not.
    pub repeat_micros: i64,
}

impl Default for ViewMeasures {
    fn default() -> Self {
        Self {
            still_share: -1.0,
            blank_share: -1.0,
            kept_share: -1.0,
            flat_share: -1.0,
            detail: -1.0,
            shift_right: 0.0,
            shift_down: 0.0,
            colour: -1.0,
            reference_colour: -1.0,
            repeat_micros: 0,
        }
    }
}
