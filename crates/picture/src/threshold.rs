use serde::{Deserialize, Serialize};

/// A boundary with a band, so that a picture at the boundary does not go to and fro.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The fault begins beyond this.
    pub enter: f32,
    /// It ends beyond this.
    pub leave: f32,
}
