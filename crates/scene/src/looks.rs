//! How people, vehicles and cameras look: chosen by dice.

use crate::math::Dice;
use crate::{Daylight, Load, Look, PersonLook, SceneKind, VehicleLook, VehicleModel};

const NAVY: [u8; 3] = [38, 52, 92];

/// A miner or worker.
pub(crate) fn worker(dice: &mut Dice) -> PersonLook {
    let helmets = [
        [214, 52, 36],
        [238, 196, 40],
        [234, 234, 228],
        [40, 94, 186],
        [236, 122, 30],
        [236, 196, 40],
    ];
    let jackets = [
        NAVY,
        [34, 38, 48],
        [78, 84, 90],
        [62, 68, 54],
        [104, 66, 44],
        [36, 66, 116],
        [150, 74, 34],
    ];
    let vests = [[240, 112, 28], [200, 228, 44]];
    let jacket = shaded(dice, dice_pick(dice.clone(), &jackets, NAVY));
    dice.next();
    PersonLook {
        height: dice.between(1.58, 1.86),
        build: dice.between(0.9, 1.16),
        helmet: Some(dice.pick(&helmets, [214, 52, 36])),
        lamp: dice.chance(0.75),
        jacket,
        trousers: if dice.chance(0.6) {
            jacket
        } else {
            shaded(dice, [38, 40, 48])
        },
        vest: dice
            .chance(0.42)
            .then(|| if dice.chance(0.6) { vests[0] } else { vests[1] }),
        bands: dice.chance(0.6),
        skin: dice.pick(
            &[[214, 172, 140], [196, 150, 116], [226, 188, 158], [178, 134, 104]],
            [214, 172, 140],
        ),
        carries: match dice.below(10) {
            0 => Some(Load::Bag),
            1 => Some(Load::Shovel),
            _ => None,
        },
    }
}

/// Somebody who works at a desk.
pub(crate) fn clerk(dice: &mut Dice) -> PersonLook {
    let shirts = [
        [86, 120, 170],
        [214, 216, 220],
        [44, 58, 96],
        [120, 128, 136],
        [58, 62, 70],
        [150, 60, 56],
    ];
    PersonLook {
        helmet: None,
        lamp: false,
        jacket: dice.pick(&shirts, [86, 120, 170]),
        trousers: shaded(dice, [40, 42, 52]),
        vest: None,
        bands: false,
        carries: None,
        ..worker(dice)
    }
}

fn dice_pick(mut dice: Dice, choices: &[[u8; 3]], fallback: [u8; 3]) -> [u8; 3] {
    dice.pick(choices, fallback)
}

/// The colour a little lighter or darker: worn and washed cloth.
fn shaded(dice: &mut Dice, colour: [u8; 3]) -> [u8; 3] {
    let factor = dice.between(0.75, 1.25);
    colour.map(|value| (f32::from(value) * factor).clamp(0.0, 255.0) as u8)
}

pub(crate) fn truck(dice: &mut Dice, loaded: bool) -> VehicleLook {
    let paints = [
        [196, 40, 32],
        [34, 84, 158],
        [224, 224, 220],
        [232, 168, 30],
        [40, 112, 76],
        [188, 78, 26],
    ];
    VehicleLook {
        model: VehicleModel::CoalTruck,
        paint: dice.pick(&paints, [196, 40, 32]),
        loaded,
    }
}

pub(crate) fn light_vehicle(dice: &mut Dice) -> VehicleLook {
    let paints = [
        [228, 228, 226],
        [30, 32, 36],
        [150, 154, 158],
        [142, 26, 30],
        [34, 60, 110],
        [196, 188, 166],
    ];
    let model = if dice.chance(0.2) {
        VehicleModel::Bus
    } else {
        VehicleModel::Car
    };
    VehicleLook {
        model,
        paint: dice.pick(&paints, [228, 228, 226]),
        loaded: false,
    }
}

/// The camera of a demonstration.
pub(crate) fn demo_camera(kind: SceneKind, daylight: Daylight) -> Look {
    let plain = Look {
        daylight,
        camera_height: 3.3,
        camera_distance: 9.2,
        camera_aside: 1.1,
        view_degrees: 62.0,
        pan_degrees: 0.0,
        roll_degrees: 0.0,
        exposure: 1.0,
        saturation: 0.92,
        balance: [1.0; 3],
        noise: 1.3,
    };
    match kind {
        SceneKind::ShaftMouth => plain,
        SceneKind::VehicleGate => Look {
            camera_height: 5.6,
            camera_distance: 17.5,
            camera_aside: 5.2,
            view_degrees: 60.0,
            ..plain
        },
        SceneKind::Belt => Look {
            camera_height: 2.75,
            camera_distance: 2.9,
            camera_aside: 1.75,
            view_degrees: 66.0,
            exposure: 1.25,
            ..plain
        },
        SceneKind::DispatchRoom => Look {
            camera_height: 2.75,
            camera_distance: 4.6,
            camera_aside: 2.7,
            view_degrees: 74.0,
            exposure: 1.15,
            ..plain
        },
    }
}

/// A camera for training: everything within what such cameras have.
pub(crate) fn random_camera(kind: SceneKind, dice: &mut Dice) -> Look {
    let daylight = match dice.below(20) {
        0..=5 => Daylight::Day,
        6..=12 => Daylight::Overcast,
        13..=15 => Daylight::Dusk,
        _ => Daylight::Night,
    };
    let plain = demo_camera(kind, daylight);
    let cast = dice.between(-0.10, 0.10);
    let look = Look {
        exposure: plain.exposure * dice.between(0.75, 1.45),
        // Some cameras go over to grey at night.
        saturation: if daylight == Daylight::Night && dice.chance(0.4) {
            0.0
        } else {
            dice.between(0.6, 1.15)
        },
        balance: [1.0 + cast, 1.0, 1.0 - cast],
        noise: dice.between(1.0, 6.0),
        pan_degrees: dice.between(-5.0, 5.0),
        roll_degrees: dice.between(-2.0, 2.0),
        ..plain
    };
    match kind {
        SceneKind::ShaftMouth => Look {
            camera_height: dice.between(2.5, 5.2),
            camera_distance: dice.between(6.5, 12.5),
            camera_aside: dice.between(-3.2, 3.2),
            view_degrees: dice.between(52.0, 78.0),
            ..look
        },
        SceneKind::VehicleGate => Look {
            camera_height: dice.between(4.2, 8.0),
            camera_distance: dice.between(13.0, 22.0),
            camera_aside: dice.between(-6.5, 6.5),
            view_degrees: dice.between(50.0, 76.0),
            ..look
        },
        SceneKind::Belt => Look {
            camera_height: dice.between(2.2, 3.0),
            camera_distance: dice.between(2.2, 4.2),
            camera_aside: dice.between(1.0, 2.4),
            view_degrees: dice.between(58.0, 80.0),
            ..look
        },
        SceneKind::DispatchRoom => Look {
            camera_height: dice.between(2.3, 2.85),
            camera_distance: dice.between(3.8, 5.6),
            camera_aside: dice.between(-2.8, 3.2),
            view_degrees: dice.between(66.0, 88.0),
            ..look
        },
    }
}
