//! Soft-edged shapes on the picture, tested against the depth of the still scene.

use crate::camera::Spot;
use crate::math::{Vec3, clamp01, mix, vec3};

/// What a shape looks like at one of its points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// Outward normal in the camera's axes (right, down, forward); towards the camera is negative `z`.
    pub(crate) normal: Vec3,
    /// 0 at the shape's first end, 1 at its second.
    pub(crate) along: f32,
    /// -1 to 1 across.
    pub(crate) across: f32,
}

/// Takes the pixels of shapes: colours into a picture, or coverage into a mask.
pub(crate) trait Ink {
    /// `coverage` 0 to 1; `shade` gives linear light and is only called where it is needed.
    fn touch(
        &mut self,
        column: usize,
        row: usize,
        coverage: f32,
        depth: f32,
        shade: &mut dyn FnMut() -> Vec3,
    );
    fn width(&self) -> usize;
    fn height(&self) -> usize;
}

/// A rectangle of the picture, in pixels; empty where `right` is not above `left`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Extent {
    pub(crate) const EMPTY: Self = Self {
        left: f32::INFINITY,
        top: f32::INFINITY,
        right: f32::NEG_INFINITY,
        bottom: f32::NEG_INFINITY,
    };

    pub(crate) fn grow(&mut self, x: f32, y: f32, radius: f32) {
        self.left = self.left.min(x - radius);
        self.right = self.right.max(x + radius);
        self.top = self.top.min(y - radius);
        self.bottom = self.bottom.max(y + radius);
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.left = self.left.min(other.left);
        self.right = self.right.max(other.right);
        self.top = self.top.min(other.top);
        self.bottom = self.bottom.max(other.bottom);
    }

    pub(crate) fn area(&self) -> f32 {
        (self.right - self.left).max(0.0) * (self.bottom - self.top).max(0.0)
    }

    pub(crate) fn clipped(&self, width: f32, height: f32) -> Self {
        Self {
            left: self.left.max(0.0),
            top: self.top.max(0.0),
            right: self.right.min(width),
            bottom: self.bottom.min(height),
        }
    }
}

/// Most corners that a polygon has.
pub(crate) const CORNERS: usize = 8;

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A rounded limb from `a` to `b`, radii in pixels.
    Limb {
        a: Spot,
        b: Spot,
        radius_a: f32,
        radius_b: f32,
    },
    /// A convex polygon of at most [`CORNERS`] corners with rounded edge; `axis` runs from its first to its second end.
    Slab {
        corners: [Spot; CORNERS],
        count: usize,
        radius: f32,
        axis_a: Spot,
        axis_b: Spot,
        half_width: f32,
    },
    /// A flat convex face of at most [`CORNERS`] corners with one normal.
    Face {
        corners: [Spot; CORNERS],
        count: usize,
        normal: Vec3,
    },
    /// The upper part of a ball: everything above a level `cut` radii below its centre.
    Dome {
        centre: Spot,
        radius_x: f32,
        radius_y: f32,
        cut: f32,
    },
}

impl Shape {
    pub(crate) fn extent(&self) -> Extent {
        let mut extent = Extent::EMPTY;
        match self {
            Self::Limb {
                a,
                b,
                radius_a,
                radius_b,
            } => {
                extent.grow(a.x, a.y, *radius_a);
                extent.grow(b.x, b.y, *radius_b);
            }
            Self::Slab {
                corners,
                count,
                radius,
                ..
            } => {
                for corner in corners.iter().take(*count) {
                    extent.grow(corner.x, corner.y, *radius);
                }
            }
            Self::Face { corners, count, .. } => {
                for corner in corners.iter().take(*count) {
                    extent.grow(corner.x, corner.y, 0.0);
                }
            }
            Self::Dome {
                centre,
                radius_x,
                radius_y,
                cut,
            } => {
                extent.grow(centre.x, centre.y, 0.0);
                extent.left = centre.x - radius_x;
                extent.right = centre.x + radius_x;
                extent.top = centre.y - radius_y;
                extent.bottom = (centre.y + cut * radius_y).min(centre.y + radius_y);
            }
        }
        extent
    }

    /// Hands every pixel of the shape to `ink`; `shade` turns a point of the shape into linear light.
    pub(crate) fn draw(&self, ink: &mut dyn Ink, softness: f32, shade: &mut dyn FnMut(Hit) -> Vec3) {
        let extent = self.extent();
        let (width, height) = (ink.width(), ink.height());
        let pad = softness;
        let first_column = (extent.left - pad).max(0.0) as usize;
        let first_row = (extent.top - pad).max(0.0) as usize;
        let end_column = ((extent.right + pad).ceil().max(0.0) as usize).min(width);
        let end_row = ((extent.bottom + pad).ceil().max(0.0) as usize).min(height);
        let slope = 1.0 / softness;
        for row in first_row..end_row {
            let y = row as f32 + 0.5;
            for column in first_column..end_column {
                let x = column as f32 + 0.5;
                let Some((distance, depth, hit)) = self.at(x, y, softness) else {
                    continue;
                };
                let coverage = clamp01(0.5 - distance * slope);
                if coverage > 0.004 {
                    ink.touch(column, row, coverage, depth, &mut || shade(hit));
                }
            }
        }
    }

