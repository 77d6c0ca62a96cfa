//! Dispatch room: a long desk with monitors, a wall of screens, chairs, a door in the left wall.

use super::{Place, rgb};
use crate::material::Material;
use crate::math::{Dice, vec3};
use crate::solid::Solid;
use crate::text::Typeface;
use crate::world::World;
use crate::{Daylight, SceneScript};

pub(super) fn build(script: &SceneScript, typeface: &Typeface) -> Place {
    let mut dice = Dice::new(script.seed ^ 0x726f);
    let mut world = World::new(script.kind, Daylight::Night, script.seed);
    let strength = match script.look.daylight {
        Daylight::Day | Daylight::Overcast => 1.0,
        Daylight::Dusk => 0.8,
        Daylight::Night => 0.5,
    };
    world.ambient = rgb(0.125, 0.13, 0.135) * strength;
    let floor = dice.pick(
        &[
            rgb(0.42, 0.40, 0.37),
            rgb(0.30, 0.30, 0.31),
            rgb(0.36, 0.28, 0.20),
        ],
        rgb(0.4, 0.4, 0.4),
    );
    world.add(
        Solid::Ground,
        Material::Tiles {
            tint: floor,
            size: 0.6,
        },
    );
    let wall = Material::Dado {
        upper: rgb(0.56, 0.56, 0.54),
        lower: dice.pick(
            &[
                rgb(0.48, 0.50, 0.50),
                rgb(0.28, 0.36, 0.44),
                rgb(0.50, 0.45, 0.37),
            ],
            rgb(0.5, 0.5, 0.5),
        ),
        height: 1.0,
    };
    // Left wall with a door way between z = -2.5 and -1.5; a corridor behind it.
    world.block([-4.0, 0.0, -6.0], [-3.8, 3.0, -2.5], wall.clone());
    world.block([-4.0, 0.0, -1.5], [-3.8, 3.0, 3.0], wall.clone());
    world.block([-4.0, 2.15, -2.5], [-3.8, 3.0, -1.5], wall.clone());
    world.block(
        [-6.2, 0.0, -4.0],
        [-6.0, 3.0, 1.0],
        Material::Dado {
            upper: rgb(0.4, 0.4, 0.38),
            lower: rgb(0.16, 0.26, 0.22),
            height: 1.2,
        },
    );
    world.block(
        [-3.83, 0.0, -2.58],
        [-3.76, 2.2, -2.5],
        Material::Metal {
            tint: rgb(0.24, 0.13, 0.06),
        },
    );
    world.block(
        [-3.83, 0.0, -1.5],
        [-3.76, 2.2, -1.42],
        Material::Metal {
            tint: rgb(0.24, 0.13, 0.06),
        },
    );
    world.block([3.8, 0.0, -6.0], [4.0, 3.0, 3.0], wall.clone());
    world.block([-4.0, 0.0, 2.8], [4.0, 3.0, 3.0], wall);
    world.block(
        [-4.0, 2.95, -6.0],
        [4.0, 3.1, 3.0],
        Material::Tiles {
            tint: rgb(0.55, 0.55, 0.54),
            size: 0.6,
        },
    );

    // The wall of screens with a title.
    world.block(
        [-2.9, 0.75, 2.66],
        [2.9, 2.55, 2.8],
        Material::Metal {
            tint: rgb(0.02, 0.02, 0.022),
        },
    );
    for column in 0..4 {
        for row in 0..2 {
            let x = -2.8 + column as f32 * 1.41;
            let y = 0.85 + row as f32 * 0.82;
            world.block(
                [x, y, 2.62],
                [x + 1.36, y + 0.78, 2.66],
                Material::Screen {
                    seed: dice.below(3000),
                },
            );
        }
    }
    let (low, high) = ([-1.6, 2.62, 2.7], [1.6, 2.9, 2.8]);
    world.block(
        low,
        high,
        Material::Board {
            text: typeface.line("调度指挥中心", 36.0),
            back: rgb(0.40, 0.02, 0.02),
            ink: rgb(0.86, 0.80, 0.66),
            low: vec3(-1.6, 2.62, 2.7),
            high: vec3(1.6, 2.9, 2.8),
        },
    );

    // Desk with monitors and telephones.
    let wood = Material::Metal {
        tint: dice.pick(
            &[
                rgb(0.34, 0.25, 0.17),
                rgb(0.40, 0.40, 0.41),
                rgb(0.20, 0.12, 0.07),
            ],
            rgb(0.3, 0.2, 0.1),
        ),
    };
    world.block([-2.7, 0.70, -0.25], [2.7, 0.76, 0.65], wood.clone());
    world.block([-2.7, 0.0, 0.55], [2.7, 0.70, 0.62], wood.clone());
    for x in [-2.7_f32, -0.03, 2.64] {
        world.block([x, 0.0, -0.2], [x + 0.06, 0.70, 0.6], wood.clone());
    }
    for seat in [-1.75_f32, -0.6, 0.6, 1.75] {
        for shift in [-0.27_f32, 0.27] {
            let x = seat + shift;
            world.block(
                [x - 0.25, 0.86, 0.30],
                [x + 0.25, 1.17, 0.34],
                Material::Metal {
                    tint: rgb(0.015, 0.015, 0.016),
                },
            );
            world.block(
                [x - 0.235, 0.88, 0.29],
                [x + 0.235, 1.15, 0.30],
                Material::Screen {
                    seed: dice.below(3000),
                },
            );
            world.block(
                [x - 0.02, 0.76, 0.33],
                [x + 0.02, 0.88, 0.36],
                Material::Metal {
                    tint: rgb(0.02, 0.02, 0.02),
                },
            );
        }
        world.block(
            [seat - 0.2, 0.76, -0.05],
            [seat + 0.2, 0.78, 0.12],
            Material::Metal {
                tint: rgb(0.05, 0.05, 0.055),
            },
        );
    }
    world.block(
        [-0.12, 0.76, 0.0],
        [0.12, 0.84, 0.2],
        Material::Metal {
            tint: rgb(0.40, 0.02, 0.02),
        },
    );
    world.block(
        [2.2, 0.76, 0.0],
        [2.55, 0.80, 0.25],
        Material::Metal {
            tint: rgb(0.62, 0.62, 0.60),
        },
    );

    // Chairs: seat, back, foot.
    let fabric = dice.pick(
        &[
            rgb(0.018, 0.018, 0.02),
            rgb(0.03, 0.055, 0.12),
            rgb(0.10, 0.03, 0.025),
        ],
        rgb(0.02, 0.02, 0.02),
    );
    for seat in [-1.75_f32, -0.6, 0.6, 1.75] {
        world.block(
            [seat - 0.23, 0.42, -0.98],
            [seat + 0.23, 0.50, -0.55],
            Material::Metal { tint: fabric },
        );
        world.block(
            [seat - 0.22, 0.55, -1.16],
            [seat + 0.22, 1.02, -1.10],
            Material::Metal { tint: fabric },
        );
        world.block(
            [seat - 0.03, 0.5, -1.14],
            [seat + 0.03, 0.56, -1.05],
            Material::Metal {
                tint: rgb(0.02, 0.02, 0.02),
            },
        );
        world.add(
            Solid::Post {
                x: seat,
                z: -0.8,
                radius: 0.035,
                top: 0.42,
            },
            Material::Metal {
                tint: rgb(0.2, 0.2, 0.2),
            },
        );
        world.block(
            [seat - 0.28, 0.0, -0.83],
            [seat + 0.28, 0.05, -0.77],
            Material::Metal {
                tint: rgb(0.03, 0.03, 0.03),
            },
        );
        world.block(
            [seat - 0.03, 0.0, -1.08],
            [seat + 0.03, 0.05, -0.52],
            Material::Metal {
                tint: rgb(0.03, 0.03, 0.03),
            },
        );
    }
    // Cabinet, plant, water dispenser.
    world.block(
        [3.2, 0.0, 0.6],
        [3.8, 1.9, 2.6],
        Material::Metal {
            tint: rgb(0.40, 0.41, 0.42),
        },
    );
    world.block(
        [-3.7, 0.0, 1.7],
        [-3.3, 0.95, 2.1],
        Material::Metal {
            tint: rgb(0.60, 0.61, 0.62),
        },
    );
    world.add(
        Solid::Post {
            x: -3.5,
            z: 1.9,
            radius: 0.15,
            top: 1.38,
        },
        Material::Metal {
            tint: rgb(0.16, 0.30, 0.44),
        },
    );
    world.add(
        Solid::Post {
            x: 3.35,
            z: -0.6,
            radius: 0.2,
            top: 0.45,
        },
        Material::Concrete {
            tint: rgb(0.4, 0.2, 0.12),
        },
    );
    for (x, y, z, radius) in [
        (3.35, 0.85, -0.6, 0.36),
        (3.25, 1.2, -0.55, 0.28),
        (3.45, 1.1, -0.75, 0.26),
    ] {
        world.add(
            Solid::Crown {
                centre: vec3(x, y, z),
                radius,
            },
            Material::Green {
                tint: rgb(0.04, 0.12, 0.03),
            },
        );
    }

    let colour = rgb(0.95, 0.98, 1.0);
    for (x, z) in [(-1.8, -1.2), (1.8, -1.2), (0.0, 1.3)] {
        world.block(
            [x - 0.55, 2.92, z - 0.14],
            [x + 0.55, 2.95, z + 0.14],
            Material::Glow {
                light: colour * (3.2 * strength),
            },
        );
        world.lamp([x, 2.85, z], colour * (1.25 * strength), 0.0);
    }
    // The screens' own light.
    world.lamp([0.0, 1.6, 2.3], rgb(0.30, 0.40, 0.55) * 1.0, 0.0);
    world.lamp([-5.0, 2.6, -2.0], rgb(0.9, 0.9, 0.8) * (1.6 * strength), 0.0);
    Place {
        world,
        target: vec3(-0.25, 1.0, -0.35),
        line: None,
        regions: vec![(
            "post",
            vec![
                vec3(-2.7, 0.0, -1.9),
                vec3(2.7, 0.0, -1.9),
                vec3(2.7, 1.75, -0.2),
                vec3(-2.7, 1.75, -0.2),
            ],
        )],
    }
}
