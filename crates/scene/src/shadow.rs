//! Shadows of figures on the ground.

use crate::camera::{Camera, Spot};
use crate::figure::Bone;
use crate::math::{Vec3, clamp01, smoothstep, vec3};
use crate::world::ShadowLight;

/// A picture and where its ground is.
pub(crate) struct Floor<'a> {
    pub(crate) data: &'a mut [u8],
    pub(crate) floor: &'a [bool],
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// One value for each pixel, all 0 between calls.
    pub(crate) scratch: &'a mut Vec<u8>,
}

struct Cast {
    a: Spot,
    b: Spot,
    radius: f32,
    soft: f32,
}

/// Darkens the ground below the figure for its lights (with the share of light that each gives) and where it
/// stands.
pub(crate) fn cast(bones: &[Bone], lights: &[(ShadowLight, f32)], camera: &Camera, on: &mut Floor<'_>) {
    for (light, share) in lights {
        let casts: Vec<Cast> = bones
            .iter()
            .filter_map(|bone| project(bone, *light, camera))
            .collect();
        darken(&casts, share * 0.9, camera, on);
    }
    let contacts: Vec<Cast> = bones
        .iter()
        .filter(|bone| bone.a.y.min(bone.b.y) < 0.42)
        .filter_map(|bone| {
            let on_ground = |point: Vec3| camera.project(vec3(point.x, 0.0, point.z));
            let (a, b) = (on_ground(bone.a), on_ground(bone.b));
            let scale = camera.focal / a.depth.max(0.5);
            (a.depth > 0.6 && b.depth > 0.6).then_some(Cast {
                a,
                b,
                radius: (bone.radius + 0.04) * scale,
                soft: (0.12 + bone.radius * 0.6) * scale,
            })
        })
        .collect();
    darken(&contacts, 0.42, camera, on);
}

fn project(bone: &Bone, light: ShadowLight, camera: &Camera) -> Option<Cast> {
    let fall = |point: Vec3| match light {
        ShadowLight::Far(direction) => Some(point - direction * (point.y / direction.y.max(0.15))),
        ShadowLight::Near(lamp) => {
            let above = lamp.y - point.y;
            (above > 0.25).then(|| {
                let way = (point - lamp) * (point.y / above);
                let length = way.length();
                point + way * (6.0 / length.max(6.0))
            })
        }
    };
    let (low, high) = (fall(bone.a)?, fall(bone.b)?);
    let (a, b) = (
        camera.project(vec3(low.x, 0.0, low.z)),
        camera.project(vec3(high.x, 0.0, high.z)),
    );
    if a.depth < 0.6 || b.depth < 0.6 {
        return None;
    }
    let scale = camera.focal * 2.0 / (a.depth + b.depth);
    let height = (bone.a.y + bone.b.y) * 0.5;
    let blur = match light {
        ShadowLight::Far(_) => 0.02,
        ShadowLight::Near(_) => 0.05,
    };
    Some(Cast {
        a,
        b,
        radius: bone.radius * scale,
        soft: ((0.02 + blur * height) * scale).max(1.0),
    })
}

fn darken(casts: &[Cast], strength: f32, camera: &Camera, on: &mut Floor<'_>) {
    // On the ground lengths away from the camera look shorter: distances are taken in a stretched picture.
    let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
    for cast in casts {
        let depth = (cast.a.depth + cast.b.depth) * 0.5;
        let flat = (camera.position.y / depth).clamp(0.12, 0.8);
        let pad = cast.radius + cast.soft;
        let clip = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
        let columns = clip(cast.a.x.min(cast.b.x) - pad, on.columns)
            ..clip(cast.a.x.max(cast.b.x) + pad + 1.0, on.columns);
        let rows = clip(cast.a.y.min(cast.b.y) - pad * flat, on.rows)
            ..clip(cast.a.y.max(cast.b.y) + pad * flat + 1.0, on.rows);
        left = left.min(columns.start);
        right = right.max(columns.end);
        top = top.min(rows.start);
        bottom = bottom.max(rows.end);
        let (dx, dy) = (cast.b.x - cast.a.x, (cast.b.y - cast.a.y) / flat);
        let square = (dx * dx + dy * dy).max(1e-4);
        for row in rows {
            let y = (row as f32 + 0.5 - cast.a.y) / flat;
            for column in columns.clone() {
                let x = column as f32 + 0.5 - cast.a.x;
                let along = clamp01((x * dx + y * dy) / square);
                let (px, py) = (x - along * dx, y - along * dy);
                let distance = (px * px + py * py).sqrt();
                if distance > pad {
                    continue;
                }
                let alpha = (smoothstep(pad, (cast.radius - cast.soft).max(0.0), distance) * 255.0) as u8;
                if let Some(value) = on.scratch.get_mut(row * on.columns + column) {
                    *value = (*value).max(alpha);
                }
            }
        }
    }
    for row in top..bottom {
        for column in left..right {
            let offset = row * on.columns + column;
            let Some(alpha) = on.scratch.get_mut(offset) else {
                continue;
            };
            if *alpha == 0 {
                continue;
            }
            let share = f32::from(*alpha) / 255.0 * strength;
            *alpha = 0;
            if !on.floor.get(offset).copied().unwrap_or(false) {
                continue;
            }
            // Light falls by `share`; display values follow the square root.
            let factor = (1.0 - share).sqrt();
            if let Some(pixel) = on.data.get_mut(offset * 3..offset * 3 + 3) {
                for value in pixel {
                    *value = (f32::from(*value) * factor) as u8;
                }
            }
        }
    }
}
