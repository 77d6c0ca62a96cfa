//! What people wear on the head and carry.

use crate::camera::Spot;
use crate::figure::Halo;
use crate::math::{Vec3, vec3};
use crate::paint::Paint;
use crate::pen::Pen;
use crate::raster::Shape;
use crate::{Load, PersonLook};

pub(crate) fn carried(
    pen: &mut Pen<'_>,
    look: &PersonLook,
    hand: Vec3,
    shoulder: Vec3,
    ahead: Vec3,
    tall: f32,
) {
    pen.carried = true;
    match look.carries {
        Some(Load::Bag) => {
            let below = hand - Vec3::UP * (0.09 * tall);
            pen.limb(
                below + ahead * 0.07,
                below - ahead * 0.07,
                0.055 * tall,
                0.055 * tall,
                Paint::Dull {
                    colour: vec3(0.03, 0.035, 0.05),
                },
                0.0,
            );
        }
        Some(Load::Shovel) => {
            let back = shoulder + Vec3::UP * 0.12 - ahead * 0.55;
            pen.limb(
                hand - Vec3::UP * 0.05,
                back,
                0.014,
                0.014,
                Paint::Dull {
                    colour: vec3(0.19, 0.12, 0.06),
                },
                0.0,
            );
            pen.limb(
                back,
                back - ahead * 0.2 + Vec3::UP * 0.04,
                0.05,
                0.07,
                Paint::Dull {
                    colour: vec3(0.11, 0.11, 0.12),
                },
                0.0,
            );
        }
        None => {}
    }
    pen.carried = false;
}

pub(crate) fn helmet(
    pen: &mut Pen<'_>,
    look: &PersonLook,
    colour: Vec3,
    head: Vec3,
    ahead: Vec3,
    spine: Vec3,
    facing: f32,
) {
    let tall = look.height;
    let crown = head + spine * (0.020 * tall);
    let shell = Paint::Plastic { colour };
    let radius = 0.066 * tall;
    // The brim, a flat ring that sticks out at the front.
    let rim = crown + ahead * (0.012 * tall);
    let brim = Paint::Plastic { colour: colour * 0.8 };
    let view_ahead = pen.camera.to_view(ahead);
    let spot = pen.camera.project(rim + ahead * 0.02);
    let scale = pen.camera.focal / spot.depth.max(0.5);
    let half = radius * 1.08 * scale;
    let length = half * (1.0 + 0.22 * view_ahead.x.abs());
    let shift = view_ahead.x * half * 0.24;
    let thick = 0.013 * tall * scale;
    let drop = facing * 0.05 * half;
    pen.raw(
        Shape::Limb {
            a: Spot {
                x: spot.x - length + shift + thick,
                y: spot.y + drop,
                depth: spot.depth - 0.06,
            },
            b: Spot {
                x: spot.x + length + shift - thick,
                y: spot.y + drop,
                depth: spot.depth - 0.06,
            },
            radius_a: thick,
            radius_b: thick,
        },
        brim,
        -0.06,
        spot.depth,
    );
    pen.dome(crown, [radius, 0.068 * tall], 0.18, shell, -0.07);
    if look.lamp {
        let lamp = crown + ahead * (0.070 * tall) + spine * (0.022 * tall);
        let spot = pen.camera.project(lamp);
        let scale = pen.camera.focal / spot.depth.max(0.5);
        let radius = (0.017 * tall * scale).max(0.7);
        let strength = ((facing + 0.25) / 1.25).max(0.0);
        if facing > -0.35 {
            pen.raw(
                Shape::Limb {
                    a: spot,
                    b: spot,
                    radius_a: radius,
                    radius_b: radius,
                },
                Paint::Glow {
                    colour: vec3(3.2, 3.1, 2.7) * (0.25 + 2.5 * strength * strength),
                },
                -0.1,
                spot.depth,
            );
            let colour = vec3(1.0, 0.96, 0.82) * (25.0 + 120.0 * strength * strength);
            pen.out.halos.push(Halo {
                spot,
                radius: radius * (3.0 + 5.0 * strength),
                colour,
            });
        }
    }
}
