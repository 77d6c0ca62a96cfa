//! What a training picture shows.

use mineseal_domain::BoundingBox;

/// One object of a training picture.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Truth {
    /// Index into [`crate::CLASSES`].
    pub class: usize,
    /// Where it is, in pixels of the picture.
    pub bounding_box: BoundingBox,
    /// Too small, too hidden or of no class of ours: finding it is neither right nor wrong.
    pub ignored: bool,
}
