//! How the moving belt looks.

use crate::camera::Camera;
use crate::drive::Drive;
use crate::math::{Vec3, clamp01, cloud, hash2, mix, noise2, smoothstep, unit, vec3};
use crate::paint::Grade;
use crate::places::{FEED_Z, SURFACE_Y};
use crate::world::World;

/// Textures repeat after this many metres of belt.
const PERIOD: f32 = 16.0;
/// The belt comes round after so many of these lengths: 240 m, which is short for a main belt.
const BELT_LENGTHS: i32 = 15;
/// Where the strip that can be seen begins, metres, and how many whole or broken lengths of the textures lie on it.
const NEAREST_Z: f32 = -5.0;
const LENGTHS: usize = 3;
const ACROSS: usize = 96;
const ALONG: usize = 2048;

/// Brightness levels of a surface (square root of what it returns) at which each pixel's colour is known.
const LEVELS: usize = 4;
/// The brightest level.
const BRIGHTEST: f32 = 0.36;
/// Levels are kept in this many steps from one known level to the next.
const STEPS: i32 = 256;

/// A level in steps.
fn steps(level: f32) -> i16 {
    (level.clamp(0.0, BRIGHTEST) * ((LEVELS - 1) as f32 * STEPS as f32 / BRIGHTEST)) as i16
}

/// A place of the belt or of the coal on it that a pixel shows.
#[derive(Clone, Copy, Debug)]
struct Shown {
    offset: u32,
    /// Column of the texture, and its row when the belt has not run.
    column: u16,
    row: u16,
    z: f32,
    /// Display colours at the levels.
    colours: [[u8; 3]; LEVELS],
    /// 256 where the texture can be seen, less where it is too far away.
    sharp: u16,
    /// 256 inside, less at the rim.
    edge: u16,
}

impl Shown {
    /// What the texture has there, drawn to `middle` where the texture is too fine to be seen. `aside` shifts it across.
    fn level(&self, texture: &[i16], run_rows: usize, aside: usize, middle: i16) -> i32 {
        let column = (usize::from(self.column) + aside) % ACROSS;
        let place = ((usize::from(self.row) + run_rows) & (ALONG - 1)) * ACROSS + column;
        let grain = i32::from(texture.get(place).copied().unwrap_or(middle));
        let middle = i32::from(middle);
        middle + (((grain - middle) * i32::from(self.sharp)) >> 8)
    }

    /// Puts the colour of a surface with that level on the picture; `share` is 256 for all of it.
    fn put(&self, level: i32, share: i32, data: &mut [u8]) {
        let level = level.clamp(0, (LEVELS as i32 - 1) * STEPS - 1);
        let (lower, part) = ((level / STEPS) as usize, level % STEPS);
        let (Some(from), Some(to)) = (self.colours.get(lower), self.colours.get(lower + 1)) else {
            return;
        };
        let offset = self.offset as usize * 3;
        let Some(pixel) = data.get_mut(offset..offset + 3) else {
            return;
        };
        for ((value, &from), &to) in pixel.iter_mut().zip(from).zip(to) {
            let new = i32::from(from) * (STEPS - part) + i32::from(to) * part;
            let old = i32::from(*value) * STEPS;
            *value = ((old + (((new - old) * share) >> 8) + STEPS / 2) >> 8).clamp(0, 255) as u8;
        }
    }
}

/// The pixels that show the belt.
#[derive(Clone, Debug)]
pub(crate) struct BeltPixels {
    rubber: Vec<Shown>,
    heap: Vec<Shown>,
    rubber_texture: Vec<i16>,
    coal_texture: Vec<i16>,
    seed: u32,
}

/// Half the breadth of the coal and how high it lies.
const HEAP_HALF: f32 = 0.46;
const HEAP_RISE: f32 = 0.17;
/// Half the breadth of the rubber.
const HALF: f32 = 0.62;

/// Light on a long strip, worked out on a grid: rows along `z` from -5 on, each with 9 places across.
struct StripLight {
    grid: Vec<Vec3>,
}

