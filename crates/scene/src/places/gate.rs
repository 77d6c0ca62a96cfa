//! Vehicle gate: a road between a guard house and the yard, barrier, wall, silos.

use mineseal_domain::ObjectGroup;

use super::{GroundLine, Place, rgb};
use crate::material::Material;
use crate::math::{Dice, vec3};
use crate::solid::Solid;
use crate::text::Typeface;
use crate::world::World;
use crate::{Daylight, SceneScript};

/// Half of the road's breadth in metres.
const HALF: f32 = 4.4;

pub(super) fn build(script: &SceneScript, typeface: &Typeface) -> Place {
    let mut dice = Dice::new(script.seed ^ 0x6761);
    let mut world = World::new(script.kind, script.look.daylight, script.seed);
    let dark = matches!(script.look.daylight, Daylight::Dusk | Daylight::Night);
    world.add(Solid::Ground, Material::Road { half: HALF });

    // Guard house to the left.
    let plaster = dice.pick(
        &[
            rgb(0.55, 0.53, 0.48),
            rgb(0.42, 0.44, 0.46),
            rgb(0.52, 0.40, 0.28),
        ],
        rgb(0.55, 0.53, 0.48),
    );
    world.block(
        [-9.2, 0.0, -1.6],
        [-5.9, 2.9, 1.8],
        Material::Concrete { tint: plaster },
    );
    world.block(
        [-9.5, 2.9, -1.95],
        [-5.5, 3.15, 2.1],
        Material::Metal {
            tint: rgb(0.07, 0.13, 0.24),
        },
    );
    let pane = if dark {
        rgb(0.95, 0.85, 0.6)
    } else {
        rgb(0.05, 0.06, 0.07)
    };
    world.block(
        [-8.8, 1.05, -1.64],
        [-7.6, 2.1, -1.58],
        Material::Window { light: pane },
    );
    world.block(
        [-5.93, 1.05, -1.2],
        [-5.86, 2.1, 0.9],
        Material::Window { light: pane },
    );
    world.block(
        [-7.2, 0.0, -1.63],
        [-6.4, 2.1, -1.58],
        Material::Metal {
            tint: rgb(0.10, 0.16, 0.14),
        },
    );

    // Gate pillars with a beam and the mine's name.
    let stone = Material::Brick {
        tint: rgb(0.34, 0.14, 0.10),
    };
    for x in [-5.4, 4.9] {
        world.block([x, 0.0, 2.0], [x + 0.5, 6.3, 2.5], stone.clone());
    }
    world.block(
        [-5.6, 6.1, 1.95],
        [5.6, 6.3, 2.55],
        Material::Metal {
            tint: rgb(0.25, 0.25, 0.26),
        },
    );
    let (low, high) = ([-3.4, 6.3, 2.1], [3.4, 7.3, 2.3]);
    world.block(
        low,
        high,
        Material::Board {
            text: typeface.line(&script.mine_name, 48.0),
            back: rgb(0.40, 0.02, 0.02),
            ink: rgb(0.9, 0.74, 0.25),
            low: vec3(-3.4, 6.3, 2.1),
            high: vec3(3.4, 7.3, 2.3),
        },
    );
    // The wall of the compound.
    let wall = Material::Brick {
        tint: rgb(0.30, 0.15, 0.11),
    };
    world.block([-60.0, 0.0, 2.1], [-9.2, 2.2, 2.4], wall.clone());
    world.block([5.4, 0.0, 2.1], [60.0, 2.2, 2.4], wall);
    world.block(
        [-60.0, 2.2, 2.05],
        [-9.2, 2.32, 2.45],
        Material::Concrete {
            tint: rgb(0.40, 0.40, 0.38),
        },
    );
    world.block(
        [5.4, 2.2, 2.05],
        [60.0, 2.32, 2.45],
        Material::Concrete {
            tint: rgb(0.40, 0.40, 0.38),
        },
    );

    yard(&mut world, &mut dice, dark);

    // Barrier post, kerb of the island, bollards.
    world.block(
        [-4.95, 0.0, -0.2],
        [-4.55, 1.1, 0.2],
        Material::Metal {
            tint: rgb(0.62, 0.40, 0.02),
        },
    );
    world.block(
        [4.5, 0.0, -0.08],
        [4.62, 0.95, 0.08],
        Material::Metal {
            tint: rgb(0.4, 0.4, 0.4),
        },
    );
    world.block([-5.4, 0.0, -2.4], [-4.5, 0.14, 2.0], Material::Warning);
    for z in [-3.0, -4.6, -6.2] {
        world.add(
            Solid::Post {
                x: -4.75,
                z,
                radius: 0.09,
                top: 0.9,
            },
            Material::Warning,
        );
        world.add(
            Solid::Post {
                x: 4.85,
                z,
                radius: 0.09,
                top: 0.9,
            },
            Material::Warning,
        );
    }
    // Trees before the wall.
    for (x, z) in [(8.6, 0.4), (12.5, 0.6), (17.0, 0.2), (-14.0, 0.3), (-18.5, 0.6)] {
        tree(&mut world, &mut dice, x, z);
    }
    if dark {
        let warm = rgb(1.0, 0.80, 0.52);
        let strength = if script.look.daylight == Daylight::Night {
            34.0
        } else {
            20.0
        };
        for (x, z) in [(-5.1, 1.6), (5.2, 1.6)] {
            world.block(
                [x - 0.3, 6.4, z - 0.3],
                [x + 0.3, 6.55, z + 0.3],
                Material::Glow { light: warm * 7.0 },
            );
            world.lamp([x, 6.2, z - 0.5], warm * strength * 0.7, 1.6);
        }
        world.lamp([7.0, 9.0, -13.0], warm * (strength * 2.2), 0.0);
        world.lamp([-2.0, 9.0, 22.0], warm * (strength * 1.6), 2.0);
    }
    Place {
        world,
        target: vec3(0.0, 1.6, 0.0),
        line: Some(GroundLine {
            name: "gate",
            from: vec3(HALF + 0.6, 0.0, 0.0),
            to: vec3(-HALF - 0.2, 0.0, 0.0),
            group: ObjectGroup::Vehicle,
        }),
        regions: Vec::new(),
    }
}

