//! A figure on the picture: its parts, sorted, with extent, and how they go into colours or masks.

use crate::camera::Spot;
use crate::math::{Vec3, clamp01};
use crate::paint::{Grade, LocalLight, Paint};
use crate::raster::{Extent, Ink, Shape};

/// One part of a figure; parts with a larger `order` are drawn first.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) shape: Shape,
    pub(crate) paint: Paint,
    pub(crate) order: f32,
    /// Carried: drawn, but not part of the figure's extent.
    pub(crate) carried: bool,
}

/// A straight piece of the body in the world, for its shadow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bone {
    pub(crate) a: Vec3,
    pub(crate) b: Vec3,
    pub(crate) radius: f32,
}

/// The glow around a lamp of a figure: added to what is there, not part of its extent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Halo {
    pub(crate) spot: Spot,
    pub(crate) radius: f32,
    /// Display values at its middle.
    pub(crate) colour: Vec3,
}

/// What a figure is drawn from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<Part>,
    pub(crate) bones: Vec<Bone>,
    pub(crate) halos: Vec<Halo>,
}

/// All parts of one actor at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Sprite {
    parts: Vec<Part>,
    pub(crate) bones: Vec<Bone>,
    halos: Vec<Halo>,
    /// Where its light is taken.
    pub(crate) chest: Vec3,
    /// Unclipped.
    pub(crate) extent: Extent,
    /// Distance that decides which actor stands before which.
    pub(crate) distance: f32,
}

/// Width of the soft edge in pixels.
pub(crate) const SOFTNESS: f32 = 1.25;

impl Sprite {
    pub(crate) fn new(from: Parts, chest: Vec3, distance: f32) -> Self {
        let Parts {
            mut parts,
            bones,
            halos,
        } = from;
        parts.sort_by(|one, other| other.order.total_cmp(&one.order));
        let mut extent = Extent::EMPTY;
        for part in parts.iter().filter(|part| !part.carried) {
            extent.join(&part.shape.extent());
        }
        Self {
            parts,
            bones,
            halos,
            chest,
            extent,
            distance,
        }
    }

    pub(crate) fn draw(&self, ink: &mut dyn Ink, light: &LocalLight) {
        for part in &self.parts {
            part.shape
                .draw(ink, SOFTNESS, &mut |hit| part.paint.shade(hit, light));
        }
    }

    /// The figure itself into a mask: without what it carries.
    pub(crate) fn mask(&self, ink: &mut dyn Ink) {
        for part in self.parts.iter().filter(|part| !part.carried) {
            part.shape.draw(ink, SOFTNESS, &mut |_| Vec3::ZERO);
        }
    }

    /// Adds the glow of its lamps, where nothing still hides them.
    pub(crate) fn glow(&self, data: &mut [u8], depth: &[f32], columns: usize, rows: usize) {
        for halo in &self.halos {
            let spot = halo.spot;
            if spot.x < 0.0 || spot.y < 0.0 || spot.x >= columns as f32 || spot.y >= rows as f32 {
                continue;
            }
            let place = spot.y as usize * columns + spot.x as usize;
            if depth
                .get(place)
                .is_none_or(|&still| spot.depth > still + TOLERANCE)
            {
                continue;
            }
            let clip = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
            let reach = halo.radius;
            for row in clip(spot.y - reach, rows)..clip(spot.y + reach + 1.0, rows) {
                for column in clip(spot.x - reach, columns)..clip(spot.x + reach + 1.0, columns) {
                    let (dx, dy) = (column as f32 + 0.5 - spot.x, row as f32 + 0.5 - spot.y);
                    let off = 1.0 - clamp01((dx * dx + dy * dy).sqrt() / reach);
                    let share = off * off * off;
                    let offset = (row * columns + column) * 3;
                    if let Some(pixel) = data.get_mut(offset..offset + 3) {
                        for (value, part) in
                            pixel
                                .iter_mut()
                                .zip([halo.colour.x, halo.colour.y, halo.colour.z])
                        {
                            *value = (f32::from(*value) + part * share).min(255.0) as u8;
                        }
                    }
                }
            }
        }
    }
}

/// Colours into a packed RGB picture where nothing still stands before them.
pub(crate) struct PictureInk<'a> {
    pub(crate) data: &'a mut [u8],
    pub(crate) depth: &'a [f32],
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) grade: &'a Grade,
}

/// A figure may sink this far into the still scene before it is hidden, in metres: feet on the ground, backs on
/// chairs.
pub(crate) const TOLERANCE: f32 = 0.22;

impl Ink for PictureInk<'_> {
    fn touch(
        &mut self,
        column: usize,
        row: usize,
        coverage: f32,
        depth: f32,
        shade: &mut dyn FnMut() -> Vec3,
    ) {
        let offset = row * self.columns + column;
        if self
            .depth
            .get(offset)
            .is_none_or(|&still| depth > still + TOLERANCE)
        {
            return;
        }
        let colour = self.grade.encode(shade(), column as f32, row as f32);
        if let Some(pixel) = self.data.get_mut(offset * 3..offset * 3 + 3) {
            for (value, new) in pixel.iter_mut().zip([colour.x, colour.y, colour.z]) {
                let old = f32::from(*value);
                *value = (old + (new - old) * coverage + 0.5) as u8;
            }
        }
    }

    fn width(&self) -> usize {
        self.columns
    }

    fn height(&self) -> usize {
        self.rows
    }
}

/// Which actor a pixel shows: for shares of visibility.
pub(crate) struct MaskInk<'a> {
    /// One number for each pixel; 0 is nobody.
    pub(crate) owner: &'a mut [u16],
    pub(crate) own: u16,
    pub(crate) depth: Option<&'a [f32]>,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Ink for MaskInk<'_> {
    fn touch(&mut self, column: usize, row: usize, coverage: f32, depth: f32, _: &mut dyn FnMut() -> Vec3) {
        if coverage < 0.5 {
            return;
        }
        let offset = row * self.columns + column;
        if let Some(still) = self.depth
            && still.get(offset).is_none_or(|&still| depth > still + TOLERANCE)
        {
            return;
        }
        if let Some(owner) = self.owner.get_mut(offset) {
            *owner = self.own;
        }
    }

    fn width(&self) -> usize {
        self.columns
    }

    fn height(&self) -> usize {
        self.rows
    }
}
