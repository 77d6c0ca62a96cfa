//! The workshop for vehicles: bodies, panes, wheels and lamps as flat faces.

use crate::camera::{Camera, NEAR, Spot};
use crate::figure::{Bone, Halo, Part, Parts};
use crate::math::{Vec3, cosine, sine, vec3};
use crate::paint::Paint;
use crate::person::Pose;
use crate::raster::{CORNERS, Shape};

/// Puts bodies together; local coordinates are metres ahead of the middle, up, and to the right.
pub(crate) struct Shop<'a> {
    camera: &'a Camera,
    out: &'a mut Parts,
    origin: Vec3,
    ahead: Vec3,
    side: Vec3,
    lights: bool,
    bodies: u32,
}

impl<'a> Shop<'a> {
    pub(crate) fn new(pose: &Pose, camera: &'a Camera, lights: bool, out: &'a mut Parts) -> Self {
        Self {
            camera,
            out,
            origin: vec3(pose.x, pose.ground, pose.z),
            ahead: pose.heading,
            side: vec3(pose.heading.z, 0.0, -pose.heading.x),
            lights,
            bodies: 0,
        }
    }

    fn at(&self, [ahead, up, side]: [f32; 3]) -> Vec3 {
        self.origin + self.ahead * ahead + Vec3::UP * up + self.side * side
    }

    /// Whether the nose is farther from the camera than the tail.
    pub(crate) fn away(&self) -> bool {
        let nose = self.at([3.0, 1.0, 0.0]) - self.camera.position;
        let tail = self.at([-3.0, 1.0, 0.0]) - self.camera.position;
        nose.dot(nose) > tail.dot(tail)
    }

    /// A flat face if its front looks at the camera; corners anticlockwise seen from the front.
    fn face(&mut self, corners: [Vec3; 4], outward: Vec3, paint: Paint) {
        let [first, ..] = corners;
        if outward.dot(first - self.camera.position) >= 0.0 {
            return;
        }
        let mut spots = [Spot::default(); CORNERS];
        let mut count = 0;
        let mut push = |view: Vec3, camera: &Camera| {
            if let Some(spot) = spots.get_mut(count) {
                *spot = camera.project_view(view);
                count += 1;
            }
        };
        // Cut off what lies before the lens.
        for (index, corner) in corners.iter().enumerate() {
            let own = self.camera.to_view(*corner - self.camera.position);
            let next = corners.get((index + 1) % 4).copied().unwrap_or(*corner);
            let next = self.camera.to_view(next - self.camera.position);
            if own.z >= NEAR {
                push(own, self.camera);
            }
            if (own.z >= NEAR) != (next.z >= NEAR) {
                push(own.mix(next, (NEAR - own.z) / (next.z - own.z)), self.camera);
            }
        }
        if count >= 3 {
            let normal = self.camera.to_view(outward);
            // Drawn in the order in which they come.
            self.bodies += 1;
            let order = -(self.bodies as f32);
            self.out.parts.push(Part {
                shape: Shape::Face {
                    corners: spots,
                    count,
                    normal,
                },
                paint,
                order,
                carried: false,
            });
        }
    }

    /// A body from a side outline (tail low, nose low, nose high, tail high) and half breadths at these corners.
    /// Paints: front, back, right, left, top, bottom.
    pub(crate) fn body(&mut self, outline: [[f32; 2]; 4], half: [f32; 4], paints: [Paint; 6]) {
        let corner = |index: usize, side: f32| {
            let [ahead, up] = outline.get(index).copied().unwrap_or_default();
            self.at([ahead, up, half.get(index).copied().unwrap_or(1.0) * side])
        };
        let [tail_low, nose_low, nose_high, tail_high] = [0, 1, 2, 3].map(|index| corner(index, 1.0));
        let [left_tail_low, left_nose_low, left_nose_high, left_tail_high] =
            [0, 1, 2, 3].map(|index| corner(index, -1.0));
        let middle = (tail_low + nose_high + left_tail_low + left_nose_high) * 0.25;
        let [front, back, right, left, top, bottom] = paints;
        // The first corner and its two neighbours span texture: along upwards-down, across sideways.
        for (corners, paint) in [
            ([left_tail_low, tail_low, nose_low, left_nose_low], bottom),
            ([left_nose_high, nose_high, nose_low, left_nose_low], front),
            ([tail_high, left_tail_high, left_tail_low, tail_low], back),
            ([nose_high, tail_high, tail_low, nose_low], right),
            (
                [left_tail_high, left_nose_high, left_nose_low, left_tail_low],
                left,
            ),
            ([left_tail_high, tail_high, nose_high, left_nose_high], top),
        ] {
            let [a, b, c, d] = corners;
            let mut outward = (c - a).cross(d - b).normalised();
            if outward.dot((a + c) * 0.5 - middle) < 0.0 {
                outward = -outward;
            }
            self.face(corners, outward, paint);
        }
    }

