use std::collections::BTreeMap;

use mineseal_domain::{Direction, Line, ObjectClass, Point, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::CrossingRule;

/// Longer paths are thinned to every second point.
const LONGEST_PATH: usize = 64;

/// Weight of the newest box in the running means of a track's height and width.
const SIZE_GAIN: f32 = 0.3;

/// How many times as many frames must agree where the height of the box changed on the way.
const DOUBTFUL_FACTOR: u32 = 3;

/// A side of the line, by the sign of [`Line::signed_distance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Side {
    Negative,
    Positive,
}

/// One sight of an object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sight {
    pub(crate) at: UtcMicros,
    pub(crate) sequence: i64,
    pub(crate) anchor: Point,
    pub(crate) height: f32,
    /// Width of the box, unless an edge of the picture cuts it.
    #[serde(default)]
    pub(crate) whole_width: Option<f32>,
    pub(crate) score: f32,
    pub(crate) class: ObjectClass,
}

/// What a crossing was decided by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) direction: Direction,
    pub(crate) class: ObjectClass,
    pub(crate) score: f32,
    pub(crate) at: UtcMicros,
    pub(crate) passed: Passing,
    pub(crate) from_sequence: i64,
    pub(crate) to_sequence: i64,
    pub(crate) path: Vec<Point>,
}

/// When the anchor lay on the line, between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Passing {
    pub(crate) at: UtcMicros,
    pub(crate) sequence: i64,
}

/// How firmly a track is known to be on a side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Stand {
    side: Side,
    /// Frames in a row beyond the buffer on this side; one clear frame is worth the number that the rule asks.
    frames: u32,
    /// Height of the object in the last of them.
    height: f32,
    /// The box was as high in the last of them as in the sight before.
    same_shape: bool,
}

/// The way of one track over the line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Passage {
    /// Where the track came from: the side on which it was last known to be.
    origin: Option<Stand>,
    /// Frames on the other side that are not yet enough.
    arrival: Option<Stand>,
    /// Passings of the segment since the origin was last seen: one for negative to positive, minus one back.
    passings: i32,
    last_passing: Passing,
    /// Anchors since the object was last seen at its origin.
    path: Vec<Point>,
    path_from: i64,
    score_sum: f32,
    score_count: u32,
    /// Scores summed by class: the class flickers within its group.
    classes: BTreeMap<ObjectClass, f32>,
    /// Running mean.
    height: f32,
    /// Running mean of the boxes that no edge cuts.
    #[serde(default)]
    width: Option<f32>,
    last: Sight,
}

impl Passage {
    pub(crate) fn new(line: &Line, rule: &CrossingRule, sight: Sight) -> Self {
        let mut passage = Self {
            origin: None,
            arrival: None,
            passings: 0,
            last_passing: Passing {
                at: sight.at,
                sequence: sight.sequence,
            },
            path: Vec::new(),
            path_from: sight.sequence,
            score_sum: 0.0,
            score_count: 0,
            classes: BTreeMap::new(),
            height: sight.height,
            width: sight.whole_width,
            last: sight,
        };
        passage.remember(sight);
        passage.stand(line, rule, sight, true);
        passage
    }

    /// Width of the object, if it was ever seen between the edges of the picture.
    pub(crate) fn width(&self) -> Option<f32> {
        self.width
    }

    /// When the track was last seen.
    pub(crate) fn seen_at(&self) -> UtcMicros {
        self.last.at
    }

    /// Takes the next sight; returns the crossing that it completes.
    pub(crate) fn advance(&mut self, line: &Line, rule: &CrossingRule, sight: Sight) -> Option<Decision> {
        let same_shape = (sight.height / self.last.height - 1.0).abs() <= rule.shape_tolerance;
        self.pass(line, rule, sight);
        self.remember(sight);
        let decision = self.stand(line, rule, sight, same_shape);
        self.height += SIZE_GAIN * (sight.height - self.height);
        if let Some(seen) = sight.whole_width {
            self.width = Some(
                self.width
                    .map_or(seen, |width| width + SIZE_GAIN * (seen - width)),
            );
        }
        decision
    }

    /// The track has ended. One that was beyond the buffer on the other side when it was last seen has crossed,
    /// though the picture ended before enough frames could agree.
    pub(crate) fn end(&mut self, rule: &CrossingRule) -> Option<Decision> {
        let arrival = self.arrival.take().filter(|arrival| arrival.same_shape)?;
        self.settle(rule, arrival)
    }

