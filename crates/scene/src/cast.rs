//! The moving figures of a scene at an instant, as sprites.

use mineseal_domain::ObjectClass;

use crate::camera::Camera;
use crate::figure::{Parts, Sprite};
use crate::math::{cosine, sine, smoothstep, vec3};
use crate::paint::Paint;
use crate::person;
use crate::raster::Shape;
use crate::vehicle;
use crate::way::Way;
use crate::{Actor, Daylight, Figure, SceneKind, SceneScript, VehicleModel};

/// The class under which truth names a figure.
pub(crate) fn class_of(figure: &Figure) -> ObjectClass {
    match figure {
        Figure::Person(_) => ObjectClass::Person,
        Figure::Vehicle(look) => match look.model {
            VehicleModel::CoalTruck => ObjectClass::Truck,
            VehicleModel::Car => ObjectClass::Car,
            VehicleModel::Bus => ObjectClass::Bus,
        },
    }
}

/// Actors and their ways.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) actors: Vec<Actor>,
    pub(crate) ways: Vec<Way>,
    kind: SceneKind,
    lights_on: bool,
}

impl Cast {
    pub(crate) fn new(script: &SceneScript) -> Self {
        Self {
            actors: script.actors.clone(),
            ways: script.actors.iter().map(Way::new).collect(),
            kind: script.kind,
            lights_on: matches!(script.look.daylight, Daylight::Dusk | Daylight::Night),
        }
    }

    /// Far sprites first, each with the number of its actor; the barrier of the gate has none.
    pub(crate) fn sprites(&self, seconds: f64, camera: &Camera) -> Vec<(Option<usize>, Sprite)> {
        let mut sprites: Vec<_> = (0..self.actors.len())
            .filter_map(|number| {
                self.sprite(number, seconds, camera)
                    .map(|sprite| (Some(number), sprite))
            })
            .collect();
        if self.kind == SceneKind::VehicleGate {
            sprites.push((None, self.barrier(seconds, camera)));
        }
        sprites.sort_by(|one, other| {
            other
                .1
                .distance
                .total_cmp(&one.1.distance)
                .then(one.0.cmp(&other.0))
        });
        sprites
    }

    /// The actor's sprite, where he is present and not too near to the lens.
    pub(crate) fn sprite(&self, number: usize, seconds: f64, camera: &Camera) -> Option<Sprite> {
        let (actor, way) = (self.actors.get(number)?, self.ways.get(number)?);
        if !way.present(seconds) {
            return None;
        }
        let pose = way.pose(seconds);
        let chest = vec3(pose.x, pose.ground + 1.2, pose.z);
        let distance = camera.project(vec3(pose.x, 0.9, pose.z)).depth;
        let mut parts = Parts::default();
        match &actor.figure {
            Figure::Person(look) => {
                if distance < 1.2 {
                    return None;
                }
                person::parts(look, &pose, camera, &mut parts);
            }
            Figure::Vehicle(look) => {
                if distance < 0.5 - vehicle::half_length(look.model) {
                    return None;
                }
                vehicle::parts(look, &pose, camera, self.lights_on, &mut parts);
                if parts.parts.is_empty() {
                    return None;
                }
            }
        }
        Some(Sprite::new(parts, chest, distance))
    }

    /// The barrier: open while a vehicle is near the line.
    fn barrier(&self, seconds: f64, camera: &Camera) -> Sprite {
        let nearest = self
            .ways
            .iter()
            .zip(&self.actors)
            .filter(|(way, actor)| matches!(actor.figure, Figure::Vehicle(_)) && way.present(seconds))
            .map(|(way, _)| way.pose(seconds).z.abs())
            .fold(f32::INFINITY, f32::min);
        let open = 1.0 - smoothstep(7.0, 10.5, nearest);
        let turn = 0.235 * open;
        let hinge = vec3(-4.75, 1.02, 0.0);
        let tip = hinge + vec3(cosine(turn), sine(turn), 0.0) * 9.2;
        let (a, b) = (camera.project(hinge), camera.project(tip));
        let pixels = |depth: f32| 0.055 * camera.focal / depth.max(1.0);
        let mut parts = Parts::default();
        let shape = Shape::Limb {
            a,
            b,
            radius_a: pixels(a.depth),
            radius_b: pixels(b.depth),
        };
        parts.parts.push(crate::figure::Part {
            shape,
            paint: Paint::Stripes,
            order: 0.0,
            carried: false,
        });
        parts.bones.push(crate::figure::Bone {
            a: hinge,
            b: tip,
            radius: 0.05,
        });
        let middle = vec3(0.0, 1.0, 0.0);
        Sprite::new(parts, middle, camera.project(middle).depth)
    }
}
