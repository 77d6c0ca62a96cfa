//! People for the tests of the crossing rule.
#![allow(dead_code, reason = "each test file uses its own part")]

use mineseal_counting::{CrossingCounter, CrossingRule, LineCrossing};
use mineseal_domain::{Anchor, BoundingBox, Detection, Line, ObjectClass, ObjectGroup, UtcMicros};
use mineseal_tracking::{TrackedObject, Tracker, TrackerSettings};

pub(crate) const HEIGHT: f32 = 60.0;
pub(crate) const WIDTH: f32 = 24.0;
/// Time between frames, in microseconds: 5 a second.
pub(crate) const STEP: i64 = 200_000;

/// A person whose foot stands there.
pub(crate) fn person(x: f32, foot: f32) -> Detection {
    let bounding_box = BoundingBox {
        left: x - WIDTH / 2.0,
        top: foot - HEIGHT,
        width: WIDTH,
        height: HEIGHT,
    };
    Detection {
        class: ObjectClass::Person,
        score: 0.8,
        bounding_box,
    }
}

pub(crate) fn object(track: i64, detection: Detection) -> TrackedObject {
    TrackedObject {
        track,
        detection,
        estimate: detection.bounding_box,
        hits: 9,
        confirmed: true,
    }
}

pub(crate) fn counter(line: Line) -> CrossingCounter {
    CrossingCounter::new(line, Anchor::Foot, ObjectGroup::Person, CrossingRule::default())
}

/// Detections of each frame through tracker and counter.
pub(crate) fn follow(
    line: Line,
    frames: impl IntoIterator<Item = impl AsRef<[Detection]>>,
) -> Vec<LineCrossing> {
    let (mut tracker, mut counter) = (Tracker::new(TrackerSettings::default()), counter(line));
    let mut crossings = Vec::new();
    for (index, detections) in frames.into_iter().enumerate() {
        let at = UtcMicros(index as i64 * STEP);
        crossings.extend(counter.update(at, index as i64, &tracker.update(at, detections.as_ref())));
    }
    crossings.extend(counter.finish());
    crossings
}