fn yard(world: &mut World, dice: &mut Dice, dark: bool) {
    let lit = if dark { 0.45 } else { 0.0 };
    // Offices left, a hall that vehicles come out from behind right.
    world.block(
        [-26.0, 0.0, 30.0],
        [-8.0, 9.5, 38.0],
        Material::Facade {
            tint: rgb(0.46, 0.42, 0.36),
            wide: 2.2,
            high: 3.1,
            lit,
        },
    );
    let sheet = dice.pick(
        &[
            rgb(0.16, 0.26, 0.40),
            rgb(0.40, 0.41, 0.42),
            rgb(0.20, 0.30, 0.26),
        ],
        rgb(0.2, 0.3, 0.4),
    );
    world.block(
        [8.5, 0.0, 12.0],
        [30.0, 7.2, 23.0],
        Material::Sheet { tint: sheet },
    );
    world.block(
        [8.2, 7.2, 11.7],
        [30.3, 7.5, 23.3],
        Material::Metal { tint: sheet * 0.6 },
    );
    for (x, z, radius, top) in [(13.0, 42.0, 4.2, 17.0), (22.5, 42.0, 4.2, 17.0)] {
        world.add(
            Solid::Post { x, z, radius, top },
            Material::Concrete {
                tint: rgb(0.42, 0.41, 0.39),
            },
        );
    }
    // A conveyor gallery to the silos on legs, a coal heap.
    world.block(
        [-4.0, 11.5, 43.0],
        [10.0, 13.6, 45.0],
        Material::Sheet {
            tint: rgb(0.34, 0.36, 0.38),
        },
    );
    for x in [-2.0, 3.5] {
        world.block(
            [x, 0.0, 43.6],
            [x + 0.5, 11.5, 44.4],
            Material::Metal {
                tint: rgb(0.25, 0.25, 0.26),
            },
        );
    }
    for (x, z, radius, top) in [
        (-6.5, 22.5, 4.4, 2.9),
        (-4.2, 25.5, 3.4, 2.2),
        (-9.0, 25.0, 3.8, 2.5),
    ] {
        world.add(Solid::Heap { x, z, radius, top }, Material::CoalBed);
    }
}

fn tree(world: &mut World, dice: &mut Dice, x: f32, z: f32) {
    world.add(
        Solid::Post {
            x,
            z,
            radius: 0.11,
            top: 2.6,
        },
        Material::Metal {
            tint: rgb(0.10, 0.075, 0.05),
        },
    );
    let tint = rgb(0.055, dice.between(0.08, 0.11), 0.035);
    let size = dice.between(0.85, 1.15);
    for (dx, y, dz, radius) in [
        (0.0, 3.0, 0.0, 1.05),
        (-0.65, 2.5, 0.1, 0.75),
        (0.7, 2.6, -0.2, 0.8),
        (0.15, 3.8, 0.1, 0.75),
        (-0.3, 2.9, -0.6, 0.7),
    ] {
        let wobble = dice.between(-0.15, 0.15);
        world.add(
            Solid::Crown {
                centre: vec3(x + dx * size + wobble, y * size, z + dz * size),
                radius: radius * size,
            },
            Material::Green { tint },
        );
    }
}
