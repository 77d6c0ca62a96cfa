use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use mineseal_domain::Direction;
use mineseal_scene::Truth;

/// Crossings in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Towards the mine.
    pub entered: u64,
    /// Away from it.
    pub left: u64,
}

/// What must be counted, by camera code.
pub type Expected = BTreeMap<String, Tally>;

impl Tally {
    /// The crossings of a rendered clip, from the ground truth beside it.
    ///
    /// # Errors
    /// The truth cannot be read.
    pub fn of_clip(clip: &Path) -> Result<Self> {
        let truth = Truth::read(&Truth::path_of(clip))?;
        let mut tally = Self::default();
        for crossing in truth.frames.iter().flat_map(|frame| &frame.crossings) {
            match crossing.direction {
                Direction::In => tally.entered += 1,
                Direction::Out => tally.left += 1,
            }
        }
        Ok(tally)
    }
}
