//! Vehicles: which bodies, panes and wheels they have.

use crate::bodywork::Shop;
use crate::camera::Camera;
use crate::figure::Parts;
use crate::math::vec3;
use crate::paint::{Paint, linear};
use crate::person::Pose;
use crate::{VehicleLook, VehicleModel};

/// Nose and tail are this far from the middle, in metres.
pub(crate) fn half_length(model: VehicleModel) -> f32 {
    match model {
        VehicleModel::CoalTruck => 4.1,
        VehicleModel::Car => 2.25,
        VehicleModel::Bus => 3.6,
    }
}

/// All parts of the vehicle.
pub(crate) fn parts(look: &VehicleLook, pose: &Pose, camera: &Camera, lights: bool, out: &mut Parts) {
    let mut shop = Shop::new(pose, camera, lights, out);
    match look.model {
        VehicleModel::CoalTruck => truck(&mut shop, look, pose.walked),
        VehicleModel::Car => car(&mut shop, look),
        VehicleModel::Bus => bus(&mut shop, look),
    }
}

fn truck(shop: &mut Shop<'_>, look: &VehicleLook, walked: f32) {
    let paint = linear(look.paint);
    let rust = vec3(0.11, 0.085, 0.07);
    let dark = Paint::Dull {
        colour: vec3(0.016, 0.016, 0.017),
    };
    let bed = Paint::Ribbed {
        colour: paint.mix(rust, 0.35),
    };
    let cab = Paint::Lacquer {
        colour: paint,
        dirt: 0.5,
        seed: 3,
    };
    // Bodies far along the heading are drawn first when the truck drives away, and the other way round.
    let away = shop.away();
    let chassis = |shop: &mut Shop<'_>| shop.cuboid([-3.9, 3.6], [0.55, 0.95], 0.9, [dark; 6]);
    let wheels = |shop: &mut Shop<'_>| {
        for at in [2.85, -1.5, -2.75] {
            shop.wheel(at, 0.50, 1.22, walked);
        }
    };
    let cabin = |shop: &mut Shop<'_>| {
        shop.body(
            [[2.15, 0.75], [3.95, 0.75], [3.80, 2.75], [2.15, 2.85]],
            [1.22, 1.22, 1.14, 1.14],
            [cab; 6],
        );
        shop.pane(
            [3.97, 1.62, 1.05],
            [3.97, 1.62, -1.05],
            [3.85, 2.55, -0.98],
            [3.85, 2.55, 0.98],
            Paint::Glass,
        );
        for side in [-1.0, 1.0] {
            let out = 1.235 * side;
            shop.pane(
                [2.55, 1.66, out],
                [3.62, 1.66, out],
                [3.50, 2.5, out * 0.96],
                [2.55, 2.52, out * 0.96],
                Paint::Glass,
            );
        }
        shop.pane(
            [3.97, 0.85, 1.1],
            [3.97, 0.85, -1.1],
            [3.97, 1.3, -1.1],
            [3.97, 1.3, 1.1],
            Paint::Dull {
                colour: vec3(0.03, 0.03, 0.03),
            },
        );
        shop.pane(
            [3.985, 0.70, 0.3],
            [3.985, 0.70, -0.3],
            [3.985, 0.86, -0.3],
            [3.985, 0.86, 0.3],
            Paint::Dull {
                colour: vec3(0.62, 0.47, 0.05),
            },
        );
        shop.lamps(3.98, 1.0, 0.92, vec3(1.0, 0.95, 0.8), 0.12, true);
    };
    let load = |shop: &mut Shop<'_>| {
        let (low, high) = (1.05, 2.55);
        if !look.loaded {
            let worn = Paint::Ribbed {
                colour: paint.mix(rust, 0.7) * 0.6,
            };
            shop.inside(
                [-3.95, 1.95],
                [low + 0.1, high],
                1.2,
                Paint::Dull {
                    colour: vec3(0.075, 0.07, 0.066),
                },
                worn,
            );
        }
        shop.walls([-4.0, 2.0], [low, high], 1.27, bed);
        if look.loaded {
            shop.heap([-3.95, 1.95], high - 0.06, 1.22, 0.62);
        }
        shop.pane(
            [-4.02, 0.62, -0.32],
            [-4.02, 0.62, 0.32],
            [-4.02, 0.82, 0.32],
            [-4.02, 0.82, -0.32],
            Paint::Dull {
                colour: vec3(0.62, 0.47, 0.05),
            },
        );
        shop.lamps(-4.02, 0.72, 1.0, vec3(0.9, 0.06, 0.03), 0.09, false);
    };
    if away {
        cabin(shop);
        chassis(shop);
        wheels(shop);
        load(shop);
    } else {
        chassis(shop);
        wheels(shop);
        load(shop);
        cabin(shop);
    }
    shop.shade_bones([-3.6, 3.4], 1.15, 1.6);
}

