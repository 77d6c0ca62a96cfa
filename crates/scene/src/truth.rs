use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use mineseal_domain::{BoundingBox, CountingLine, Direction, ObjectClass, ObjectGroup, Region};
use serde::{Deserialize, Serialize};

use crate::{DisturbanceKind, SceneError, SceneScript};

/// What is so in one picture, exactly.
///
/// `objects` is what the picture shows: under a cover nothing, in frozen or looped footage the figures of the
/// picture that is shown. Everything else is what happens at the place, whatever the picture shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameTruth {
    /// Number of the picture, from 0.
    pub index: u64,
    /// Time since the first picture.
    pub media_time_micros: i64,
    /// The figures in the picture, by id.
    pub objects: Vec<TruthObject>,
    /// The crossings that are complete with this picture: the first one with the foot point on the other side.
    pub crossings: Vec<TruthCrossing>,
    /// Belt scenes: whether the belt moves.
    pub belt_running: Option<bool>,
    /// Belt scenes: whether coal lies on at least a tenth of the belt in view.
    pub coal_on_belt: Option<bool>,
    /// Dispatch rooms: how many people are in the region `post`.
    pub people_at_post: Option<u32>,
    /// What is being done to the camera.
    pub disturbance: Option<DisturbanceKind>,
}

/// A figure in a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthObject {
    /// The actor's id.
    pub id: i64,
    /// What it is.
    pub class: ObjectClass,
    /// The full extent of the figure, clipped to the picture, in pixels, whatever stands before it: with helmet
    /// and clothes, without shadow, lamp glow and what it carries.
    pub bounding_box: BoundingBox,
    /// Share of the figure that can be seen, 0 to 1. Hidden by other figures and walls: counted in pixels; cut
    /// off by the picture's edge: by the area of the box.
    pub visible_share: f32,
}

/// A figure that crossed a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthCrossing {
    /// The actor's id.
    pub object: i64,
    /// The line's name.
    pub line: String,
    /// Which way.
    pub direction: Direction,
    /// What crossed.
    pub group: ObjectGroup,
}

/// First line of a truth file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthHeader {
    /// The script that the clip was rendered from.
    pub script: SceneScript,
    /// The counting lines of the scene.
    pub lines: Vec<CountingLine>,
    /// The named regions of the scene.
    pub regions: Vec<Region>,
}

/// A truth file: a [`TruthHeader`] and one [`FrameTruth`] for each picture, as JSON lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// What the clip was rendered from.
    pub header: TruthHeader,
    /// The pictures in order.
    pub frames: Vec<FrameTruth>,
}

impl Truth {
    /// Where the truth of a clip lies: beside it, `clip.mp4` has `clip.truth.jsonl`.
    #[must_use]
    pub fn path_of(clip: &Path) -> PathBuf {
        clip.with_extension("truth.jsonl")
    }

    /// Reads a truth file.
    ///
    /// # Errors
    /// The file cannot be read; a line is not what it should be; pictures are missing.
    pub fn read(path: &Path) -> Result<Self, SceneError> {
        let fault = |source| SceneError::File {
            path: path.to_owned(),
            source,
        };
        let wrong = |line: usize, reason: String| SceneError::Truth {
            path: path.to_owned(),
            line,
            reason,
        };
        let mut lines = BufReader::new(File::open(path).map_err(fault)?).lines();
        let first = lines
            .next()
            .ok_or_else(|| wrong(1, "the file is empty".into()))?
            .map_err(fault)?;
        let header: TruthHeader =
            serde_json::from_str(&first).map_err(|error| wrong(1, error.to_string()))?;
        let mut frames = Vec::new();
        for (number, text) in lines.enumerate() {
            let frame: FrameTruth = serde_json::from_str(&text.map_err(fault)?)
                .map_err(|error| wrong(number + 2, error.to_string()))?;
            if frame.index != number as u64 {
                return Err(wrong(
                    number + 2,
                    format!("picture {} where {number} should be", frame.index),
                ));
            }
            frames.push(frame);
        }
        let expected = header.script.frame_count();
        if frames.len() as u64 != expected {
            return Err(wrong(
                frames.len() + 1,
                format!("{} pictures where {expected} should be", frames.len()),
            ));
        }
        Ok(Self { header, frames })
    }
}
