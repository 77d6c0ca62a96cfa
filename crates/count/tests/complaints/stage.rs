//! Scenes with people and vehicles on scripted ways, and the count of what an eye tells of them.

use mineseal_counting::{CrossingCounter, CrossingRule, LineCrossing, past_the_edges};
use mineseal_domain::{Anchor, BoundingBox, Direction, Line, ObjectGroup, UtcMicros};
use mineseal_scene::{
    Actor, DemoCourse, Figure, Posture, Scene, SceneKind, SceneScript, TruthObject, VehicleLook,
    VehicleModel, Waypoint,
};
use mineseal_tracking::{Tracker, TrackerSettings};

use crate::eye::{Errors, Eye};

/// Seconds, metres to the right, metres beyond the line.
pub(crate) type Point = (f64, f32, f32);

/// A place whose actors are being put on.
pub(crate) struct Stage {
    script: SceneScript,
    looks: Vec<Figure>,
}

impl Stage {
    /// An empty place of that kind, so many pictures a second.
    pub(crate) fn new(kind: SceneKind, seconds: f64, frames_per_second: f64) -> Self {
        let crowd = DemoCourse::Working { peak_people: 12 };
        let dressed = SceneScript::demo(SceneKind::ShaftMouth, 7, 120.0, crowd);
        let looks = dressed.actors.into_iter().map(|actor| actor.figure).collect();
        let mut script = SceneScript::demo(kind, 7, seconds, DemoCourse::default());
        script.actors.clear();
        script.frames_per_second = frames_per_second;
        Self { script, looks }
    }

    /// Looked at from a mast, as a place with crowds should be.
    pub(crate) fn looked_at_from_above(mut self) -> Self {
        self.script.look.camera_height = 6.0;
        self
    }

    pub(crate) fn person(mut self, way: &[Point]) -> Self {
        let figure = self.looks[self.script.actors.len() % self.looks.len()].clone();
        self.add(figure, way);
        self
    }

    pub(crate) fn vehicle(mut self, model: VehicleModel, way: &[Point]) -> Self {
        let look = VehicleLook {
            model,
            paint: [150, 40, 30],
            loaded: false,
        };
        self.add(Figure::Vehicle(look), way);
        self
    }

    fn add(&mut self, figure: Figure, way: &[Point]) {
        let id = self.script.actors.len() as i64 + 1;
        let waypoint = |&(at_seconds, x, z): &Point| Waypoint {
            at_seconds,
            x,
            z,
            posture: Posture::Upright,
        };
        let way = way.iter().map(waypoint).collect();
        self.script.actors.push(Actor { id, figure, way });
    }

    /// What is truly to be seen.
    pub(crate) fn play(self) -> Play {
        let scene = Scene::new(self.script.clone()).unwrap();
        let (width, height) = (self.script.width as f32, self.script.height as f32);
        let frames = (0..scene.frame_count()).map(|index| {
            let truth = scene.truth(index);
            (UtcMicros(truth.media_time_micros), truth.objects)
        });
        Play {
            size: (width, height),
            line: scene.lines()[0].line.scaled(width, height),
            frames: frames.collect(),
        }
    }
}

/// What is truly to be seen, picture by picture.
pub(crate) struct Play {
    pub(crate) size: (f32, f32),
    /// The place's own line, in pixels.
    pub(crate) line: Line,
    pub(crate) frames: Vec<(UtcMicros, Vec<TruthObject>)>,
}

/// Entries and exits.
pub(crate) type Count = (usize, usize);

impl Play {
    /// Every second picture.
    pub(crate) fn at_half_the_rate(&self) -> Self {
        Self {
            size: self.size,
            line: self.line,
            frames: self.frames.iter().step_by(2).cloned().collect(),
        }
    }

    /// The box of the first object at this second.
    pub(crate) fn first_box(&self, seconds: f64) -> BoundingBox {
        let frame = self.frames.iter().find(|frame| frame.0.0 as f64 >= seconds * 1e6);
        frame.unwrap().1[0].bounding_box
    }

    /// What tracker and counter make of what the eye tells.
    pub(crate) fn crossings(&self, group: ObjectGroup, errors: &Errors, seed: u64) -> Vec<LineCrossing> {
        let mut eye = Eye::new(errors.clone(), self.size, seed);
        let mut tracker = Tracker::new(TrackerSettings::default());
        let line = past_the_edges(self.line, self.size.0, self.size.1);
        let mut counter = CrossingCounter::new(line, Anchor::Foot, group, CrossingRule::default())
            .in_picture(self.size.0, self.size.1);
        let mut crossings = Vec::new();
        for (sequence, (at, objects)) in self.frames.iter().enumerate() {
            let objects = tracker.update(*at, &eye.look(objects));
            crossings.extend(counter.update(*at, sequence as i64, &objects));
        }
        crossings.extend(counter.finish());
        crossings
    }

    pub(crate) fn count(&self, group: ObjectGroup, errors: &Errors, seed: u64) -> Count {
        let crossings = self.crossings(group, errors, seed);
        let inward = crossings
            .iter()
            .filter(|crossing| crossing.direction == Direction::In)
            .count();
        (inward, crossings.len() - inward)
    }
}
