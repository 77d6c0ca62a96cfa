//! The still scene: bodies, lamps, sky; light at any of its points.

use crate::camera::Camera;
use crate::material::Material;
use crate::math::{Vec3, cloud, mix, smoothstep, vec3};
use crate::paint::LocalLight;
use crate::solid::{Meeting, Solid};
use crate::tree::Tree;
use crate::{Daylight, SceneKind};

#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) solid: Solid,
    pub(crate) material: Material,
}

/// A lamp: light falls with the square of the distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lamp {
    pub(crate) place: Vec3,
    /// Light on a surface at one metre.
    pub(crate) light: Vec3,
    /// Radius of the visible glow in metres; 0 for none.
    pub(crate) halo: f32,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) things: Vec<Thing>,
    pub(crate) lamps: Vec<Lamp>,
    tree: Tree,
    /// Direction towards the sun or moon and its light.
    pub(crate) sun: Option<(Vec3, Vec3)>,
    pub(crate) sky: Vec3,
    pub(crate) horizon: Vec3,
    /// Light from everywhere, where the sky is not seen.
    pub(crate) ambient: Vec3,
    /// Share of the sky that a point sees; decides how far daylight reaches.
    pub(crate) kind: SceneKind,
    pub(crate) seed: u32,
}

impl World {
    pub(crate) fn new(kind: SceneKind, daylight: Daylight, seed: u64) -> Self {
        let seed = (seed ^ (seed >> 32)) as u32;
        let azimuth = if seed & 1 == 0 { 1.0 } else { -1.0 };
        let (sky, horizon, sun) = match daylight {
            Daylight::Day => (
                vec3(0.55, 0.70, 0.95),
                vec3(1.25, 1.32, 1.42),
                Some((
                    vec3(0.62 * azimuth, 0.72, -0.52).normalised(),
                    vec3(2.3, 2.1, 1.75),
                )),
            ),
            Daylight::Overcast => (vec3(1.10, 1.15, 1.20), vec3(1.55, 1.58, 1.60), None),
            Daylight::Dusk => (vec3(0.085, 0.105, 0.16), vec3(0.24, 0.20, 0.20), None),
            Daylight::Night => (vec3(0.006, 0.008, 0.014), vec3(0.020, 0.020, 0.024), None),
        };
        Self {
            things: Vec::new(),
            lamps: Vec::new(),
            tree: Tree::default(),
            sun,
            sky,
            horizon,
            ambient: vec3(0.004, 0.004, 0.004),
            kind,
            seed,
        }
    }

    pub(crate) fn add(&mut self, solid: Solid, material: Material) {
        self.things.push(Thing { solid, material });
    }

    pub(crate) fn block(&mut self, low: [f32; 3], high: [f32; 3], material: Material) {
        let corner = |[x, y, z]: [f32; 3]| vec3(x, y, z);
        self.add(
            Solid::Block {
                low: corner(low),
                high: corner(high),
            },
            material,
        );
    }

    pub(crate) fn lamp(&mut self, place: [f32; 3], light: Vec3, halo: f32) {
        let [x, y, z] = place;
        self.lamps.push(Lamp {
            place: vec3(x, y, z),
            light,
            halo,
        });
    }

    /// Seed of a body's surface.
    pub(crate) fn seed_of(&self, body: usize) -> u32 {
        self.seed.wrapping_add((body as u32).wrapping_mul(977))
    }

    /// Makes rays quick; bodies added later are not seen.
    pub(crate) fn finish(&mut self) {
        let solids: Vec<Solid> = self.things.iter().map(|thing| thing.solid).collect();
        self.tree = Tree::new(&solids);
    }

    /// The first body on the ray.
    pub(crate) fn first(&self, origin: Vec3, direction: Vec3) -> Option<(usize, Meeting)> {
        let mut best: Option<(usize, Meeting)> = None;
        self.tree
            .visit(origin, direction, f32::INFINITY, |number, reach| {
                let number = number as usize;
                match self
                    .things
                    .get(number)
                    .and_then(|thing| thing.solid.meet(origin, direction))
                {
                    // The lower number wins where two bodies meet the ray at the same place.
                    Some(found)
                        if found.distance < reach
                            || (found.distance == reach && best.is_some_and(|(other, _)| number < other)) =>
                    {
                        best = Some((number, found));
                        found.distance
                    }
                    _ => reach,
                }
            });
        best
    }

    /// Whether anything stands between `from` and `to`, both ends left out.
    pub(crate) fn blocked(&self, from: Vec3, to: Vec3) -> bool {
        let way = to - from;
        let mut hit = false;
        self.tree.visit(from, way, 0.97, |number, reach| {
            let stops = self.things.get(number as usize).is_some_and(|thing| {
                !matches!(thing.material, Material::Glow { .. })
                    && !matches!(thing.solid, Solid::Ground)
                    && thing
                        .solid
                        .meet(from, way)
                        .is_some_and(|found| found.distance > 0.002 && found.distance < 0.97)
            });
            hit |= stops;
            if stops { -1.0 } else { reach }
        });
        hit
    }

    /// Share of the sky that lights a point.
    pub(crate) fn openness(&self, point: Vec3) -> f32 {
        match self.kind {
            SceneKind::ShaftMouth if point.z > 0.0 && point.x.abs() < 9.0 => {
                let deep = point.z / 1.6;
                0.55 / (1.0 + deep * deep)
            }
            SceneKind::Belt | SceneKind::DispatchRoom => 0.0,
            _ => 1.0,
        }
    }

