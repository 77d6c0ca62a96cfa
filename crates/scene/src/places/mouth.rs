//! Mouth of an inclined shaft: an arched portal, lamps, rails, a guard's booth. The tunnel turns to the right
//! after some metres, so that people disappear behind its wall.

use mineseal_domain::ObjectGroup;

use super::{GroundLine, Place, rgb};
use crate::material::Material;
use crate::math::{Dice, vec3};
use crate::solid::Solid;
use crate::text::Typeface;
use crate::world::World;
use crate::{Daylight, SceneScript};

/// Half of the way's breadth in metres.
const HALF: f32 = 2.2;
const SPRING: f32 = 1.45;

pub(super) fn build(script: &SceneScript, typeface: &Typeface) -> Place {
    let mut dice = Dice::new(script.seed ^ 0x4d6f);
    let mut world = World::new(script.kind, script.look.daylight, script.seed);
    let earth = dice.pick(
        &[
            rgb(0.23, 0.19, 0.15),
            rgb(0.19, 0.175, 0.16),
            rgb(0.26, 0.22, 0.17),
            rgb(0.15, 0.14, 0.135),
        ],
        rgb(0.23, 0.19, 0.15),
    );
    let rails = dice.chance(0.75).then_some(-1.05);
    world.add(Solid::Ground, Material::Earth { tint: earth, rails });
    let wall = match dice.below(3) {
        0 => Material::Brick {
            tint: rgb(0.30, 0.12, 0.075),
        },
        1 => Material::Concrete {
            tint: rgb(0.40, 0.39, 0.365),
        },
        _ => Material::Concrete {
            tint: rgb(0.34, 0.335, 0.33),
        },
    };
    world.add(
        Solid::Portal {
            half_length: 30.0,
            top: 6.2,
            front: 0.0,
            back: 0.5,
            half: HALF,
            spring: SPRING,
        },
        wall.clone(),
    );
    let lining = Material::Lining {
        tint: rgb(0.34, 0.32, 0.29),
    };
    world.add(
        Solid::Tunnel {
            half: HALF,
            spring: SPRING,
            front: 0.0,
            back: 9.2,
            door_from: 5.6,
            door_to: 8.6,
            door_top: 2.6,
        },
        lining.clone(),
    );
    // The side way to the right.
    world.block([HALF, 0.0, 5.2], [7.0, 3.0, 5.6], lining.clone());
    world.block([HALF, 0.0, 8.6], [7.0, 3.0, 9.0], lining.clone());
    world.block([HALF, 2.6, 5.2], [7.0, 3.0, 9.0], lining.clone());
    world.block([7.0, 0.0, 5.2], [7.4, 3.0, 9.0], lining);

    // Cornice, pillars and a red board with a saying over the arch.
    let trim = Material::Concrete {
        tint: rgb(0.46, 0.45, 0.43),
    };
    world.block([-3.5, 0.0, -0.22], [-2.75, 4.62, 0.0], trim.clone());
    world.block([2.75, 0.0, -0.22], [3.5, 4.62, 0.0], trim.clone());
    world.block([-3.8, 4.62, -0.34], [3.8, 4.9, 0.0], trim);
    let saying = dice.pick(
        &[
            "安全第一 预防为主",
            "高高兴兴上班 平平安安回家",
            "遵章守纪 安全生产",
        ],
        "安全第一 预防为主",
    );
    let board = |text: &str, low: [f32; 3], high: [f32; 3], back, ink| {
        let [lx, ly, lz] = low;
        let [hx, hy, hz] = high;
        Material::Board {
            text: typeface.line(text, 40.0),
            back,
            ink,
            low: vec3(lx, ly, lz),
            high: vec3(hx, hy, hz),
        }
    };
    let (low, high) = ([-2.5, 3.86, -0.16], [2.5, 4.44, 0.0]);
    world.block(
        low,
        high,
        board(saying, low, high, rgb(0.42, 0.02, 0.015), rgb(0.85, 0.62, 0.10)),
    );
    let (low, high) = ([-5.4, 1.35, -0.06], [-4.0, 2.35, 0.0]);
    world.block(
        low,
        high,
        board("入井须知", low, high, rgb(0.03, 0.14, 0.36), rgb(0.75, 0.78, 0.8)),
    );
    let (low, high) = ([4.1, 1.7, -0.06], [5.1, 2.2, 0.0]);
    world.block(
        low,
        high,
        board(
            "当心坠落",
            low,
            high,
            rgb(0.72, 0.52, 0.02),
            rgb(0.02, 0.02, 0.02),
        ),
    );

    // Pipes and cables along the walls.
    for (side, height, radius, tint) in [
        (-1.0, 2.05, 0.06, rgb(0.36, 0.03, 0.02)),
        (-1.0, 1.75, 0.035, rgb(0.02, 0.02, 0.02)),
        (1.0, 2.35, 0.04, rgb(0.02, 0.02, 0.022)),
    ] {
        let x: f32 = side * (HALF - 0.1 - radius - if height > 1.5 { 0.1 } else { 0.0 });
        world.block(
            [x - radius, height - radius, 0.02],
            [x + radius, height + radius, 9.0],
            Material::Metal { tint },
        );
    }
    for (from, to) in [(-2.25, -2.05), (2.05, 2.25)] {
        world.block([from, 0.0, -0.12], [to, 1.1, 0.02], Material::Warning);
    }

    booth(&mut world, &mut dice, script.look.daylight);
    lamps(&mut world, &mut dice, script.look.daylight);
    let eye = 1.55;
    Place {
        world,
        target: vec3(0.1, eye, 0.0),
        line: Some(GroundLine {
            name: "mouth",
            from: vec3(HALF, 0.0, 0.0),
            to: vec3(-HALF, 0.0, 0.0),
            group: ObjectGroup::Person,
        }),
        regions: Vec::new(),
    }
}

