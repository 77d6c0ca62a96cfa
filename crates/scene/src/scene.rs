use mineseal_domain::{BoundingBox, CountingLine, Point, Region};

use crate::cast::{Cast, class_of};
use crate::crossings::{find, foot, lines_of, regions_of};
use crate::drive::Drive;
use crate::figure::{MaskInk, PictureInk, Sprite};
use crate::osd::Overlay;
use crate::paint::Grade;
use crate::places::{Place, build};
use crate::raster::Extent;
use crate::sensor::{Noise, blur, covered, darken, over_expose};
use crate::shadow::{Floor, cast as cast_shadow};
use crate::text::Typeface;
use crate::view::{Aim, View};
use crate::weather::{cover_part, grey, insects, lamp, rain, shift, sway};
use crate::{DisturbanceKind, FrameTruth, SceneError, SceneKind, SceneScript, TruthCrossing, TruthObject};

/// How far machines make a camera tremble, as a share of the picture's width.
const VIBRATION: f32 = 0.0008;

/// A picture, red, green, blue, packed by rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RgbPicture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub data: Vec<u8>,
}

/// A scene ready to be rendered.
#[derive(Clone, Debug)]
pub struct Scene {
    script: SceneScript,
    place: Place,
    grade: Grade,
    straight: View,
    turned: Option<View>,
    moved: Option<View>,
    cover: Option<Vec<u8>>,
    cast: Cast,
    drive: Option<Drive>,
    noise: Noise,
    overlay: Overlay,
    lines: Vec<CountingLine>,
    regions: Vec<Region>,
    crossings: Vec<(u64, TruthCrossing)>,
}

/// What a picture is drawn without; for tests of the truth.
#[derive(Clone, Copy, Debug, Default)]
struct Without {
    /// The body (not the shadow and the glow) of the actor with this number.
    body: Option<usize>,
    /// Sensor noise.
    noise: bool,
}

impl Scene {
    /// Prepares the still part of the scene: some hundreds of milliseconds at 640x360.
    ///
    /// # Errors
    /// A script that cannot be rendered; no Chinese font.
    pub fn new(script: SceneScript) -> Result<Self, SceneError> {
        script.validate()?;
        let typeface = Typeface::installed()?;
        let (columns, rows) = (script.width as usize, script.height as usize);
        let place = build(&script, &typeface);
        let grade = Grade::new(&script.look, script.width, script.height);
        let has = |wanted: DisturbanceKind| script.disturbances.iter().any(|one| one.kind == wanted);
        let straight = View::new(&script, &place, &grade, Aim::Straight);
        let turned = has(DisturbanceKind::Turned).then(|| View::new(&script, &place, &grade, Aim::Turned));
        let moved = has(DisturbanceKind::Moved).then(|| View::new(&script, &place, &grade, Aim::Moved));
        let cover = has(DisturbanceKind::Covered).then(|| covered(columns, rows, place.world.seed));
        let title = format!("{} {}", script.mine_name, script.place_name);
        let overlay = Overlay::new(&typeface, script.width, script.height, &title);
        let cast = Cast::new(&script);
        let lines = lines_of(&place, &straight.camera, &script);
        let regions = regions_of(&place, &straight.camera, &script);
        let crossings = find(&script, &cast, &straight.camera, &lines);
        let drive = (script.kind == SceneKind::Belt).then(|| Drive::new(&script.events));
        let noise = Noise::new(script.look.noise, columns * 3, script.seed);
        Ok(Self {
            script,
            place,
            grade,
            straight,
            turned,
            moved,
            cover,
            cast,
            drive,
            noise,
            overlay,
            lines,
            regions,
            crossings,
        })
    }

    /// The script.
    #[must_use]
    pub fn script(&self) -> &SceneScript {
        &self.script
    }

    /// Number of pictures.
    #[must_use]
    pub fn frame_count(&self) -> u64 {
        self.script.frame_count()
    }

    /// The counting lines of the scene, in fractions of the picture.
    #[must_use]
    pub fn lines(&self) -> Vec<CountingLine> {
        self.lines.clone()
    }

