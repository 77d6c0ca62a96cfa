use mineseal_domain::{BoundingBox, Detection, ObjectClass, ObjectGroup, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::TrackerSettings;
use crate::association::Expectation;
use crate::camera::Innovation;
use crate::kalman::{AxisModel, BoxFilter, MotionModel};
use crate::partial::whole_of;

/// An object that was found in the frame just given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackedObject {
    /// Number of the track, from 1, never used again by the same tracker.
    pub track: i64,
    /// What the detector found in this frame. Its class may differ from frame to frame within its group.
    pub detection: Detection,
    /// Detections of this track so far, this one among them.
    pub hits: u32,
    /// The track was found often or surely enough to be believed (see [`TrackerSettings`]).
    pub confirmed: bool,
    /// Where the object is by all detections so far: steadier than the detection, which loses legs and arms.
    pub estimate: BoundingBox,
}

/// What is followed together: the members of a group are one kind, every other class is a kind of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    Group(ObjectGroup),
    Class(ObjectClass),
}

impl Kind {
    pub(crate) fn of(class: ObjectClass) -> Self {
        class.group().map_or(Self::Class(class), Self::Group)
    }

    /// People are slower than what has wheels, for their size, and stop sooner where they are not seen.
    pub(crate) fn motion(self) -> MotionModel {
        let centre = match self {
            Self::Group(ObjectGroup::Person) => AxisModel {
                first_velocity: 0.8,
                agitation: 0.16,
                memory_seconds: 2.5,
                ..CENTRE
            },
            Self::Group(ObjectGroup::Vehicle) | Self::Class(_) => CENTRE,
        };
        MotionModel {
            centre,
            extent: EXTENT,
        }
    }
}

/// Of everything but people.
const CENTRE: AxisModel = AxisModel {
    first_velocity: 3.0,
    agitation: 1.6,
    memory_seconds: 4.0,
    jitter: 0.042,
};

/// Of everything: boxes grow and shrink slowly.
const EXTENT: AxisModel = AxisModel {
    first_velocity: 0.06,
    agitation: 0.15,
    memory_seconds: 1.3,
    jitter: 0.055,
};

/// How long an object may be seen in part before the part is all there is, in seconds.
const PARTIAL_SECONDS: f64 = 1.0;

/// One followed object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    pub(crate) number: i64,
    pub(crate) kind: Kind,
    pub(crate) hits: u32,
    /// When it was last found.
    pub(crate) seen_at: UtcMicros,
    best_score: f32,
    /// How long ago it was last found whole, in seconds. States of earlier versions have none.
    #[serde(default)]
    partial_seconds: f64,
    filter: BoxFilter,
}

impl Track {
    pub(crate) fn new(number: i64, at: UtcMicros, detection: &Detection) -> Self {
        let kind = Kind::of(detection.class);
        let filter = BoxFilter::new(&detection.bounding_box, &kind.motion());
        Self {
            number,
            kind,
            hits: 1,
            seen_at: at,
            best_score: detection.score,
            partial_seconds: 0.0,
            filter,
        }
    }

    pub(crate) fn predict(&mut self, seconds: f64) {
        self.filter.predict(seconds, &self.kind.motion());
        self.partial_seconds += seconds;
    }

    pub(crate) fn correct(&mut self, at: UtcMicros, detection: &Detection) {
        let seen = detection.bounding_box;
        let whole = self
            .completes()
            .then(|| whole_of(&self.filter.bounding_box(), &seen))
            .flatten();
        if whole.is_none() {
            self.partial_seconds = 0.0;
        }
        self.filter.correct(&whole.unwrap_or(seen), &self.kind.motion());
        self.hits = self.hits.saturating_add(1);
        self.seen_at = at;
        self.best_score = self.best_score.max(detection.score);
    }

    /// Moves the track by what the picture moved, in pixels.
    pub(crate) fn shift(&mut self, displacement: [f64; 2]) {
        self.filter.shift(displacement);
    }

    /// How far the detection lies from where the track expected it.
    pub(crate) fn innovation(&self, detection: &Detection) -> Innovation {
        self.filter
            .innovation(&detection.bounding_box, &self.kind.motion())
    }

    pub(crate) fn expectation(&self) -> Expectation {
        Expectation {
            bounding_box: self.filter.bounding_box(),
            deviation: self.filter.centre_deviation(),
            completes: self.completes(),
        }
    }

    /// Whether a part is taken for the whole: not of an object that has hardly been seen, and not for ever, since
    /// it may be that there is no more of it.
    fn completes(&self) -> bool {
        self.hits > 1 && self.partial_seconds <= PARTIAL_SECONDS
    }

    /// What is told of the track when it was found as `detection`.
    pub(crate) fn object(&self, detection: Detection, settings: &TrackerSettings) -> TrackedObject {
        let confirmed = self.hits >= settings.confirming_hits || self.best_score >= settings.confirming_score;
        let estimate = self.filter.bounding_box();
        TrackedObject {
            track: self.number,
            detection,
            hits: self.hits,
            confirmed,
            estimate,
        }
    }
}
