//! The still scene as one picture: every pixel's light, depth and body, computed once.

use crate::camera::Camera;
use crate::material::Material;
use crate::math::{Vec3, clamp01};
use crate::paint::Grade;
use crate::world::World;

/// A still picture with what is needed to draw into it.
#[derive(Clone, Debug)]
pub(crate) struct Still {
    pub(crate) rgb: Vec<u8>,
    /// Along the view axis, in metres; very far for the sky.
    pub(crate) depth: Vec<f32>,
    /// Number of the body that each pixel shows.
    pub(crate) bodies: Vec<u16>,
    /// Where shadows of figures fall: upward faces near the ground.
    pub(crate) floor: Vec<bool>,
}

const SKY_DEPTH: f32 = 1e6;

/// Number of the sky among the bodies.
const SKY: u16 = u16::MAX;

/// What a ray from the camera meets.
#[derive(Clone, Copy, Debug)]
struct Sight {
    body: u16,
    depth: f32,
    normal: Vec3,
}

/// Rays through pixels, and the light found so far.
struct Baker<'a> {
    world: &'a World,
    camera: &'a Camera,
    grade: &'a Grade,
    width: usize,
    height: usize,
    sights: Vec<Sight>,
    /// Light on the surface that a pixel shows, where it has been worked out.
    lights: Vec<Option<Vec3>>,
}

/// Renders the still scene.
pub(crate) fn bake(world: &World, camera: &Camera, grade: &Grade, width: usize, height: usize) -> Still {
    let mut baker = Baker {
        world,
        camera,
        grade,
        width,
        height,
        sights: Vec::with_capacity(width * height),
        lights: vec![None; width * height],
    };
    baker.look();
    baker.light();
    let mut still = Still {
        rgb: baker.develop(),
        depth: baker.sights.iter().map(|sight| sight.depth).collect(),
        bodies: baker.sights.iter().map(|sight| sight.body).collect(),
        floor: baker.floor(),
    };
    for lamp in &world.lamps {
        halo(
            &mut still, camera, lamp.place, lamp.light, lamp.halo, width, height,
        );
    }
    still
}

