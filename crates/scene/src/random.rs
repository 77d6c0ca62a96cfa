//! Scripts for training: everything varies with the seed.

use mineseal_domain::UtcMicros;

use crate::demo::{Crew, in_milliseconds};
use crate::looks::{light_vehicle, random_camera, truck};
use crate::math::Dice;
use crate::passages::{
    MouthPassage, Outside, SEATS, along_belt, at_desk, standing, strolling, through_gate, through_mouth,
    timed, turning_back,
};
use crate::{Change, SceneEvent, SceneKind, SceneScript};

impl SceneScript {
    /// A scene for training at 10 pictures a second: camera, light, surfaces, clothes and crowd from the seed.
    /// Figures are under way at the first picture already.
    #[must_use]
    pub fn random(kind: SceneKind, seed: u64, width: u32, height: u32, seconds: f64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ kind as u64);
        let look = random_camera(kind, &mut dice);
        let mut crew = Crew::default();
        let mut events = Vec::new();
        match kind {
            SceneKind::ShaftMouth => mouth(&mut crew, &mut dice, seconds, look.camera_distance),
            SceneKind::VehicleGate => gate(&mut crew, &mut dice, seconds),
            SceneKind::Belt => events = belt(&mut crew, &mut dice, seconds),
            SceneKind::DispatchRoom => room(&mut crew, &mut dice, seconds),
        }
        let day = i64::from(dice.below(360)) * 86_400_000_000;
        let time = i64::from(dice.below(86_400)) * 1_000_000;
        let numerals = ["一", "二", "三", "四", "五", "六", "七", "八", "九"];
        Self {
            kind,
            seed,
            width,
            height,
            frames_per_second: 10.0,
            seconds,
            start: UtcMicros(1_767_571_200_000_000 + day + time),
            mine_name: format!("示例{}号煤矿", dice.pick(&numerals, "一")),
            place_name: dice
                .pick(
                    &["主井口", "副井口", "风井口", "车辆出入口", "皮带机头", "调度室"],
                    "主井口",
                )
                .into(),
            look,
            actors: crew.actors(),
            events: events.into_iter().map(in_milliseconds).collect(),
            disturbances: Vec::new(),
        }
    }
}

/// Moments spread over the clip, the first ones before it.
fn moments(dice: &mut Dice, from: f64, until: f64, gap: (f32, f32)) -> Vec<f64> {
    let mut found = Vec::new();
    let mut at = from + f64::from(dice.between(0.0, gap.1));
    while at < until {
        found.push(at);
        at += f64::from(dice.between(gap.0, gap.1));
    }
    found
}

fn mouth(crew: &mut Crew, dice: &mut Dice, seconds: f64, camera_distance: f32) {
    let busy = dice.between(0.5, 3.2);
    for at in moments(dice, -8.0, seconds + 6.0, (3.0 / busy, 9.0 / busy)) {
        let outside = Outside::any(dice);
        let speed = dice.between(0.8, 1.5);
        match dice.below(10) {
            0 => {
                let lane = dice.between(-1.2, 1.4);
                crew.person(dice, turning_back(at, lane, outside, camera_distance, speed));
            }
            1 => {
                let z = dice.between(-4.6, -1.6);
                let to_right = dice.chance(0.5);
                crew.person(dice, strolling(at, z, to_right, speed));
            }
            2..=3 => {
                let inward = dice.chance(0.5);
                let people = 2 + dice.below(2);
                let middle = dice.between(-0.6, 0.6);
                for one in 0..people {
                    let lane = (middle + (one as f32 - (people - 1) as f32 / 2.0) * dice.between(0.5, 0.9))
                        .clamp(-1.75, 1.75);
                    let at = at + f64::from(dice.between(-0.3, 0.3));
                    crew.person(
                        dice,
                        through_mouth(
                            MouthPassage {
                                at,
                                inward,
                                lane,
                                outside,
                                speed,
                            },
                            camera_distance,
                        ),
                    );
                }
            }
            _ => {
                let passage = MouthPassage {
                    at,
                    inward: dice.chance(0.5),
                    lane: dice.between(-1.7, 1.7),
                    outside,
                    speed,
                };
                crew.person(dice, through_mouth(passage, camera_distance));
            }
        }
    }
    for _ in 0..dice.below(3) {
        let (x, z) = (dice.between(-4.5, 4.5), dice.between(-4.5, -1.6));
        crew.person_standing(dice, x, z, seconds);
    }
}

