//! The pinhole camera.

use crate::Look;
use crate::math::{Vec3, cosine, degrees, sine, vec3};

/// Nothing nearer than this is drawn, in metres.
pub(crate) const NEAR: f32 = 0.35;

/// A point on the picture: pixels, and the depth along the view axis in metres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spot {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) depth: f32,
}

#[derive(Clone, Debug)]
pub(crate) struct Camera {
    pub(crate) position: Vec3,
    pub(crate) right: Vec3,
    pub(crate) down: Vec3,
    pub(crate) forward: Vec3,
    /// Focal length in pixels.
    pub(crate) focal: f32,
    pub(crate) centre_x: f32,
    pub(crate) centre_y: f32,
}

impl Camera {
    /// A camera as `look` says that looks at `target`, turned further by `extra` degrees (pan, tilt, roll).
    pub(crate) fn new(look: &Look, target: Vec3, width: u32, height: u32, extra: [f32; 3]) -> Self {
        let position = vec3(look.camera_aside, look.camera_height, -look.camera_distance);
        let aim = (target - position).normalised();
        let side = Vec3::UP.cross(aim).normalised();
        let up = aim.cross(side);
        let [more_pan, more_tilt, more_roll] = extra;
        let pan = degrees(look.pan_degrees + more_pan);
        let panned = aim * cosine(pan) + side * sine(pan);
        let side = up.cross(panned).normalised();
        let tilt = degrees(more_tilt);
        let forward = (panned * cosine(tilt) - up * sine(tilt)).normalised();
        let up = forward.cross(side);
        let roll = degrees(look.roll_degrees + more_roll);
        let right = side * cosine(roll) - up * sine(roll);
        let down = right.cross(forward) * -1.0;
        let half = degrees(look.view_degrees / 2.0);
        Self {
            position,
            right,
            down: if down.dot(up) > 0.0 { down * -1.0 } else { down },
            forward,
            focal: width as f32 / 2.0 * cosine(half) / sine(half),
            centre_x: width as f32 / 2.0,
            centre_y: height as f32 / 2.0,
        }
    }

    /// Into the camera's own axes: right, down, forward.
    pub(crate) fn to_view(&self, direction: Vec3) -> Vec3 {
        vec3(
            direction.dot(self.right),
            direction.dot(self.down),
            direction.dot(self.forward),
        )
    }

    /// Where a point of the world falls; points behind the camera are taken at the nearest depth.
    pub(crate) fn project(&self, point: Vec3) -> Spot {
        self.project_view(self.to_view(point - self.position))
    }

    pub(crate) fn project_view(&self, view: Vec3) -> Spot {
        let depth = view.z.max(NEAR);
        let scale = self.focal / depth;
        Spot {
            x: self.centre_x + view.x * scale,
            y: self.centre_y + view.y * scale,
            depth: view.z,
        }
    }

    /// Direction of the ray through a point of the picture; its length is such that depth 1 lies at its end.
    pub(crate) fn ray(&self, x: f32, y: f32) -> Vec3 {
        self.forward
            + self.right * ((x - self.centre_x) / self.focal)
            + self.down * ((y - self.centre_y) / self.focal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SceneKind;

    #[test]
    fn rays_and_projection_agree_and_right_is_right() {
        let script = crate::SceneScript::demo(SceneKind::ShaftMouth, 1, 20.0, crate::DemoCourse::default());
        let camera = Camera::new(&script.look, vec3(0.0, 1.0, 0.0), 640, 360, [3.0, 2.0, 1.0]);
        for point in [vec3(1.0, 0.5, 2.0), vec3(-2.0, 0.0, 1.0)] {
            let spot = camera.project(point);
            let back = camera.position + camera.ray(spot.x, spot.y) * spot.depth;
            assert!((back - point).length() < 1e-3, "{back:?} {point:?}");
        }
        assert!(camera.project(vec3(1.0, 0.0, 0.0)).x > camera.project(vec3(0.0, 0.0, 0.0)).x);
        assert!(camera.project(vec3(0.0, 1.0, 0.0)).y < camera.project(vec3(0.0, 0.0, 0.0)).y);
    }
}
