//! Rounded parts of people, projected.

use crate::camera::{Camera, Spot};
use crate::figure::{Bone, Part, Parts};
use crate::math::Vec3;
use crate::paint::Paint;
use crate::raster::{CORNERS, Shape};

/// Projects solid parts.
pub(crate) struct Pen<'a> {
    pub(crate) camera: &'a Camera,
    pub(crate) out: &'a mut Parts,
    /// Parts from now on are carried, not worn.
    pub(crate) carried: bool,
}

impl Pen<'_> {
    pub(crate) fn raw(&mut self, shape: Shape, paint: Paint, nearer: f32, depth: f32) {
        self.out.parts.push(Part {
            shape,
            paint,
            order: depth + nearer,
            carried: self.carried,
        });
    }

    pub(crate) fn limb(&mut self, a: Vec3, b: Vec3, radius_a: f32, radius_b: f32, paint: Paint, nearer: f32) {
        self.out.bones.push(Bone {
            a,
            b,
            radius: (radius_a + radius_b) * 0.5,
        });
        let (a, b) = (self.camera.project(a), self.camera.project(b));
        let pixels = |radius: f32, spot: Spot| radius * self.camera.focal / spot.depth.max(0.5);
        let shape = Shape::Limb {
            a,
            b,
            radius_a: pixels(radius_a, a).max(0.2),
            radius_b: pixels(radius_b, b).max(0.2),
        };
        let depth = (a.depth + b.depth) * 0.5;
        self.raw(shape, paint, nearer, depth);
    }

    pub(crate) fn slab(
        &mut self,
        corners: [Vec3; 4],
        radius: f32,
        axis_a: Vec3,
        axis_b: Vec3,
        half: f32,
        paint: Paint,
    ) {
        self.out.bones.push(Bone {
            a: axis_a.mix(axis_b, 0.2),
            b: axis_a.mix(axis_b, 0.8),
            radius: radius * 1.9,
        });
        let axis_a = self.camera.project(axis_a);
        let axis_b = self.camera.project(axis_b);
        let scale = self.camera.focal / axis_a.depth.max(0.5);
        let mut spots = [Spot::default(); CORNERS];
        for (spot, corner) in spots.iter_mut().zip(corners) {
            *spot = self.camera.project(corner);
        }
        let [first, second, ..] = spots;
        let seen_half = ((first.x - second.x).abs() / 2.0 + radius * scale).max(half * scale * 0.5);
        let depth = (axis_a.depth + axis_b.depth) * 0.5;
        self.raw(
            Shape::Slab {
                corners: spots,
                count: 4,
                radius: radius * scale,
                axis_a,
                axis_b,
                half_width: seen_half,
            },
            paint,
            0.0,
            depth,
        );
    }

    pub(crate) fn dome(
        &mut self,
        centre: Vec3,
        [radius_x, radius_y]: [f32; 2],
        cut: f32,
        paint: Paint,
        nearer: f32,
    ) {
        let spot = self.camera.project(centre);
        let scale = self.camera.focal / spot.depth.max(0.5);
        let shape = Shape::Dome {
            centre: spot,
            radius_x: radius_x * scale,
            radius_y: radius_y * scale,
            cut,
        };
        self.raw(shape, paint, nearer, spot.depth);
    }
}