    pub(crate) fn cuboid(
        &mut self,
        [tail, nose]: [f32; 2],
        [low, high]: [f32; 2],
        half: f32,
        paints: [Paint; 6],
    ) {
        self.body(
            [[tail, low], [nose, low], [nose, high], [tail, high]],
            [half; 4],
            paints,
        );
    }

    /// Only the four upright walls of a box, outside.
    pub(crate) fn walls(&mut self, [tail, nose]: [f32; 2], [low, high]: [f32; 2], half: f32, paint: Paint) {
        let rim = |shop: &Self, ahead: f32, up: f32, side: f32| shop.at([ahead, up, side]);
        for (a, b, outward) in [
            ([nose, half], [nose, -half], self.ahead),
            ([tail, -half], [tail, half], -self.ahead),
            ([tail, half], [nose, half], self.side),
            ([nose, -half], [tail, -half], -self.side),
        ] {
            let ([a_ahead, a_side], [b_ahead, b_side]) = (a, b);
            let corners = [
                rim(self, a_ahead, high, a_side),
                rim(self, b_ahead, high, b_side),
                rim(self, b_ahead, low, b_side),
                rim(self, a_ahead, low, a_side),
            ];
            self.face(corners, outward, paint);
        }
    }

    /// The inner sides and the bottom of an open box.
    pub(crate) fn inside(
        &mut self,
        [tail, nose]: [f32; 2],
        [low, high]: [f32; 2],
        half: f32,
        bottom: Paint,
        paint: Paint,
    ) {
        let floor = [
            self.at([tail, low, -half]),
            self.at([tail, low, half]),
            self.at([nose, low, half]),
            self.at([nose, low, -half]),
        ];
        self.face(floor, Vec3::UP, bottom);
        for (a, b, inward) in [
            ([nose, half], [nose, -half], -self.ahead),
            ([tail, -half], [tail, half], self.ahead),
            ([tail, half], [nose, half], -self.side),
            ([nose, -half], [tail, -half], self.side),
        ] {
            let ([a_ahead, a_side], [b_ahead, b_side]) = (a, b);
            let corners = [
                self.at([a_ahead, high, a_side]),
                self.at([b_ahead, high, b_side]),
                self.at([b_ahead, low, b_side]),
                self.at([a_ahead, low, a_side]),
            ];
            self.face(corners, inward, paint);
        }
    }

    /// A heap with two humps over the rim.
    pub(crate) fn heap(&mut self, [tail, nose]: [f32; 2], base: f32, half: f32, rise: f32) {
        let middle = (tail + nose) / 2.0;
        let pieces = [
            (tail, tail + 1.5, middle + 0.2, rise),
            (middle - 0.4, nose - 1.6, nose, rise * 0.86),
        ];
        let ordered = if self.away() { [1, 0] } else { [0, 1] };
        for (seed, piece) in ordered.into_iter().enumerate() {
            let Some(&(from, ridge, to, rise)) = pieces.get(piece) else {
                continue;
            };
            let paint = Paint::Coal {
                seed: seed as u32 * 7 + 1,
            };
            let peak_a = self.at([ridge - 0.5, base + rise, -0.15]);
            let peak_b = self.at([ridge + 0.5, base + rise * 0.95, 0.15]);
            let [right_tail, right_nose, left_nose, left_tail] =
                [[from, half], [to, half], [to, -half], [from, -half]]
                    .map(|[ahead, side]| self.at([ahead, base, side]));
            let up = Vec3::UP;
            let away = self.ahead;
            let side = self.side;
            for (corners, outward) in [
                ([peak_a, peak_a, left_tail, right_tail], up * 0.8 - away * 0.6),
                ([peak_b, peak_b, right_nose, left_nose], up * 0.8 + away * 0.6),
                ([peak_a, peak_b, right_nose, right_tail], up * 0.8 + side * 0.6),
                ([peak_b, peak_a, left_tail, left_nose], up * 0.8 - side * 0.6),
            ] {
                self.face(corners, outward, paint);
            }
        }
    }