const STEP: f32 = 0.2;
const PLACES: usize = 9;
const GRID_ROWS: usize = 127;

impl StripLight {
    fn new(world: &World, at: impl Fn(f32, f32) -> (Vec3, Vec3)) -> Self {
        let mut grid = Vec::with_capacity(GRID_ROWS * PLACES);
        for row in 0..GRID_ROWS {
            for place in 0..PLACES {
                let across = place as f32 / (PLACES - 1) as f32 * 1.98 - 0.99;
                let (point, normal) = at(across, row as f32 * STEP - 5.0);
                grid.push(world.light_on(point, normal));
            }
        }
        Self { grid }
    }

    /// `across` is -1 to 1.
    fn sample(&self, across: f32, z: f32) -> Vec3 {
        let column = ((across + 0.99) / 1.98 * (PLACES - 1) as f32).clamp(0.0, (PLACES - 1) as f32 - 0.001);
        let row = ((z + 5.0) / STEP).clamp(0.0, (GRID_ROWS - 1) as f32 - 0.001);
        let at = |row: usize, column: usize| {
            self.grid
                .get(row * PLACES + column)
                .copied()
                .unwrap_or(Vec3::ZERO)
        };
        let (r, c) = (row as usize, column as usize);
        let (fr, fc) = (row - row.floor(), column - column.floor());
        at(r, c)
            .mix(at(r, c + 1), fc)
            .mix(at(r + 1, c).mix(at(r + 1, c + 1), fc), fr)
    }
}

fn rubber_point(x: f32, z: f32) -> (Vec3, Vec3) {
    let wing = (x.abs() - 0.24).max(0.0);
    let tilt = if wing > 0.0 { -0.42 * x.signum() } else { 0.0 };
    (
        vec3(x, SURFACE_Y + 0.42 * wing, z),
        vec3(tilt, 1.0, 0.0).normalised(),
    )
}

fn heap_point(x: f32, z: f32) -> (Vec3, Vec3) {
    let share = x / HEAP_HALF;
    let slope = 2.0 * HEAP_RISE * x / (HEAP_HALF * HEAP_HALF);
    (
        vec3(x, SURFACE_Y + 0.06 + HEAP_RISE * (1.0 - share * share), z),
        vec3(slope, 1.0, 0.0).normalised(),
    )
}

