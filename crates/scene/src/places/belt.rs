//! Belt conveyor in a gallery; the coal comes towards the camera.

use super::{Place, rgb};
use crate::material::Material;
use crate::math::{Dice, vec3};
use crate::solid::Solid;
use crate::text::Typeface;
use crate::world::World;
use crate::{Daylight, SceneScript};

/// Height of the belt's middle above the floor.
pub(crate) const SURFACE_Y: f32 = 0.92;
/// Where the belt ends on the camera's side.
const VIEW_FROM_Z: f32 = -5.0;
/// Where coal falls on the belt, beyond the view.
pub(crate) const FEED_Z: f32 = 18.0;

pub(super) fn build(script: &SceneScript, typeface: &Typeface) -> Place {
    let mut dice = Dice::new(script.seed ^ 0x6265);
    let mut world = World::new(script.kind, Daylight::Night, script.seed);
    world.ambient = rgb(0.020, 0.021, 0.023);
    world.add(
        Solid::Ground,
        Material::Earth {
            tint: rgb(0.115, 0.11, 0.105),
            rails: None,
        },
    );
    // The gallery.
    let wall = if dice.chance(0.5) {
        Material::Dado {
            upper: rgb(0.36, 0.36, 0.34),
            lower: rgb(0.10, 0.20, 0.20),
            height: 1.25,
        }
    } else {
        Material::Lining {
            tint: rgb(0.30, 0.29, 0.275),
        }
    };
    world.block([-2.9, 0.0, -9.0], [-2.5, 3.4, 22.0], wall.clone());
    world.block([3.0, 0.0, -9.0], [3.4, 3.4, 22.0], wall.clone());
    world.block(
        [-3.0, 3.3, -9.0],
        [3.4, 3.6, 22.0],
        Material::Concrete {
            tint: rgb(0.26, 0.26, 0.255),
        },
    );
    world.block([-3.0, 0.0, 21.0], [3.4, 3.6, 21.4], wall);

    let steel = Material::Metal {
        tint: rgb(0.30, 0.17, 0.04),
    };
    let frame = Material::Metal {
        tint: dice.pick(
            &[
                rgb(0.07, 0.13, 0.22),
                rgb(0.14, 0.15, 0.15),
                rgb(0.25, 0.12, 0.03),
            ],
            rgb(0.1, 0.1, 0.1),
        ),
    };
    world.add(
        Solid::Trough {
            y: SURFACE_Y,
            flat: 0.24,
            half: 0.62,
            rise: 0.42,
            from_z: VIEW_FROM_Z,
            to_z: 20.0,
        },
        Material::Rubber,
    );
    for x in [-0.80_f32, 0.72] {
        world.block([x, 0.78, VIEW_FROM_Z], [x + 0.08, 0.92, 20.0], frame.clone());
    }
    for step in 0..17 {
        let z = VIEW_FROM_Z + 0.3 + step as f32 * 1.5;
        for x in [-0.82_f32, 0.74] {
            world.block([x, 0.0, z], [x + 0.08, 0.8, z + 0.09], frame.clone());
        }
        // Brackets of the idlers, rising beside the belt.
        for x in [-0.74_f32, 0.64] {
            world.block([x, 0.86, z + 0.5], [x + 0.10, 1.17, z + 0.62], steel.clone());
        }
        world.add(
            Solid::Roller {
                y: 0.80,
                z: z + 0.56,
                radius: 0.055,
                from_x: -0.7,
                to_x: 0.7,
            },
            Material::Metal {
                tint: rgb(0.13, 0.12, 0.12),
            },
        );
    }
    // Return belt below, and the pull cord along the side.
    world.block(
        [-0.6, 0.36, VIEW_FROM_Z],
        [0.6, 0.385, 20.0],
        Material::Metal {
            tint: rgb(0.03, 0.03, 0.03),
        },
    );
    world.block(
        [0.90, 0.98, VIEW_FROM_Z],
        [0.918, 0.998, 20.0],
        Material::Metal {
            tint: rgb(0.5, 0.04, 0.03),
        },
    );
    // Walkway edge, cable tray, pipes.
    world.block(
        [1.15, 0.0, -9.0],
        [1.23, 0.05, 22.0],
        Material::Metal {
            tint: rgb(0.55, 0.42, 0.03),
        },
    );
    world.block(
        [-2.5, 2.35, -9.0],
        [-2.2, 2.45, 21.0],
        Material::Metal {
            tint: rgb(0.22, 0.22, 0.22),
        },
    );
    world.block(
        [-2.42, 1.72, -9.0],
        [-2.28, 1.86, 21.0],
        Material::Metal {
            tint: rgb(0.34, 0.03, 0.02),
        },
    );
    world.block(
        [2.86, 2.1, -9.0],
        [3.0, 2.26, 21.0],
        Material::Metal {
            tint: rgb(0.03, 0.03, 0.03),
        },
    );
    // Fire box and a board.
    world.block(
        [2.82, 0.7, 4.0],
        [3.0, 1.5, 4.9],
        Material::Metal {
            tint: rgb(0.42, 0.02, 0.015),
        },
    );
    let (low, high) = ([-1.6, 2.45, 7.9], [1.2, 2.95, 8.0]);
    world.block(
        low,
        high,
        Material::Board {
            text: typeface.line("皮带运行 严禁跨越", 40.0),
            back: rgb(0.66, 0.48, 0.02),
            ink: rgb(0.02, 0.02, 0.02),
            low: vec3(-1.6, 2.45, 7.9),
            high: vec3(1.2, 2.95, 8.0),
        },
    );

    let colour = if dice.chance(0.5) {
        rgb(0.93, 0.98, 1.0)
    } else {
        rgb(1.0, 0.85, 0.62)
    };
    let strength = match script.look.daylight {
        Daylight::Day | Daylight::Overcast => 1.0,
        Daylight::Dusk => 0.75,
        Daylight::Night => 0.55,
    };
    for step in 0..5 {
        let z = -1.6 + step as f32 * 4.6;
        world.block(
            [0.9, 3.12, z - 0.45],
            [1.15, 3.22, z + 0.45],
            Material::Glow { light: colour * 4.5 },
        );
        world.lamp([1.02, 3.0, z], colour * (2.9 * strength), 0.5);
    }
    Place {
        world,
        target: vec3(0.05, 0.95, 2.4),
        line: None,
        regions: vec![(
            "belt",
            vec![
                vec3(-0.55, SURFACE_Y + 0.13, -0.6),
                vec3(0.55, SURFACE_Y + 0.13, -0.6),
                vec3(0.55, SURFACE_Y + 0.13, 6.0),
                vec3(-0.55, SURFACE_Y + 0.13, 6.0),
            ],
        )],
    }
}
