//! Scripts for demonstration and tests.

use mineseal_domain::UtcMicros;

use crate::looks::{clerk, demo_camera, light_vehicle, truck, worker};
use crate::math::Dice;
use crate::passages::{
    MouthPassage, Outside, SEATS, along_belt, at_desk, standing, through_gate, through_mouth, turning_back,
};
use crate::{Actor, Change, Daylight, Figure, SceneEvent, SceneKind, SceneScript, VehicleLook, Waypoint};

/// What a demonstration clip tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoCourse {
    /// Work goes on. At most `peak_people` are underground at once; everybody who entered has left at the end,
    /// so that the clip can be repeated.
    Working {
        /// The most people underground at once, 1 to 30.
        peak_people: u32,
    },
    /// The mine should stand still: one person goes in for half a minute, the belt runs for a while, a loaded
    /// truck leaves, the dispatch room is empty for most of the time.
    Stopped,
}

impl Default for DemoCourse {
    fn default() -> Self {
        Self::Working { peak_people: 5 }
    }
}

/// 2026-01-05 08:00:00 in Asia/Shanghai.
const START: UtcMicros = UtcMicros(1_767_571_200_000_000);

impl SceneScript {
    /// A scene for demonstration and tests: 640x360, 10 pictures a second (dispatch room: 5). The first and
    /// the last seconds have nobody near the line, and as many leave as enter. Below 60 s there is not room
    /// for everything that a course tells.
    #[must_use]
    pub fn demo(kind: SceneKind, seed: u64, seconds: f64, course: DemoCourse) -> Self {
        let mut dice = Dice::new(seed);
        let look = demo_camera(kind, Daylight::Overcast);
        let mut crew = Crew::default();
        let mut events = Vec::new();
        match (kind, course) {
            (SceneKind::ShaftMouth, DemoCourse::Working { peak_people }) => {
                mouth_at_work(
                    &mut crew,
                    &mut dice,
                    seconds,
                    peak_people.clamp(1, 30),
                    look.camera_distance,
                );
            }
            (SceneKind::ShaftMouth, DemoCourse::Stopped) => {
                one_intruder(&mut crew, &mut dice, seconds, look.camera_distance);
            }
            (SceneKind::VehicleGate, _) => gate(&mut crew, &mut dice, seconds, course),
            (SceneKind::Belt, _) => {
                events = belt(seconds, course);
                if course != DemoCourse::Stopped {
                    crew.person(&mut dice, along_belt(seconds * 0.25, true, 1.15));
                }
            }
            (SceneKind::DispatchRoom, _) => room(&mut crew, &mut dice, seconds, course),
        }
        Self {
            kind,
            seed,
            width: 640,
            height: 360,
            frames_per_second: if kind == SceneKind::DispatchRoom {
                5.0
            } else {
                10.0
            },
            seconds,
            start: START,
            mine_name: "示例煤矿".into(),
            place_name: match kind {
                SceneKind::ShaftMouth => "主井口",
                SceneKind::VehicleGate => "车辆出入口",
                SceneKind::Belt => "主运输皮带机头",
                SceneKind::DispatchRoom => "调度室",
            }
            .into(),
            look,
            actors: crew.actors(),
            events: events.into_iter().map(in_milliseconds).collect(),
            disturbances: Vec::new(),
        }
    }
}

/// Actors with numbers in the order in which they were added.
#[derive(Default)]
pub(crate) struct Crew {
    actors: Vec<Actor>,
}

/// Times in whole milliseconds are the same again after JSON.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

pub(crate) fn in_milliseconds(event: SceneEvent) -> SceneEvent {
    SceneEvent {
        at_seconds: milliseconds(event.at_seconds),
        ..event
    }
}

impl Crew {
    /// All of them, with times in whole milliseconds.
    pub(crate) fn actors(mut self) -> Vec<Actor> {
        for point in self.actors.iter_mut().flat_map(|actor| &mut actor.way) {
            point.at_seconds = milliseconds(point.at_seconds);
        }
        self.actors
    }

    fn add(&mut self, figure: Figure, way: Vec<Waypoint>) {
        self.actors.push(Actor {
            id: self.actors.len() as i64 + 1,
            figure,
            way,
        });
    }

    pub(crate) fn person(&mut self, dice: &mut Dice, way: Vec<Waypoint>) {
        self.add(Figure::Person(worker(dice)), way);
    }

    pub(crate) fn clerk(&mut self, dice: &mut Dice, way: Vec<Waypoint>) {
        self.add(Figure::Person(clerk(dice)), way);
    }

    pub(crate) fn vehicle(&mut self, look: VehicleLook, way: Vec<Waypoint>) {
        self.add(Figure::Vehicle(look), way);
    }
}

/// What happens at one moment at the mouth.
enum Moment {
    Group { people: u32, inward: bool },
    Exchange,
    TurnBack,
}

