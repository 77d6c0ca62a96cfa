use mineseal_counting::LineCrossing;
use mineseal_domain::{Direction, ObjectClass};
use serde::{Deserialize, Serialize};

/// One crossing, a line of JSON in the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossingLine {
    /// Index of the video's own frame, from 0, at which the anchor lay on the line; interpolated between the
    /// sampled frames before and after.
    pub frame: i64,
    /// Media time of that, in seconds from the first frame.
    pub time_s: f64,
    /// By the sign of (x2−x1)(y−y1)−(y2−y1)(x−x1): negative to positive is in.
    pub direction: Direction,
    /// The class seen most in the track.
    pub class: ObjectClass,
    /// Number of the track.
    pub track: i64,
    /// Mean score of the deciding frames.
    pub score: f64,
}

impl CrossingLine {
    pub(crate) fn new(crossing: &LineCrossing) -> Self {
        Self {
            frame: crossing.passed_sequence,
            time_s: thousandths(crossing.passed_at.0 as f64 / 1e6),
            direction: crossing.direction,
            class: crossing.class,
            track: crossing.track,
            score: thousandths(f64::from(crossing.score)),
        }
    }
}

/// What came out, the last line of JSON in the output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Crossings in.
    #[serde(rename = "in")]
    pub entered: i64,
    /// Crossings out.
    #[serde(rename = "out")]
    pub left: i64,
    /// Frames of the video that were read; how many of them were looked at depends on the sampling.
    pub frames: i64,
    /// Media time from the first frame to the end of the last.
    pub seconds_of_video: f64,
    /// How long it took.
    pub wall_seconds: f64,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Frames read so far.
    pub frames: i64,
    /// Media time reached, in seconds from the first frame.
    pub seconds: f64,
    /// Length of the video in seconds, where it says so.
    pub of_seconds: Option<f64>,
}

pub(crate) fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_have_the_agreed_form() {
        let line = CrossingLine {
            frame: 68,
            time_s: 6.8,
            direction: Direction::In,
            class: ObjectClass::Person,
            track: 3,
            score: 0.812,
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"frame":68,"time_s":6.8,"direction":"in","class":"person","track":3,"score":0.812}"#
        );
        let summary = Summary {
            entered: 18,
            left: 14,
            frames: 795,
            seconds_of_video: 79.5,
            wall_seconds: 10.25,
        };
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            r#"{"in":18,"out":14,"frames":795,"seconds_of_video":79.5,"wall_seconds":10.25}"#
        );
    }
}