impl BeltPixels {
    /// `rubber_at` says whether the pixel with that number shows the belt's rubber.
    pub(crate) fn new(
        world: &World,
        camera: &Camera,
        grade: &Grade,
        (columns, rows): (usize, usize),
        depth: &[f32],
        rubber_at: impl Fn(usize) -> bool,
    ) -> Self {
        let rubber_light = StripLight::new(world, |across, z| rubber_point(across * HALF, z));
        let heap_light = StripLight::new(world, |across, z| heap_point(across * HEAP_HALF, z));
        let mut rubber = Vec::new();
        let mut heap = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let offset = row * columns + column;
                let Some(&still) = depth.get(offset) else { continue };
                let direction = camera.ray(column as f32 + 0.5, row as f32 + 0.5);
                let show = |point: Vec3, normal: Vec3, distance: f32, light: Vec3, across: f32, edge: f32| {
                    let flat = (-direction.normalised().dot(normal)).max(0.05);
                    let footprint = distance / camera.focal / flat;
                    let mut colours = [[0; 3]; LEVELS];
                    for (number, colour) in colours.iter_mut().enumerate() {
                        let level = number as f32 / (LEVELS - 1) as f32 * BRIGHTEST;
                        let display = grade.encode(light * (level * level), column as f32, row as f32);
                        *colour = [display.x, display.y, display.z].map(|value| (value + 0.5) as u8);
                    }
                    let turns = point.z / PERIOD;
                    Shown {
                        offset: offset as u32,
                        column: (clamp01(across) * (ACROSS - 1) as f32) as u16,
                        row: (((turns - turns.floor()) * ALONG as f32) as usize % ALONG) as u16,
                        z: point.z,
                        colours,
                        sharp: (mix(0.22, 1.0, clamp01(0.05 / footprint)) * 256.0) as u16,
                        edge: (edge * 256.0) as u16,
                    }
                };
                if rubber_at(offset) {
                    let point = camera.position + direction * still;
                    let inside = [offset.wrapping_sub(1), offset + 1].into_iter().all(&rubber_at);
                    let light = rubber_light
                        .sample(point.x / HALF, point.z)
                        .times(vec3(1.03, 1.0, 0.95));
                    let (_, normal) = rubber_point(point.x, point.z);
                    let across = 0.5 + point.x / (2.0 * HALF);
                    rubber.push(show(
                        point,
                        normal,
                        still,
                        light,
                        across,
                        if inside { 1.0 } else { 0.55 },
                    ));
                }
                if let Some(distance) = heap_at(camera.position, direction)
                    && distance < still + 0.02
                {
                    let point = camera.position + direction * distance;
                    let (_, normal) = heap_point(point.x, point.z);
                    let edge = clamp01((HEAP_HALF - point.x.abs()) / 0.12);
                    let light = heap_light.sample(point.x / HEAP_HALF, point.z);
                    heap.push(show(
                        point,
                        normal,
                        distance,
                        light,
                        0.5 + point.x / (2.0 * HEAP_HALF),
                        edge,
                    ));
                }
            }
        }
        Self {
            rubber,
            heap,
            rubber_texture: rubber_texture(world.seed),
            coal_texture: coal_texture(world.seed),
            seed: world.seed,
        }
    }

    /// Draws the belt as it is at `seconds`.
    pub(crate) fn draw(&self, drive: &Drive, seconds: f64, data: &mut [u8]) {
        let run = drive.run(seconds);
        let run_rows = ((run / f64::from(PERIOD)).fract() * ALONG as f64) as usize;
        let middle = steps(0.195);
        let first = ((run + f64::from(NEAREST_Z)) / f64::from(PERIOD)).floor();
        let lengths = |of: &dyn Fn(i32) -> i32| -> [(usize, usize); LENGTHS] {
            std::array::from_fn(|number| {
                let length = hash2(of(first as i32 + number as i32), 0, self.seed);
                ((length >> 8) as usize % ALONG, (length & 0xff) as usize % ACROSS)
            })
        };
        let at = |shown: &Shown, lengths: &[(usize, usize)]| {
            let length = ((run + f64::from(shown.z)) / f64::from(PERIOD)).floor() - first;
            lengths.get(length as usize).copied().unwrap_or_default()
        };
        let rubbers = lengths(&|length| length.rem_euclid(BELT_LENGTHS));
        for shown in &self.rubber {
            let (along, aside) = at(shown, &rubbers);
            shown.put(
                shown.level(&self.rubber_texture, run_rows + along, aside, middle),
                i32::from(shown.edge),
                data,
            );
        }
        let covered = drive.stretches(run - f64::from(FEED_Z));
        if covered.is_empty() {
            return;
        }
        let (dark, middle) = (i32::from(steps(0.10)), steps(0.17));
        // The rubber comes round, the coal on it never does.
        let loads = lengths(&|length| length ^ 0x10ad_0000);
        for shown in &self.heap {
            if covered.iter().any(|&(from, to)| shown.z >= from && shown.z < to) {
                let (along, aside) = at(shown, &loads);
                let level = shown.level(&self.coal_texture, run_rows + along, aside, middle);
                // Lumps stick out at the rim, gaps do not.
                let ragged = (i32::from(shown.edge) * 2 + (level - dark) / 2 - 40).clamp(0, 256);
                shown.put(level, ragged, data);
            }
        }
    }
}

