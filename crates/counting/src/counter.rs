use std::collections::BTreeMap;

use mineseal_domain::{Anchor, Direction, Line, ObjectClass, ObjectGroup, Point, UtcMicros};
use mineseal_tracking::TrackedObject;
use serde::{Deserialize, Serialize};

use crate::CrossingRule;
use crate::edge::{Cut, usual_width};
use crate::passage::{Decision, Passage, Sight};

/// Tracks that one counter follows at a time; a tracker with its default settings never has as many.
const MOST_TRACKS: usize = 4096;

/// An object went over the line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineCrossing {
    /// Number of the track.
    pub track: i64,
    /// By the sign rule of [`Line`].
    pub direction: Direction,
    /// The class that was seen most, weighed by score.
    pub class: ObjectClass,
    /// Mean score of the frames that decided it.
    pub score: f32,
    /// Time of the deciding frame.
    pub at: UtcMicros,
    /// When the anchor lay on the line, between the frames before and after.
    pub passed_at: UtcMicros,
    /// The sequence nearest to that.
    pub passed_sequence: i64,
    /// Sequence of the last frame in which the object was on its old side.
    pub from_sequence: i64,
    /// Sequence of the deciding frame.
    pub to_sequence: i64,
    /// Anchors between those two, in pixels; thinned if there are many.
    pub path: Vec<Point>,
}

/// Counts the tracks of one camera over one line.
///
/// A track has crossed when it was on one side and then on the other, beyond the buffer, for as many frames in a
/// row as the rule asks, and its way went through the segment. To stand on the line, to turn back inside the
/// buffer and to go round an end gives nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossingCounter {
    line: Line,
    anchor: Anchor,
    group: ObjectGroup,
    rule: CrossingRule,
    passages: BTreeMap<i64, Passage>,
    last: Option<UtcMicros>,
    /// Width and height of the picture, if known. States of earlier versions have none.
    #[serde(default)]
    picture: Option<(f32, f32)>,
}

impl CrossingCounter {
    /// A counter that has seen nothing; `line` in pixels of the picture that the boxes lie in.
    #[must_use]
    pub fn new(line: Line, anchor: Anchor, group: ObjectGroup, rule: CrossingRule) -> Self {
        Self {
            line,
            anchor,
            group,
            rule,
            passages: BTreeMap::new(),
            last: None,
            picture: None,
        }
    }

    /// The same counter for pictures of this size, in pixels: whom an edge cuts off is counted where he stands,
    /// not where the rest of him is seen. Without it a line nearer to an edge than half an object and the buffer
    /// counts nobody.
    #[must_use]
    pub fn in_picture(mut self, width: f32, height: f32) -> Self {
        self.picture = Some((width, height));
        self
    }

    /// Takes the objects of the frame of time `at` and number `sequence`; returns the crossings that are decided
    /// by it, by track number. A crossing can be decided later than it happened: its own `at` and `to_sequence`
    /// tell when that was.
    ///
    /// A frame that is not later than the last one changes nothing, unless time went back by more than the
    /// rule's memory: then the clock was set, the tracks of the time before end, and counting goes on.
    pub fn update(&mut self, at: UtcMicros, sequence: i64, objects: &[TrackedObject]) -> Vec<LineCrossing> {
        let mut crossings = Vec::new();
        if let Some(last) = self.last {
            let seconds = at.seconds_since(last);
            if seconds < -self.rule.memory_seconds {
                crossings = self.finish();
            } else if seconds <= 0.0 {
                return Vec::new();
            }
        }
        self.last = Some(at);
        for object in objects {
            let detection = &object.detection;
            let mut seen = object.estimate;
            if detection.class.group() != Some(self.group) || !seen.is_sound() || !detection.score.is_finite()
            {
                continue;
            }
            let cut = self
                .picture
                .map(|picture| Cut::of(&detection.bounding_box, picture));
            if let Some(cut) = cut {
                let known = self.passages.get(&object.track).and_then(Passage::width);
                let width = known.unwrap_or_else(|| usual_width(self.group, &seen));
                seen = cut.uncut(&seen, width);
            }
            let sight = Sight {
                at,
                sequence,
                anchor: seen.anchor(self.anchor),
                height: seen.height,
                whole_width: (!cut.is_some_and(Cut::sideways)).then_some(seen.width),
                score: detection.score,
                class: detection.class,
            };
            if let Some(passage) = self.passages.get_mut(&object.track) {
                let decision = passage.advance(&self.line, &self.rule, sight);
                crossings.extend(decision.map(|decision| crossing(object.track, decision)));
            } else if self.passages.len() < MOST_TRACKS {
                self.passages
                    .insert(object.track, Passage::new(&self.line, &self.rule, sight));
            }
        }
        crossings.extend(self.forget(at));
        crossings.sort_by_key(|crossing| crossing.track);
        crossings
    }

    /// Ends all tracks, as at the end of a recording, and returns the crossings that this decides.
    pub fn finish(&mut self) -> Vec<LineCrossing> {
        let rule = self.rule;
        let ended = std::mem::take(&mut self.passages);
        ended
            .into_iter()
            .filter_map(|(track, mut passage)| passage.end(&rule).map(|decision| crossing(track, decision)))
            .collect()
    }

    fn forget(&mut self, at: UtcMicros) -> Vec<LineCrossing> {
        let rule = self.rule;
        self.passages
            .extract_if(.., |_, passage| {
                at.seconds_since(passage.seen_at()) > rule.memory_seconds
            })
            .filter_map(|(track, mut passage)| passage.end(&rule).map(|decision| crossing(track, decision)))
            .collect()
    }
}

fn crossing(track: i64, decision: Decision) -> LineCrossing {
    LineCrossing {
        track,
        direction: decision.direction,
        class: decision.class,
        score: decision.score,
        at: decision.at,
        passed_at: decision.passed.at,
        passed_sequence: decision.passed.sequence,
        from_sequence: decision.from_sequence,
        to_sequence: decision.to_sequence,
        path: decision.path,
    }
}