fn booth(world: &mut World, dice: &mut Dice, daylight: Daylight) {
    let side = if dice.chance(0.6) { 1.0 } else { -1.0 };
    let x = |from: f32, to: f32| if side > 0.0 { (from, to) } else { (-to, -from) };
    let tint = dice.pick(
        &[
            rgb(0.55, 0.56, 0.57),
            rgb(0.10, 0.22, 0.42),
            rgb(0.50, 0.45, 0.34),
        ],
        rgb(0.5, 0.5, 0.5),
    );
    let (from, to) = x(3.9, 6.0);
    world.block([from, 0.0, -1.75], [to, 2.35, -0.25], Material::Sheet { tint });
    world.block(
        [from - 0.12, 2.35, -1.9],
        [to + 0.12, 2.5, -0.1],
        Material::Metal { tint: tint * 0.5 },
    );
    let light = match daylight {
        Daylight::Day | Daylight::Overcast => rgb(0.05, 0.055, 0.06),
        Daylight::Dusk | Daylight::Night => rgb(0.85, 0.78, 0.55),
    };
    let (window_from, window_to) = x(4.2, 5.5);
    world.block(
        [window_from, 1.0, -1.78],
        [window_to, 1.9, -1.7],
        Material::Window { light },
    );
    // A railing that leads people to the mouth, on the other side.
    let rail = Material::Metal {
        tint: rgb(0.50, 0.38, 0.03),
    };
    for step in 0..4 {
        let z = -0.4 - step as f32 * 0.62;
        let (from, to) = x(-2.86, -2.80);
        world.block([from, 0.0, z - 0.03], [to, 1.05, z + 0.03], rail.clone());
    }
    let (from, to) = x(-2.86, -2.80);
    for height in [0.5, 1.0] {
        world.block([from, height, -2.3], [to, height + 0.05, -0.1], rail.clone());
    }
}

fn lamps(world: &mut World, dice: &mut Dice, daylight: Daylight) {
    let dark = matches!(daylight, Daylight::Dusk | Daylight::Night);
    let warm = if dice.chance(0.5) {
        rgb(1.0, 0.82, 0.56)
    } else {
        rgb(0.92, 0.98, 1.0)
    };
    for (z, strength) in [(1.4, 1.9), (4.4, 1.5), (7.2, 1.3)] {
        let top = SPRING + HALF;
        world.block(
            [-0.11, top - 0.2, z - 0.11],
            [0.11, top - 0.1, z + 0.11],
            Material::Glow { light: warm * 5.0 },
        );
        world.lamp(
            [0.0, top - 0.32, z],
            warm * (strength * if dark { 1.25 } else { 1.0 }),
            0.75,
        );
    }
    if dark {
        let strength = if daylight == Daylight::Night { 7.5 } else { 4.5 };
        for x in [-3.1, 3.1] {
            world.block(
                [x - 0.14, 4.25, -0.62],
                [x + 0.14, 4.4, -0.34],
                Material::Glow { light: warm * 6.0 },
            );
            world.lamp([x, 4.15, -0.62], warm * (strength * 0.55), 1.0);
        }
        // A mast behind the camera.
        world.lamp([4.5, 7.5, -9.0], warm * (strength * 4.2), 0.0);
    }
}