    /// Signed distance to the edge (negative inside) in pixels, depth and surface; nothing where `x`, `y` is
    /// farther than `reach` outside.
    fn at(&self, x: f32, y: f32, reach: f32) -> Option<(f32, f32, Hit)> {
        match self {
            Self::Limb {
                a,
                b,
                radius_a,
                radius_b,
            } => {
                let (dx, dy) = (b.x - a.x, b.y - a.y);
                let square = (dx * dx + dy * dy).max(1e-6);
                let along = clamp01(((x - a.x) * dx + (y - a.y) * dy) / square);
                let radius = mix(*radius_a, *radius_b, along).max(0.01);
                let (px, py) = (x - a.x - along * dx, y - a.y - along * dy);
                let distance_square = px * px + py * py;
                let outer = radius + reach;
                if distance_square > outer * outer {
                    return None;
                }
                let distance = distance_square.sqrt();
                let share = (distance / radius).min(0.999);
                let scale = share / distance.max(1e-4);
                let length = square.sqrt();
                let across = ((x - a.x) * dy - (y - a.y) * dx) / (length * radius);
                let normal = vec3(px * scale, py * scale, -(1.0 - share * share).sqrt());
                Some((
                    distance - radius,
                    mix(a.depth, b.depth, along),
                    Hit {
                        normal,
                        along,
                        across: across.clamp(-1.0, 1.0),
                    },
                ))
            }
            Self::Slab {
                corners,
                count,
                radius,
                axis_a,
                axis_b,
                half_width,
            } => {
                let corners = corners.get(..*count)?;
                let inner = polygon_distance(corners, x, y);
                let distance = inner - radius;
                if distance > reach {
                    return None;
                }
                let (dx, dy) = (axis_b.x - axis_a.x, axis_b.y - axis_a.y);
                let square = (dx * dx + dy * dy).max(1e-6);
                let along = clamp01(((x - axis_a.x) * dx + (y - axis_a.y) * dy) / square);
                let length = square.sqrt();
                let across = (((x - axis_a.x) * dy - (y - axis_a.y) * dx) / (length * half_width.max(0.1)))
                    .clamp(-1.0, 1.0);
                let bulge = across * across * across.abs().sqrt();
                let nx = dy / length * bulge.copysign(across) * 0.97;
                let ny = -dx / length * bulge.copysign(across) * 0.97;
                let normal = vec3(nx, ny, -(1.0 - (nx * nx + ny * ny).min(0.98)).sqrt());
                Some((
                    distance,
                    mix(axis_a.depth, axis_b.depth, along),
                    Hit {
                        normal,
                        along,
                        across,
                    },
                ))
            }
            Self::Face {
                corners,
                count,
                normal,
            } => {
                let corners = corners.get(..*count)?;
                let distance = polygon_distance(corners, x, y);
                if distance > reach {
                    return None;
                }
                let (along, across, depth) = face_coordinates(corners, x, y);
                Some((
                    distance,
                    depth,
                    Hit {
                        normal: *normal,
                        along,
                        across,
                    },
                ))
            }
            Self::Dome {
                centre,
                radius_x,
                radius_y,
                cut,
            } => {
                let (ux, uy) = ((x - centre.x) / radius_x, (y - centre.y) / radius_y);
                let square = ux * ux + uy * uy;
                let small = radius_x.min(*radius_y);
                let ball = (square.sqrt() - 1.0) * small;
                let edge = y - (centre.y + cut * radius_y);
                let distance = ball.max(edge);
                if distance > reach {
                    return None;
                }
                let normal = vec3(
                    ux.clamp(-1.0, 1.0),
                    uy.clamp(-1.0, 1.0),
                    -(1.0 - square.min(0.98)).sqrt(),
                );
                Some((
                    distance,
                    centre.depth,
                    Hit {
                        normal,
                        along: clamp01(0.5 + uy * 0.5),
                        across: ux,
                    },
                ))
            }
        }
    }
}

/// Distance from a convex polygon's edge, negative inside; the winding does not matter.
fn polygon_distance(corners: &[Spot], x: f32, y: f32) -> f32 {
    let Some(last) = corners.last() else {
        return f32::INFINITY;
    };
    let mut previous = *last;
    let mut nearest = f32::INFINITY;
    let (mut left, mut right) = (false, false);
    for &corner in corners {
        let (ex, ey) = (corner.x - previous.x, corner.y - previous.y);
        let (wx, wy) = (x - previous.x, y - previous.y);
        let share = clamp01((wx * ex + wy * ey) / (ex * ex + ey * ey).max(1e-9));
        let (px, py) = (wx - ex * share, wy - ey * share);
        nearest = nearest.min(px * px + py * py);
        let side = ex * wy - ey * wx;
        left |= side > 0.0;
        right |= side < 0.0;
        previous = corner;
    }
    let distance = nearest.sqrt();
    if left && right { distance } else { -distance }
}

/// Position inside a face: for four corners 0 to 1 from the first edge to the opposite one and -1 to 1 between
/// the other two, by an affine fit of the first three corners; depth likewise, by inverse depth.
fn face_coordinates(corners: &[Spot], x: f32, y: f32) -> (f32, f32, f32) {
    let (Some(a), Some(b), Some(c)) = (corners.first(), corners.get(1), corners.last()) else {
        return (0.0, 0.0, 1.0);
    };
    let (ux, uy, vx, vy) = (b.x - a.x, b.y - a.y, c.x - a.x, c.y - a.y);
    let determinant = ux * vy - uy * vx;
    if determinant.abs() < 1e-6 {
        return (0.0, 0.0, a.depth);
    }
    let (px, py) = (x - a.x, y - a.y);
    let u = (px * vy - py * vx) / determinant;
    let v = (ux * py - uy * px) / determinant;
    let inverse = |spot: &Spot| 1.0 / spot.depth.max(0.1);
    let depth = inverse(a) + u * (inverse(b) - inverse(a)) + v * (inverse(c) - inverse(a));
    (clamp01(v), clamp01(u) * 2.0 - 1.0, 1.0 / depth.max(1e-3))
}