/// Distance to the coal's surface, a lying parabola over the belt.
fn heap_at(origin: Vec3, direction: Vec3) -> Option<f32> {
    let square = HEAP_HALF * HEAP_HALF;
    let base = SURFACE_Y + 0.06;
    let a = HEAP_RISE * direction.x * direction.x / square;
    let b = HEAP_RISE * origin.x * direction.x / square + direction.y * 0.5;
    let c = HEAP_RISE * origin.x * origin.x / square + origin.y - base - HEAP_RISE;
    let discriminant = b * b - a * c;
    if discriminant < 0.0 {
        return None;
    }
    let distance = if a.abs() < 1e-7 {
        -c / (2.0 * b)
    } else {
        (-b - discriminant.sqrt()) / a
    };
    let point = origin + direction * distance;
    (distance > 0.1 && point.x.abs() < HEAP_HALF && point.z > NEAREST_Z && point.z < 20.0).then_some(distance)
}

/// Worn rubber: dust, scratches along, a joint at the seam of the texture.
fn rubber_texture(seed: u32) -> Vec<i16> {
    let mut texture = Vec::with_capacity(ACROSS * ALONG);
    for row in 0..ALONG {
        let z = row as f32 / ALONG as f32 * PERIOD;
        for column in 0..ACROSS {
            let x = column as f32 / ACROSS as f32 * 1.3;
            let dust = smoothstep(0.42, 0.78, cloud(x * 3.5, z * 1.6, seed));
            let scratch = smoothstep(0.7, 0.9, noise2(x * 42.0, z * 0.8, seed ^ 3));
            let grain = noise2(x * 30.0, z * 30.0, seed ^ 4);
            let patch = smoothstep(0.74, 0.78, noise2(x * 2.2, z * 0.9, seed ^ 5));
            let mut value = 0.030 + 0.055 * dust + 0.016 * scratch + 0.012 * (grain - 0.5) + 0.05 * patch;
            let joint = z - 0.25 * x;
            if (0.02..0.10).contains(&joint) || (8.3..8.37).contains(&(z + 0.1 * x)) {
                value = 0.11;
            }
            // Levels are square roots of what the surface returns.
            texture.push(steps(value.max(0.012).sqrt()));
        }
    }
    texture
}

/// Lumps of coal as cells, lit from above and behind; repeats along the belt.
fn coal_texture(seed: u32) -> Vec<i16> {
    let (cell_x, cell_z) = (0.083_f32, 0.1_f32);
    let rows_of_cells = (PERIOD / cell_z) as i32;
    let mut texture = Vec::with_capacity(ACROSS * ALONG);
    for row in 0..ALONG {
        let z = row as f32 / ALONG as f32 * PERIOD;
        for column in 0..ACROSS {
            let x = column as f32 / ACROSS as f32;
            let (cx, cz) = ((x / cell_x).floor() as i32, (z / cell_z).floor() as i32);
            let (mut nearest, mut second) = (f32::INFINITY, f32::INFINITY);
            let (mut facet, mut size) = (0.0, 0.0);
            for dz in -1..=1 {
                for dx in -1..=1 {
                    let cell = hash2(cx + dx, (cz + dz).rem_euclid(rows_of_cells), seed ^ 0xc0);
                    let px = ((cx + dx) as f32 + unit(cell)) * cell_x;
                    let pz = ((cz + dz) as f32 + unit(hash2(cell as i32, 1, seed))) * cell_z;
                    let (ox, oz) = (x - px, z - pz);
                    let distance =
                        (ox * ox + oz * oz).sqrt() * mix(0.75, 1.3, unit(hash2(cell as i32, 2, seed)));
                    if distance < nearest {
                        second = nearest;
                        nearest = distance;
                        // Light falls on the far side of a lump, as lamps hang ahead.
                        facet = clamp01(
                            0.55 + oz * 5.5 - ox * 1.5 + 0.35 * (unit(hash2(cell as i32, 3, seed)) - 0.5),
                        );
                        size = unit(hash2(cell as i32, 4, seed));
                    } else if distance < second {
                        second = distance;
                    }
                }
            }
            let gap = smoothstep(0.0, 0.016, second - nearest);
            texture.push(steps(0.085 + 0.245 * gap * facet * (0.65 + 0.5 * size)));
        }
    }
    texture
}