fn mouth_at_work(crew: &mut Crew, dice: &mut Dice, seconds: f64, peak: u32, camera_distance: f32) {
    let mut moments = Vec::new();
    let sizes = |offset: usize| {
        let mut left = peak;
        let mut groups = Vec::new();
        let pattern: &[u32] = if peak > 8 { &[2, 3, 1, 3, 2] } else { &[1, 2, 1, 3] };
        for &size in pattern.iter().cycle().skip(offset) {
            if left == 0 {
                break;
            }
            groups.push(size.min(left));
            left -= size.min(left);
        }
        groups
    };
    moments.extend(
        sizes(0)
            .into_iter()
            .map(|people| Moment::Group { people, inward: true }),
    );
    let spare = seconds > 60.0;
    if spare {
        moments.extend([Moment::Exchange, Moment::TurnBack, Moment::Exchange]);
    }
    moments.extend(sizes(1).into_iter().map(|people| Moment::Group {
        people,
        inward: false,
    }));

    let (first, last) = (6.0, seconds - 6.0);
    let gap = (last - first) / (moments.len().max(2) - 1) as f64;
    for (index, moment) in moments.into_iter().enumerate() {
        let at = first + gap * index as f64;
        match moment {
            Moment::Group { people, inward } => {
                let outside = Outside::any(dice);
                let speed = dice.between(1.1, 1.35);
                for one in 0..people {
                    let shift = one as f32 - (people - 1) as f32 / 2.0;
                    let lane = (if inward { 0.72 } else { -0.72 }) + shift * 0.78;
                    let at = at + f64::from(dice.between(-0.15, 0.15));
                    let passage = MouthPassage {
                        at,
                        inward,
                        lane,
                        outside,
                        speed,
                    };
                    crew.person(dice, through_mouth(passage, camera_distance));
                }
            }
            Moment::Exchange => {
                for inward in [true, false] {
                    let passage = MouthPassage {
                        at: at + if inward { 0.0 } else { 0.3 },
                        inward,
                        lane: if inward { 0.85 } else { -0.85 },
                        outside: if inward { Outside::Right } else { Outside::Left },
                        speed: dice.between(1.1, 1.3),
                    };
                    crew.person(dice, through_mouth(passage, camera_distance));
                }
            }
            Moment::TurnBack => {
                crew.person(dice, turning_back(at, 0.5, Outside::Left, camera_distance, 1.15));
            }
        }
    }
    if spare {
        let guard = standing(3.2, -1.5, -1.0, seconds + 1.0, dice);
        crew.person(dice, guard);
    }
}

fn one_intruder(crew: &mut Crew, dice: &mut Dice, seconds: f64, camera_distance: f32) {
    let at = seconds * 0.25;
    let stay = 30.0_f64.min(seconds * 0.4);
    let passage = MouthPassage {
        at,
        inward: true,
        lane: 0.4,
        outside: Outside::Right,
        speed: 1.2,
    };
    let mut way = through_mouth(passage, camera_distance);
    let out = MouthPassage {
        at: at + stay,
        inward: false,
        lane: -0.3,
        ..passage
    };
    // Stands round the corner until he comes out again.
    way.extend(
        through_mouth(out, camera_distance)
            .into_iter()
            .filter(|point| point.at_seconds > at + stay * 0.5),
    );
    way.sort_by(|one, other| one.at_seconds.total_cmp(&other.at_seconds));
    way.dedup_by(|later, earlier| later.at_seconds <= earlier.at_seconds + 0.05);
    crew.person(dice, way);
}

fn gate(crew: &mut Crew, dice: &mut Dice, seconds: f64, course: DemoCourse) {
    if course == DemoCourse::Stopped {
        crew.vehicle(truck(dice, false), through_gate(seconds * 0.22, true, 4.2));
        crew.vehicle(truck(dice, true), through_gate(seconds * 0.68, false, 3.8));
        return;
    }
    // As many out as in; trucks go in empty and come out loaded.
    let plan = [
        (true, true),
        (false, true),
        (true, false),
        (true, true),
        (false, false),
        (true, false),
    ];
    let (first, last) = (9.0, seconds - 12.0);
    let gap = (last - first) / (plan.len() - 1) as f64;
    for (index, (heavy, inward)) in plan.into_iter().enumerate() {
        let at = first + gap * index as f64;
        let look = if heavy {
            truck(dice, !inward)
        } else {
            light_vehicle(dice)
        };
        let speed = dice.between(3.6, 4.6);
        crew.vehicle(look, through_gate(at, inward, speed));
    }
    let guard = standing(-5.2, -2.9, -1.0, seconds + 1.0, dice);
    crew.person(dice, guard);
}

fn belt(seconds: f64, course: DemoCourse) -> Vec<SceneEvent> {
    let event = |share: f64, change: Change| SceneEvent {
        at_seconds: seconds * share,
        change,
    };
    if course == DemoCourse::Stopped {
        return vec![
            event(0.30, Change::BeltStarts),
            event(0.36, Change::CoalOn),
            event(0.58, Change::CoalOff),
            event(0.78, Change::BeltStops),
        ];
    }
    vec![
        event(0.0, Change::BeltStarts),
        event(0.0, Change::CoalOn),
        event(0.35, Change::BeltStops),
        event(0.48, Change::BeltStarts),
        event(0.58, Change::CoalOff),
        event(0.76, Change::CoalOn),
    ]
}

fn room(crew: &mut Crew, dice: &mut Dice, seconds: f64, course: DemoCourse) {
    let [first, second, third, fourth] = SEATS;
    let from_before = -30.0;
    let to_after = seconds + 30.0;
    let duty: Vec<(f32, Vec<(f64, f64)>)> = if course == DemoCourse::Stopped {
        vec![(
            second,
            vec![(from_before, seconds * 0.2), (seconds * 0.88, to_after)],
        )]
    } else {
        vec![
            (
                second,
                vec![(from_before, seconds * 0.3), (seconds * 0.62, to_after)],
            ),
            (fourth, vec![(from_before, to_after)]),
            (third, vec![(seconds * 0.42, seconds * 0.72)]),
        ]
    };
    let _ = first;
    for (seat, intervals) in duty {
        let before = dice.clone();
        for way in at_desk(seat, &intervals, 1.1) {
            // The same person comes back.
            *dice = before.clone();
            crew.clerk(dice, way);
        }
        *dice = Dice::new(dice.next());
    }
}
