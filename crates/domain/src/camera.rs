use serde::{Deserialize, Serialize};

use crate::{Anchor, Direction, Line, ObjectGroup, Point};

/// Which frames of a camera are taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Frames in a second of media time; more than the camera gives means all of them.
    pub frames_per_second: f64,
    /// Only key frames are decoded: for alive, dead and covered checks, never for counting.
    pub key_frames_only: bool,
}

/// What is looked for in a camera's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Analysis {
    /// People crossing a line: entries and exits.
    PersonCrossing,
    /// Vehicles crossing a line.
    VehicleCrossing,
    /// People present in a region: post in the dispatch room.
    PostOccupancy,
    /// The belt runs or stands, by motion in a region; no detector.
    BeltMotion,
}

impl Analysis {
    /// Whether the detector has to look at the frames.
    #[must_use]
    pub fn needs_detector(self) -> bool {
        !matches!(self, Self::BeltMotion)
    }
}

/// A line over which objects are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountingLine {
    /// Unique in its camera, such as `mouth`.
    pub name: String,
    /// In fractions of the picture, 0 to 1.
    pub line: Line,
    /// What is counted.
    pub group: ObjectGroup,
    /// Which point of the box crosses.
    pub anchor: Anchor,
    /// False for a way that people should not take (非常规通道): counted, and flagged.
    pub regular: bool,
    /// It stands at a gate that people should pass one way only.
    pub gate: Option<Gate>,
}

/// A gate (闸机) with a direction of its own. Who passes it the other way is told by an alarm and not counted
/// (`domain.md` 5, reverse crossing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// 入井闸机: leads in.
    Entry,
    /// 出井闸机: leads out.
    Exit,
}

impl Gate {
    /// The way that it leads.
    #[must_use]
    pub fn leads(self) -> Direction {
        match self {
            Self::Entry => Direction::In,
            Self::Exit => Direction::Out,
        }
    }
}

/// A named part of the picture: a polygon in fractions of the picture, at least three corners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Unique in its camera, such as `belt` or `post`.
    pub name: String,
    /// The corners in order, in fractions of the picture.
    pub corners: Vec<Point>,
}

impl Region {
    /// Whether `point` (in fractions) lies inside; even-odd rule.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        let mut inside = false;
        let mut previous = match self.corners.last() {
            Some(corner) => *corner,
            None => return false,
        };
        for &corner in &self.corners {
            if (corner.y > point.y) != (previous.y > point.y) {
                let share = (point.y - corner.y) / (previous.y - corner.y);
                if point.x < corner.x + share * (previous.x - corner.x) {
                    inside = !inside;
                }
            }
            previous = corner;
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_knows_its_inside() {
        let corner = |x, y| Point { x, y };
        let region = Region {
            name: "belt".into(),
            corners: vec![
                corner(0.2, 0.2),
                corner(0.8, 0.2),
                corner(0.8, 0.8),
                corner(0.2, 0.8),
            ],
        };
        assert!(region.contains(corner(0.5, 0.5)));
        assert!(!region.contains(corner(0.1, 0.5)));
        assert!(
            !Region {
                name: String::new(),
                corners: vec![]
            }
            .contains(corner(0.5, 0.5))
        );
    }
}