impl Baker<'_> {
    fn sight(&self, x: f32, y: f32) -> Sight {
        match self.world.first(self.camera.position, self.camera.ray(x, y)) {
            Some((body, meeting)) => Sight {
                body: (body as u16).min(SKY - 1),
                depth: meeting.distance,
                normal: meeting.normal,
            },
            None => Sight {
                body: SKY,
                depth: SKY_DEPTH,
                normal: Vec3::UP,
            },
        }
    }

    fn point(&self, x: f32, y: f32, depth: f32) -> Vec3 {
        self.camera.position + self.camera.ray(x, y) * depth
    }

    fn look(&mut self) {
        for row in 0..self.height {
            for column in 0..self.width {
                let sight = self.sight(column as f32 + 0.5, row as f32 + 0.5);
                self.sights.push(sight);
            }
        }
    }

    /// Works light out for every second pixel of every second row. Between them it is taken from neighbours
    /// that show the same surface and agree; where they do not (edges of shadows, of bodies), several points of
    /// the pixel are asked.
    fn light(&mut self) {
        for row in (0..self.height).step_by(2) {
            for column in (0..self.width).step_by(2) {
                self.light_at(column, row, &[(0.5, 0.5)]);
            }
        }
        let mut at_shadows = Vec::new();
        for row in 0..self.height {
            for column in 0..self.width {
                let around: &[(i64, i64)] = match (column % 2, row % 2) {
                    (0, 0) => &[(-2, 0), (2, 0), (0, -2), (0, 2)],
                    (1, 0) => &[(-1, 0), (1, 0)],
                    (0, _) => &[(0, -1), (0, 1)],
                    _ => &[(-1, -1), (1, -1), (-1, 1), (1, 1)],
                };
                match self.agreed(column, row, around) {
                    None => at_shadows.push((column, row)),
                    Some(light) if column % 2 == 1 || row % 2 == 1 => {
                        if let Some(place) = self.lights.get_mut(row * self.width + column) {
                            *place = Some(light);
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        for (column, row) in at_shadows {
            self.light_at(
                column,
                row,
                &[(0.25, 0.4), (0.75, 0.3), (0.6, 0.75), (0.35, 0.85)],
            );
        }
    }

    /// The mean of the neighbours' light, if they show the same surface and agree.
    fn agreed(&self, column: usize, row: usize, around: &[(i64, i64)]) -> Option<Vec3> {
        let own = self.sights.get(row * self.width + column)?;
        if own.body == SKY {
            return Some(Vec3::ZERO);
        }
        let (mut sum, mut count) = (Vec3::ZERO, 0.0);
        let (mut least, mut most) = (f32::INFINITY, 0.0_f32);
        for &(dx, dy) in around {
            if let Some((sight, Some(light))) = self.neighbour(column, row, dx, dy)
                && alike(own, &sight)
            {
                sum = sum + light;
                count += 1.0;
                least = least.min(light.largest());
                most = most.max(light.largest());
            }
        }
        (count > 0.0 && most <= least * 1.12 + 0.003).then(|| sum * (1.0 / count))
    }

    /// Light of the pixel's own surface, the mean over those of the points that show it.
    fn light_at(&mut self, column: usize, row: usize, points: &[(f32, f32)]) {
        let offset = row * self.width + column;
        let Some(&own) = self.sights.get(offset) else {
            return;
        };
        if own.body == SKY {
            return;
        }
        let (mut sum, mut count) = (Vec3::ZERO, 0.0);
        for &(dx, dy) in points {
            let (x, y) = (column as f32 + dx, row as f32 + dy);
            let sight = if points.len() == 1 { own } else { self.sight(x, y) };
            if alike(&own, &sight) {
                sum = sum + self.world.light_on(self.point(x, y, sight.depth), sight.normal);
                count += 1.0;
            }
        }
        if count == 0.0 {
            sum = self.world.light_on(
                self.point(column as f32 + 0.5, row as f32 + 0.5, own.depth),
                own.normal,
            );
            count = 1.0;
        }
        if let Some(place) = self.lights.get_mut(offset) {
            *place = Some(sum * (1.0 / count));
        }
    }

    fn neighbour(&self, column: usize, row: usize, dx: i64, dy: i64) -> Option<(Sight, Option<Vec3>)> {
        let (x, y) = (column as i64 + dx, row as i64 + dy);
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 {
            return None;
        }
        let offset = y as usize * self.width + x as usize;
        Some((
            *self.sights.get(offset)?,
            self.lights.get(offset).copied().flatten(),
        ))
    }

    /// Light that comes from there to the camera.
    fn shade(&self, x: f32, y: f32, sight: &Sight, light: Option<Vec3>) -> Vec3 {
        let direction = self.camera.ray(x, y);
        let Some(thing) = self.world.things.get(usize::from(sight.body)) else {
            return self.world.sky_in(direction);
        };
        let point = self.point(x, y, sight.depth);
        let look = thing
            .material
            .look(point, sight.normal, self.world.seed_of(usize::from(sight.body)));
        let falling = light.unwrap_or_else(|| self.world.light_on(point, sight.normal));
        let mut result = look.albedo.times(falling) + look.glow;
        if look.wet > 0.02 {
            result = result + mirrored(self.world, point, direction, sight.normal) * look.wet;
        }
        // Haze in the distance.
        let haze = clamp01((sight.depth - 16.0) / 330.0) * self.world.openness(point);
        result.mix(self.world.horizon * 0.8, haze)
    }

    fn develop(&self) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(self.width * self.height * 3);
        for row in 0..self.height {
            for column in 0..self.width {
                let offset = row * self.width + column;
                let Some(own) = self.sights.get(offset) else {
                    continue;
                };
                let (x, y) = (column as f32, row as f32);
                let light = self.lights.get(offset).copied().flatten();
                let first = self.grade.encode(self.shade(x + 0.5, y + 0.5, own, light), x, y);
                let colour = if self.at_edge(column, row, own) {
                    // Five more rays where bodies meet; mixed as display values, as the eye judges edges.
                    let mut sum = first;
                    for (dx, dy) in [
                        (0.17, 0.33),
                        (0.67, 0.17),
                        (0.83, 0.67),
                        (0.33, 0.83),
                        (0.5, 0.08),
                    ] {
                        let sight = self.sight(x + dx, y + dy);
                        let light = self.light_near(column, row, &sight);
                        sum = sum + self.grade.encode(self.shade(x + dx, y + dy, &sight, light), x, y);
                    }
                    sum * (1.0 / 6.0)
                } else {
                    first
                };
                rgb.extend([colour.x, colour.y, colour.z].map(|value| (value + 0.5) as u8));
            }
        }
        rgb
    }

    fn light_near(&self, column: usize, row: usize, sight: &Sight) -> Option<Vec3> {
        let around = [
            (0, 0),
            (0, -1),
            (1, 0),
            (0, 1),
            (-1, 0),
            (-1, -1),
            (1, 1),
            (1, -1),
            (-1, 1),
        ];
        around.into_iter().find_map(|(dx, dy)| {
            let (other, light) = self.neighbour(column, row, dx, dy)?;
            light.filter(|_| alike(sight, &other))
        })
    }

    fn at_edge(&self, column: usize, row: usize, own: &Sight) -> bool {
        [(-1, 0), (1, 0), (0, -1), (0, 1)].into_iter().any(|(dx, dy)| {
            self.neighbour(column, row, dx, dy).is_some_and(|(other, _)| {
                other.body != own.body
                    || (other.depth - own.depth).abs() > 0.12 * own.depth
                    || other.normal.dot(own.normal) < 0.7
            })
        })
    }

    /// Upward faces near the ground.
    fn floor(&self) -> Vec<bool> {
        let mut floor = Vec::with_capacity(self.sights.len());
        for (offset, sight) in self.sights.iter().enumerate() {
            let (column, row) = (offset % self.width, offset / self.width);
            let low = sight.normal.y > 0.9
                && sight.body != SKY
                && self.point(column as f32 + 0.5, row as f32 + 0.5, sight.depth).y < 0.06;
            floor.push(low);
        }
        floor
    }
}

/// Whether two sights are of one smooth surface.
fn alike(one: &Sight, other: &Sight) -> bool {
    one.body == other.body
        && one.normal.dot(other.normal) > 0.97
        && (one.depth - other.depth).abs() < 0.2 * one.depth
}

/// What a wet surface mirrors: sky or lamps, more at flat angles.
fn mirrored(world: &World, point: Vec3, direction: Vec3, normal: Vec3) -> Vec3 {
    let view = direction.normalised();
    let bounced = view - normal * (2.0 * view.dot(normal));
    let flat = 1.0 - clamp01(-view.dot(normal));
    let fresnel = 0.03 + 0.6 * flat * flat * flat * flat * flat;
    let start = point + normal * 0.01;
    let mut light = match world.first(start, bounced) {
        None => world.sky_in(bounced),
        Some((index, meeting)) => {
            let there = start + bounced * meeting.distance;
            match world.things.get(index) {
                Some(thing) => {
                    let look = thing.material.look(there, meeting.normal, world.seed_of(index));
                    let lamp = matches!(thing.material, Material::Glow { .. });
                    // Lamps themselves come below, without their hard outlines.
                    look.glow * if lamp { 0.0 } else { 1.0 }
                        + look.albedo * (0.25 * world.openness(there))
                        + look.albedo.times(world.ambient)
                }
                None => Vec3::ZERO,
            }
        }
    };
    for lamp in &world.lamps {
        let way = (lamp.place - start).normalised();
        let mut power = clamp01(way.dot(bounced));
        for _ in 0..6 {
            power *= power;
        }
        light = light + lamp.light * (power * 0.5);
    }
    light * fresnel
}

/// The glow around a lamp that the camera sees.
fn halo(
    still: &mut Still,
    camera: &Camera,
    place: Vec3,
    light: Vec3,
    radius: f32,
    width: usize,
    height: usize,
) {
    let spot = camera.project(place);
    if radius <= 0.0 || spot.depth < 0.5 {
        return;
    }
    let (column, row) = (spot.x as i64, spot.y as i64);
    let seen = column >= 0
        && row >= 0
        && (column as usize) < width
        && still
            .depth
            .get(row as usize * width + column as usize)
            .is_some_and(|&depth| depth > spot.depth - 0.4)
        && (row as usize) < height;
    if !seen {
        return;
    }
    let reach = radius * camera.focal / spot.depth;
    let colour = light * (1.0 / light.largest().max(1e-6));
    let clip = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
    for y in clip(spot.y - reach, height)..clip(spot.y + reach + 1.0, height) {
        for x in clip(spot.x - reach, width)..clip(spot.x + reach + 1.0, width) {
            let (dx, dy) = (x as f32 + 0.5 - spot.x, y as f32 + 0.5 - spot.y);
            let off = clamp01((dx * dx + dy * dy).sqrt() / reach);
            let glow = (1.0 - off) * (1.0 - off) * (1.0 - off) * 120.0;
            let offset = (y * width + x) * 3;
            if let Some(pixel) = still.rgb.get_mut(offset..offset + 3) {
                for (value, part) in pixel.iter_mut().zip([colour.x, colour.y, colour.z]) {
                    *value = (f32::from(*value) + glow * part).min(255.0) as u8;
                }
            }
        }
    }
}