    /// The named regions of the scene, in fractions of the picture.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        self.regions.clone()
    }

    /// Renders picture `index` into `into`, which is sized as needed. A pure function of script and index; an
    /// index beyond the clip shows the empty place.
    pub fn render(&self, index: u64, into: &mut RgbPicture) {
        self.render_without(index, into, Without::default());
    }

    fn render_without(&self, index: u64, into: &mut RgbPicture, without: Without) {
        let (columns, rows) = (self.script.width as usize, self.script.height as usize);
        into.width = self.script.width;
        into.height = self.script.height;
        into.data.clear();
        let (shown, clock) = self.shown(index);
        let seconds = self.seconds(shown);
        let disturbance = self.script.disturbance_at(seconds).map(|one| one.kind);
        match (&self.cover, disturbance) {
            (Some(cover), Some(DisturbanceKind::Covered)) => into.data.extend_from_slice(cover),
            _ => self.draw(seconds, self.view(disturbance), &mut into.data, without),
        }
        match disturbance {
            Some(DisturbanceKind::Dark) => darken(&mut into.data),
            Some(DisturbanceKind::OverExposed) => over_expose(&mut into.data),
            Some(DisturbanceKind::Blurred) => blur(&mut into.data, columns, rows),
            Some(DisturbanceKind::PartlyCovered { share }) => {
                cover_part(&mut into.data, columns, share, self.place.world.seed);
            }
            Some(DisturbanceKind::Shaking { share }) => self.tremble(share, seconds, &mut into.data),
            _ => {}
        }
        self.lay_over(shown, seconds, &mut into.data);
        if disturbance == Some(DisturbanceKind::Grey) {
            grey(&mut into.data);
        }
        if !without.noise {
            self.noise.add(shown, &mut into.data, columns);
        }
        let instant = self
            .script
            .start
            .plus_micros(self.script.media_time_micros(clock));
        self.overlay.write(instant, &mut into.data, columns, rows);
    }

    /// Weather, animals, lamps and machines.
    fn lay_over(&self, shown: u64, seconds: f64, data: &mut [u8]) {
        let (columns, rows) = (self.script.width as usize, self.script.height as usize);
        let seed = self.place.world.seed;
        for disturbance in self.script.ordinary_at(seconds) {
            match disturbance.kind {
                DisturbanceKind::Rain => rain(data, columns, rows, shown, seed),
                DisturbanceKind::Insects => insects(data, columns, rows, seconds, seed),
                DisturbanceKind::Lamp { period_seconds } => {
                    let since = seconds - disturbance.from_seconds;
                    if since.rem_euclid(period_seconds) < period_seconds / 2.0 {
                        lamp(data, columns, rows, seed);
                    }
                }
                DisturbanceKind::Vibrating => self.tremble(VIBRATION, seconds, data),
                _ => {}
            }
        }
    }

    fn tremble(&self, share: f32, seconds: f64, data: &mut [u8]) {
        let (columns, rows) = (self.script.width as usize, self.script.height as usize);
        let by = sway(share, seconds, self.place.world.seed).map(|part| part * columns as f32);
        shift(data, columns, rows, by);
    }

    /// The place with its figures.
    fn draw(&self, seconds: f64, view: &View, data: &mut Vec<u8>, without: Without) {
        let (columns, rows) = (self.script.width as usize, self.script.height as usize);
        data.extend_from_slice(&view.still.rgb);
        if let (Some(pixels), Some(drive)) = (&view.belt, &self.drive) {
            pixels.draw(drive, seconds, data);
        }
        let sprites = self.cast.sprites(seconds, &view.camera);
        if sprites.is_empty() {
            return;
        }
        let mut scratch = vec![0_u8; columns * rows];
        for (_, sprite) in &sprites {
            let lights = self.place.world.shadow_lights(sprite.chest);
            let mut floor = Floor {
                data: data.as_mut_slice(),
                floor: &view.still.floor,
                columns,
                rows,
                scratch: &mut scratch,
            };
            cast_shadow(&sprite.bones, &lights, &view.camera, &mut floor);
        }
        for (number, sprite) in &sprites {
            if without.body.is_none() || *number != without.body {
                let light = self.place.world.local_light(sprite.chest, &view.camera);
                let mut ink = PictureInk {
                    data,
                    depth: &view.still.depth,
                    columns,
                    rows,
                    grade: &self.grade,
                };
                sprite.draw(&mut ink, &light);
            }
            sprite.glow(data, &view.still.depth, columns, rows);
        }
    }

    fn seconds(&self, index: u64) -> f64 {
        self.script.media_time_micros(index) as f64 / 1e6
    }

    /// Which picture is shown at `index` and which picture's time the clock shows.
    fn shown(&self, index: u64) -> (u64, u64) {
        let Some(disturbance) = self.script.disturbance_at(self.seconds(index)) else {
            return (index, index);
        };
        let first = (disturbance.from_seconds * self.script.frames_per_second).ceil() as u64;
        match disturbance.kind {
            DisturbanceKind::Frozen => match first.checked_sub(1) {
                Some(before) => self.shown(before),
                None => (0, 0),
            },
            DisturbanceKind::Looped { seconds, clock_runs } => {
                let length =
                    ((seconds * self.script.frames_per_second).round() as u64).clamp(1, first.max(1));
                let again = first.saturating_sub(length) + index.saturating_sub(first) % length;
                // Before the first picture of the interval, so this ends.
                let (shown, clock) = if again < index {
                    self.shown(again)
                } else {
                    (again, again)
                };
                (shown, if clock_runs { index } else { clock })
            }
            _ => (index, index),
        }
    }

    fn view(&self, disturbance: Option<DisturbanceKind>) -> &View {
        let other = match disturbance {
            Some(DisturbanceKind::Turned) => self.turned.as_ref(),
            Some(DisturbanceKind::Moved) => self.moved.as_ref(),
            _ => None,
        };
        other.unwrap_or(&self.straight)
    }

    /// What is so in picture `index`. Costs about as much as rendering it.
    #[must_use]
    pub fn truth(&self, index: u64) -> FrameTruth {
        let seconds = self.seconds(index);
        let (shown, _) = self.shown(index);
        let disturbance = self
            .script
            .disturbance_at(self.seconds(shown))
            .map(|one| one.kind);
        let objects = match disturbance {
            Some(DisturbanceKind::Covered) => Vec::new(),
            _ => self.objects(self.seconds(shown), self.view(disturbance)),
        };
        let crossings = self
            .crossings
            .iter()
            .filter(|(at, _)| *at == index)
            .map(|(_, crossing)| crossing.clone())
            .collect();
        FrameTruth {
            index,
            media_time_micros: self.script.media_time_micros(index),
            objects,
            crossings,
            belt_running: self.drive.as_ref().map(|drive| drive.running(seconds)),
            coal_on_belt: self.drive.as_ref().map(|drive| drive.coal(seconds)),
            people_at_post: (self.script.kind == SceneKind::DispatchRoom)
                .then(|| self.people_at_post(seconds)),
            disturbance: self.script.disturbance_at(seconds).map(|one| one.kind),
        }
    }

    fn objects(&self, seconds: f64, view: &View) -> Vec<TruthObject> {
        let (columns, rows) = (self.script.width as usize, self.script.height as usize);
        let sprites = self.cast.sprites(seconds, &view.camera);
        if sprites.is_empty() {
            return Vec::new();
        }
        let mut owner = vec![0_u16; columns * rows];
        let mut alone = vec![0_u16; columns * rows];
        // Numbers from 1; the barrier hides others and is nobody.
        for (place, (_, sprite)) in sprites.iter().enumerate() {
            let own = place as u16 + 1;
            sprite.mask(&mut MaskInk {
                owner: &mut owner,
                own,
                depth: Some(&view.still.depth),
                columns,
                rows,
            });
        }
        let mut objects = Vec::new();
        for (place, (number, sprite)) in sprites.iter().enumerate() {
            let Some(actor) = number.and_then(|number| self.cast.actors.get(number)) else {
                continue;
            };
            let own = place as u16 + 1;
            sprite.mask(&mut MaskInk {
                owner: &mut alone,
                own,
                depth: None,
                columns,
                rows,
            });
            // Each figure's mask has its own number, so what others left does not matter.
            let count = |mask: &[u16]| count_in(mask, own, &sprite.extent, columns, rows);
            let (seen, whole) = (count(&owner), count(&alone));
            if let Some(bounding_box) = clipped_box(sprite, columns as f32, rows as f32)
                && seen > 0
            {
                let in_picture = bounding_box.area() / sprite.extent.area().max(1e-3);
                let visible_share = seen as f32 / whole.max(1) as f32 * in_picture.min(1.0);
                objects.push(TruthObject {
                    id: actor.id,
                    class: class_of(&actor.figure),
                    bounding_box,
                    visible_share,
                });
            }
        }
        objects.sort_by_key(|object| object.id);
        objects
    }

    /// People whose foot point lies in the region `post`, as the straight camera sees them.
    fn people_at_post(&self, seconds: f64) -> u32 {
        let Some(post) = self.regions.iter().find(|region| region.name == "post") else {
            return 0;
        };
        let (width, height) = (self.script.width as f32, self.script.height as f32);
        let there = self
            .cast
            .sprites(seconds, &self.straight.camera)
            .into_iter()
            .filter(|(_, sprite)| {
                let point = foot(&sprite.extent);
                post.contains(Point {
                    x: point.x / width,
                    y: point.y / height,
                })
            });
        there.count() as u32
    }
}

/// How many pixels of the mask inside the extent have that number.
fn count_in(mask: &[u16], own: u16, extent: &Extent, columns: usize, rows: usize) -> usize {
    let clipped = extent.clipped(columns as f32, rows as f32);
    let within = clipped.left.max(0.0) as usize..(clipped.right.max(0.0).ceil() as usize).min(columns);
    let (first, end) = (
        clipped.top.max(0.0) as usize,
        (clipped.bottom.max(0.0).ceil() as usize).min(rows),
    );
    (first..end)
        .filter_map(|row| {
            mask.get(
                row * columns + within.start..(row * columns + within.end).max(row * columns + within.start),
            )
        })
        .map(|line| line.iter().filter(|&&one| one == own).count())
        .sum()
}

fn clipped_box(sprite: &Sprite, width: f32, height: f32) -> Option<BoundingBox> {
    let clipped = sprite.extent.clipped(width, height);
    let found = BoundingBox {
        left: clipped.left,
        top: clipped.top,
        width: clipped.right - clipped.left,
        height: clipped.bottom - clipped.top,
    };
    found.is_sound().then_some(found)
}

#[cfg(test)]
mod tests;