    /// How much corners and nooks darken a surface point, 0 to 1.
    fn nook(&self, point: Vec3, normal: Vec3) -> f32 {
        let side = if normal.y.abs() > 0.8 {
            vec3(1.0, 0.0, 0.0)
        } else {
            Vec3::UP
        };
        let tangent = side.cross(normal).normalised();
        let other = normal.cross(tangent);
        let reach = 0.9;
        let mut open = 0.0;
        for (u, v) in [(0.8, 0.0), (-0.4, 0.7), (-0.4, -0.7), (0.0, 0.1)] {
            let direction = (normal * 0.62 + tangent * u + other * v).normalised();
            let start = point + normal * 0.01;
            let mut free = reach;
            self.tree.visit(start, direction, reach, |number, reach| {
                let met = self
                    .things
                    .get(number as usize)
                    .and_then(|thing| thing.solid.meet(start, direction));
                free = met.map_or(free, |found| free.min(found.distance));
                reach.min(free)
            });
            open += (free / reach).sqrt() * 0.25;
        }
        open
    }

    /// Light that a matt white surface returns at that point.
    pub(crate) fn light_on(&self, point: Vec3, normal: Vec3) -> Vec3 {
        let nook = self.nook(point, normal);
        let open = self.openness(point);
        let upward = 0.5 + 0.5 * normal.y;
        let mut light = (self.ambient + (self.horizon * 0.35).mix(self.sky, upward) * open) * nook;
        let start = point + normal * 0.01;
        if let Some((direction, colour)) = self.sun {
            let lambert = normal.dot(direction);
            if lambert > 0.0 && !self.blocked(start, start + direction * 60.0) {
                light = light + colour * lambert;
            }
        }
        for lamp in &self.lamps {
            let way = lamp.place - start;
            let square = way.dot(way).max(0.05);
            let lambert = normal.dot(way) / square.sqrt();
            if lambert <= 0.0 || lamp.light.largest() * lambert < square * 0.002 {
                continue;
            }
            if !self.blocked(start, lamp.place) {
                light = light + lamp.light * (lambert / square) * (0.6 + 0.4 * nook);
            }
        }
        light
    }

    /// Light for a figure that stands there.
    pub(crate) fn local_light(&self, point: Vec3, camera: &Camera) -> LocalLight {
        let open = self.openness(point);
        let mut beams = Vec::new();
        let mut below = self.ambient + self.sky * (0.10 * open);
        if let Some((direction, colour)) = self.sun
            && !self.blocked(point, point + direction * 60.0)
        {
            beams.push((camera.to_view(direction), colour));
            below = below + colour * 0.10;
        }
        for lamp in &self.lamps {
            let way = lamp.place - point;
            let square = way.dot(way).max(0.3);
            if lamp.light.largest() < square * 0.004 || self.blocked(point, lamp.place) {
                continue;
            }
            let strength = lamp.light * (1.0 / square);
            below = below + strength * 0.08;
            beams.push((camera.to_view(way.normalised()), strength));
        }
        LocalLight {
            sky: self.ambient + self.sky * (0.9 * open),
            bounce: below,
            up: camera.to_view(Vec3::UP),
            beams,
        }
    }

    /// The two strongest lights at a point on the ground, as directions towards them with the share of all light
    /// that each gives: for cast shadows.
    pub(crate) fn shadow_lights(&self, point: Vec3) -> Vec<(ShadowLight, f32)> {
        let open = self.openness(point);
        let mut found = Vec::new();
        let mut total = (self.ambient + self.sky * open).largest();
        if let Some((direction, colour)) = self.sun
            && !self.blocked(point, point + direction * 60.0)
        {
            let strength = colour.largest() * direction.y;
            found.push((ShadowLight::Far(direction), strength));
            total += strength;
        }
        for lamp in &self.lamps {
            let way = lamp.place - point;
            let square = way.dot(way).max(0.3);
            let strength = lamp.light.largest() * (way.y / square.sqrt()).max(0.0) / square;
            if strength > 0.01 && !self.blocked(point, lamp.place) {
                found.push((ShadowLight::Near(lamp.place), strength));
                total += strength;
            }
        }
        found.sort_by(|one, other| other.1.total_cmp(&one.1));
        found.truncate(2);
        for light in &mut found {
            light.1 /= total.max(1e-6);
        }
        found
    }

    /// Light from the sky in that direction, with clouds and a range of hills.
    pub(crate) fn sky_in(&self, direction: Vec3) -> Vec3 {
        let flat = vec3(direction.x, 0.0, direction.z);
        let rise = direction.y / flat.length().max(1e-3);
        let around = direction.x / direction.z.abs().max(0.1);
        let ridge = 0.035
            + 0.07 * cloud(around * 2.2, 0.0, self.seed ^ 77)
            + 0.012 * cloud(around * 14.0, 1.0, self.seed);
        if rise < ridge && direction.z > 0.0 {
            let haze = self.horizon * 0.62;
            return haze.mix(vec3(0.10, 0.11, 0.08).times(self.sky * 1.6), 0.55);
        }
        let height = smoothstep(0.0, 0.7, rise);
        let veil = cloud(around * 1.6, rise * 6.0, self.seed ^ 31);
        let base = self.horizon.mix(self.sky, height);
        base * mix(0.92, 1.12, veil)
    }
}

/// Where a shadow comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ShadowLight {
    /// The sun, in that direction.
    Far(Vec3),
    /// A lamp at that place.
    Near(Vec3),
}