fn car(shop: &mut Shop<'_>, look: &VehicleLook) {
    let lacquer = Paint::Lacquer {
        colour: linear(look.paint),
        dirt: 0.18,
        seed: 5,
    };
    let roof = Paint::Lacquer {
        colour: linear(look.paint) * 0.95,
        dirt: 0.1,
        seed: 6,
    };
    for at in [1.35, -1.35] {
        shop.wheel(at, 0.33, 0.84, 0.0);
    }
    shop.body(
        [[-2.2, 0.28], [2.25, 0.28], [2.15, 0.78], [-2.15, 0.86]],
        [0.87, 0.87, 0.86, 0.86],
        [lacquer; 6],
    );
    shop.body(
        [[-1.75, 0.84], [1.05, 0.80], [0.35, 1.42], [-1.15, 1.44]],
        [0.84, 0.84, 0.66, 0.66],
        [Paint::Glass, Paint::Glass, Paint::Glass, Paint::Glass, roof, roof],
    );
    shop.pane(
        [2.27, 0.36, 0.26],
        [2.27, 0.36, -0.26],
        [2.27, 0.50, -0.26],
        [2.27, 0.50, 0.26],
        Paint::Dull {
            colour: vec3(0.03, 0.10, 0.45),
        },
    );
    shop.pane(
        [-2.22, 0.50, -0.26],
        [-2.22, 0.50, 0.26],
        [-2.22, 0.64, 0.26],
        [-2.22, 0.64, -0.26],
        Paint::Dull {
            colour: vec3(0.03, 0.10, 0.45),
        },
    );
    shop.lamps(2.22, 0.62, 0.66, vec3(1.0, 0.98, 0.92), 0.10, true);
    shop.lamps(-2.2, 0.72, 0.70, vec3(0.85, 0.05, 0.03), 0.09, false);
    shop.shade_bones([-1.7, 1.7], 0.8, 0.6);
}

fn bus(shop: &mut Shop<'_>, look: &VehicleLook) {
    let lacquer = Paint::Lacquer {
        colour: linear(look.paint),
        dirt: 0.25,
        seed: 8,
    };
    for at in [2.2, -2.0] {
        shop.wheel(at, 0.42, 1.12, 0.0);
    }
    shop.body(
        [[-3.55, 0.35], [3.6, 0.35], [3.5, 2.75], [-3.5, 2.75]],
        [1.15, 1.15, 1.08, 1.08],
        [lacquer; 6],
    );
    shop.pane(
        [3.6, 1.25, 1.0],
        [3.6, 1.25, -1.0],
        [3.54, 2.4, -0.97],
        [3.54, 2.4, 0.97],
        Paint::Glass,
    );
    shop.pane(
        [-3.56, 1.4, -0.9],
        [-3.56, 1.4, 0.9],
        [-3.53, 2.3, 0.88],
        [-3.53, 2.3, -0.88],
        Paint::Glass,
    );
    for side in [-1.0, 1.0] {
        for window in 0..4 {
            let from = -3.2 + window as f32 * 1.6;
            let (low, high) = (1.15 * side, 1.11 * side);
            shop.pane(
                [from, 1.4, low],
                [from + 1.45, 1.4, low],
                [from + 1.45, 2.3, high],
                [from, 2.3, high],
                Paint::Glass,
            );
        }
    }
    shop.lamps(3.62, 0.75, 0.85, vec3(1.0, 0.97, 0.9), 0.12, true);
    shop.lamps(-3.57, 0.85, 0.9, vec3(0.85, 0.05, 0.03), 0.1, false);
    shop.shade_bones([-3.0, 3.0], 1.05, 1.3);
}