    /// Notes whether the way from the last sight to this one goes through the segment.
    fn pass(&mut self, line: &Line, rule: &CrossingRule, sight: Sight) {
        let (from, to) = (self.last.anchor, sight.anchor);
        let (before, after) = (line.signed_distance(from), line.signed_distance(to));
        let step = match (before < 0.0, after < 0.0) {
            (true, false) => 1,
            (false, true) => -1,
            _ => return,
        };
        let share = before / (before - after);
        let through = Point {
            x: from.x + share * (to.x - from.x),
            y: from.y + share * (to.y - from.y),
        };
        // The ends are as blurred as the line itself.
        let margin = rule.half_width(self.height) / line.length();
        if !(-margin..=1.0 + margin).contains(&line.position_along(through)) {
            return;
        }
        self.passings = self.passings.saturating_add(step);
        let part = |whole: i64| (whole as f64 * f64::from(share)).round() as i64;
        self.last_passing = Passing {
            at: self
                .last
                .at
                .plus_micros(part(sight.at.micros_since(self.last.at))),
            sequence: self
                .last
                .sequence
                .saturating_add(part(sight.sequence.saturating_sub(self.last.sequence))),
        };
    }

    /// Notes on which side the sight is. `same_shape` says that the box is as high as in the sight before: if
    /// not, legs or head may have been lost or found, and the anchor is where nobody stands.
    fn stand(
        &mut self,
        line: &Line,
        rule: &CrossingRule,
        sight: Sight,
        same_shape: bool,
    ) -> Option<Decision> {
        let distance = line.signed_distance(sight.anchor);
        let half_width = rule.half_width(self.height);
        if distance.is_nan() || distance.abs() <= half_width {
            self.arrival = None;
            return None;
        }
        let side = if distance < 0.0 {
            Side::Negative
        } else {
            Side::Positive
        };
        let clear = same_shape && distance.abs() > rule.clear_half_widths * half_width;
        let worth = if clear { rule.agreeing_frames.max(1) } else { 1 };
        match &mut self.origin {
            None => {
                self.origin = Some(Stand {
                    side,
                    frames: worth,
                    height: sight.height,
                    same_shape,
                });
                self.start_path(sight);
                None
            }
            Some(origin) if origin.side == side => {
                origin.frames = origin.frames.saturating_add(worth);
                origin.height = sight.height;
                origin.same_shape = same_shape;
                self.arrival = None;
                self.start_path(sight);
                None
            }
            Some(origin) => {
                // An object that is suddenly lower than where it came from may have lost its legs: its foot
                // went over the line, and nobody with it. That passes; who went over stays.
                let ratio = sight.height / origin.height;
                let doubtful = (ratio - 1.0).abs() > rule.shape_tolerance / 2.0;
                let (worth, needed) = if doubtful {
                    (1, rule.agreeing_frames.saturating_mul(DOUBTFUL_FACTOR))
                } else {
                    (worth, rule.agreeing_frames)
                };
                let before = self.arrival.map_or(0, |arrival| arrival.frames);
                let frames = before.saturating_add(worth);
                let arrival = Stand {
                    side,
                    frames,
                    height: sight.height,
                    same_shape,
                };
                self.arrival = Some(arrival);
                if frames < needed {
                    return None;
                }
                self.arrival = None;
                self.settle(rule, arrival)
            }
        }
    }

    /// The track has arrived: its new side becomes its origin, and it has crossed if it went through the segment.
    fn settle(&mut self, rule: &CrossingRule, arrival: Stand) -> Option<Decision> {
        let origin = self.origin.replace(arrival)?;
        let (direction, through) = match arrival.side {
            Side::Positive => (Direction::In, self.passings >= 1),
            Side::Negative => (Direction::Out, self.passings <= -1),
        };
        // A single glimpse of the origin is believed only if the box had the shape that it has now.
        let glimpse = origin.frames < rule.agreeing_frames
            && (origin.height / arrival.height - 1.0).abs() > rule.shape_tolerance;
        let decision = (through && !glimpse).then(|| Decision {
            direction,
            class: self.class(),
            score: self.score_sum / self.score_count.max(1) as f32,
            at: self.last.at,
            passed: self.last_passing,
            from_sequence: self.path_from,
            to_sequence: self.last.sequence,
            path: self.path.clone(),
        });
        self.start_path(self.last);
        decision
    }

    fn remember(&mut self, sight: Sight) {
        self.last = sight;
        if self.path.len() >= LONGEST_PATH {
            let mut index = 0;
            self.path.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.path.push(sight.anchor);
        self.score_sum += sight.score;
        self.score_count = self.score_count.saturating_add(1);
        *self.classes.entry(sight.class).or_default() += sight.score;
    }

    fn start_path(&mut self, sight: Sight) {
        self.path.clear();
        self.path.push(sight.anchor);
        self.path_from = sight.sequence;
        self.score_sum = sight.score;
        self.score_count = 1;
        self.passings = 0;
    }

    /// The class with the greatest sum of scores.
    fn class(&self) -> ObjectClass {
        self.classes
            .iter()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map_or(self.last.class, |(class, _)| *class)
    }
}