    /// A window, plate or grille on a body.
    pub(crate) fn pane(&mut self, a: [f32; 3], b: [f32; 3], c: [f32; 3], d: [f32; 3], paint: Paint) {
        let corners = [self.at(d), self.at(c), self.at(b), self.at(a)];
        let [one, two, three, four] = corners;
        let mut outward = (three - one).cross(four - two).normalised();
        let middle = (one + three) * 0.5;
        let centre = self.at([0.0, 1.0, 0.0]);
        if outward.dot(middle - centre) < 0.0 {
            outward = -outward;
        }
        self.face(corners, outward, paint);
    }

    /// A pair of wheels.
    pub(crate) fn wheel(&mut self, ahead: f32, radius: f32, half: f32, turned: f32) {
        let rubber = Paint::Dull {
            colour: vec3(0.012, 0.012, 0.013),
        };
        let hub = Paint::Dull {
            colour: vec3(0.13, 0.12, 0.11),
        };
        for side in [-1.0_f32, 1.0] {
            let outward = self.side * side;
            let centre = self.at([ahead, radius, half * side]);
            if outward.dot(centre - self.camera.position) > 0.0 {
                continue;
            }
            for (reach, size, paint, turn) in [
                (-0.26_f32, 1.0_f32, rubber, 0.0_f32),
                (0.0, 1.0, rubber, 0.0),
                (0.005, 0.55, hub, turned),
                (0.01, 0.2, rubber, turned),
            ] {
                let mut spots = [Spot::default(); CORNERS];
                let mut far = true;
                for (index, spot) in spots.iter_mut().enumerate() {
                    let turn = index as f32 / CORNERS as f32 + turn * 0.3;
                    let point = self.at([
                        ahead + sine(turn) * radius * size,
                        radius + cosine(turn) * radius * size,
                        (half + reach) * side,
                    ]);
                    *spot = self.camera.project(point);
                    far &= spot.depth > NEAR;
                }
                if far {
                    self.bodies += 1;
                    let shape = Shape::Face {
                        corners: spots,
                        count: CORNERS,
                        normal: self.camera.to_view(outward),
                    };
                    self.out.parts.push(Part {
                        shape,
                        paint,
                        order: -(self.bodies as f32),
                        carried: false,
                    });
                }
            }
        }
    }

    /// A pair of lamps at nose or tail; they shine when the scene is dark.
    pub(crate) fn lamps(&mut self, ahead: f32, up: f32, side: f32, colour: Vec3, radius: f32, bright: bool) {
        let direction = if ahead > 0.0 { self.ahead } else { -self.ahead };
        for which in [-1.0_f32, 1.0] {
            let place = self.at([ahead, up, side * which]);
            let spot = self.camera.project(place);
            if spot.depth < 1.0 || direction.dot(place - self.camera.position) > 0.0 {
                continue;
            }
            let pixels = radius * self.camera.focal / spot.depth;
            self.bodies += 1;
            let paint = if self.lights {
                Paint::Glow {
                    colour: colour * if bright { 6.0 } else { 1.6 },
                }
            } else if bright {
                Paint::Glass
            } else {
                Paint::Dull {
                    colour: colour * 0.25,
                }
            };
            let shape = Shape::Limb {
                a: spot,
                b: spot,
                radius_a: pixels,
                radius_b: pixels,
            };
            self.out.parts.push(Part {
                shape,
                paint,
                order: -(self.bodies as f32),
                carried: false,
            });
            if self.lights {
                let strength = if bright { 150.0 } else { 60.0 };
                let toward = direction
                    .dot((self.camera.position - place).normalised())
                    .max(0.0);
                self.out.halos.push(Halo {
                    spot,
                    radius: pixels * if bright { 7.0 } else { 4.0 },
                    colour: colour * (strength * toward),
                });
            }
        }
    }

    pub(crate) fn shade_bones(&mut self, [tail, nose]: [f32; 2], radius: f32, height: f32) {
        for side in [-0.4_f32, 0.4] {
            for up in [0.3, height] {
                let a = self.at([tail, up, radius * side]);
                let b = self.at([nose, up, radius * side]);
                self.out.bones.push(Bone {
                    a,
                    b,
                    radius: radius * 0.62,
                });
            }
        }
    }
}