impl Crew {
    fn person_standing(&mut self, dice: &mut Dice, x: f32, z: f32, seconds: f64) {
        let way = standing(x, z, -1.0, seconds + 1.0, dice);
        self.person(dice, way);
    }
}

fn gate(crew: &mut Crew, dice: &mut Dice, seconds: f64) {
    let mut free = [-30.0_f64, -30.0];
    for at in moments(dice, -5.0, seconds + 5.0, (2.0, 12.0)) {
        let inward = dice.chance(0.5);
        let speed = dice.between(2.6, 6.0);
        // One lane each way: nobody drives into another.
        let Some(lane) = free.get_mut(usize::from(inward)) else {
            continue;
        };
        if at < *lane + 7.0 {
            continue;
        }
        *lane = at;
        let look = if dice.chance(0.6) {
            let loaded = dice.chance(if inward { 0.15 } else { 0.8 });
            truck(dice, loaded)
        } else {
            light_vehicle(dice)
        };
        crew.vehicle(look, through_gate(at, inward, speed));
    }
    for _ in 0..dice.below(4) {
        if dice.chance(0.5) {
            let (x, z) = (dice.between(-5.4, 5.6), dice.between(-7.0, 1.5));
            crew.person_standing(dice, x, z, seconds);
        } else {
            let z = dice.between(-7.0, 10.0);
            let at = f64::from(dice.between(0.0, seconds as f32));
            let to_right = dice.chance(0.5);
            let speed = dice.between(0.9, 1.5);
            let (from, to) = if to_right { (-5.3, 14.0) } else { (14.0, -5.3) };
            crew.person(dice, timed(&[(from, z), (to, z + 1.0)], at - 7.0, speed));
        }
    }
}

fn belt(crew: &mut Crew, dice: &mut Dice, seconds: f64) -> Vec<SceneEvent> {
    let mut events = Vec::new();
    if dice.chance(0.6) {
        events.push(SceneEvent {
            at_seconds: 0.0,
            change: Change::BeltStarts,
        });
    }
    if dice.chance(0.6) {
        events.push(SceneEvent {
            at_seconds: 0.0,
            change: Change::CoalOn,
        });
    }
    let mut running = events.iter().any(|event| event.change == Change::BeltStarts);
    for at in moments(dice, 4.0, seconds, (8.0, 25.0)) {
        let change = if dice.chance(0.3) {
            if dice.chance(0.5) {
                Change::CoalOn
            } else {
                Change::CoalOff
            }
        } else {
            running = !running;
            if running {
                Change::BeltStarts
            } else {
                Change::BeltStops
            }
        };
        events.push(SceneEvent {
            at_seconds: at,
            change,
        });
    }
    for at in moments(dice, -12.0, seconds, (6.0, 30.0)) {
        let towards = dice.chance(0.5);
        let speed = dice.between(0.8, 1.4);
        crew.person(dice, along_belt(at, towards, speed));
    }
    events
}

fn room(crew: &mut Crew, dice: &mut Dice, seconds: f64) {
    for seat in SEATS {
        match dice.below(5) {
            0 => {}
            1 => {
                let until = f64::from(dice.between(0.0, seconds as f32));
                for way in at_desk(seat, &[(-30.0, until)], 1.1) {
                    crew.clerk(dice, way);
                }
            }
            2 => {
                let from = f64::from(dice.between(0.0, seconds as f32));
                for way in at_desk(seat, &[(from, seconds + 30.0)], 1.0) {
                    crew.clerk(dice, way);
                }
            }
            _ => {
                if dice.chance(0.75) {
                    for way in at_desk(seat, &[(-30.0, seconds + 30.0)], 1.1) {
                        crew.clerk(dice, way);
                    }
                }
            }
        }
    }
    for _ in 0..dice.below(3) {
        let (x, z) = (dice.between(-3.0, 2.8), dice.between(-2.6, -1.5));
        let way = standing(x, z, -1.0, seconds + 1.0, dice);
        if dice.chance(0.4) {
            crew.person(dice, way)
        } else {
            crew.clerk(dice, way)
        }
    }
}
