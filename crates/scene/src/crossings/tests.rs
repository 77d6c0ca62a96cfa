//! Scripted passages against the crossings that truth finds, without rendering.

use mineseal_domain::ObjectGroup;

use super::*;
use crate::looks::{random_camera, truck, worker};
use crate::math::Dice;
use crate::passages::{MouthPassage, Outside, strolling, through_gate, through_mouth, turning_back};
use crate::places::build;
use crate::text::Typeface;
use crate::view::{Aim, View};
use crate::{Actor, DemoCourse, Figure, SceneKind, Waypoint, demo_mines};

/// More than the buffer that counting keeps: a passage must begin and end this far from the line.
const CLEAR: f32 = 0.06;

struct Stand {
    script: SceneScript,
    camera: Camera,
    lines: Vec<CountingLine>,
    cast: Cast,
}

fn stand(script: SceneScript) -> Stand {
    let place = build(&script, &Typeface::installed().expect("a font"));
    let camera = View::camera(&script, &place, Aim::Straight);
    let lines = lines_of(&place, &camera, &script);
    let cast = Cast::new(&script);
    Stand {
        script,
        camera,
        lines,
        cast,
    }
}

impl Stand {
    fn crossings(&self) -> Vec<(u64, TruthCrossing)> {
        find(&self.script, &self.cast, &self.camera, &self.lines)
    }

    /// Signed distances of an actor's foot point from the line, in picture heights, where he is seen.
    fn distances(&self, number: usize) -> Vec<(u64, f32)> {
        let (width, height) = (self.script.width as f32, self.script.height as f32);
        let line = self.lines.first().expect("a line").line.scaled(width, height);
        (0..self.script.frame_count())
            .filter_map(|index| {
                let seconds = self.script.media_time_micros(index) as f64 / 1e6;
                let sprite = self.cast.sprite(number, seconds, &self.camera)?;
                Some((index, line.signed_distance(foot(&sprite.extent)) / height))
            })
            .collect()
    }
}

/// A script with one actor for each way and a camera from the seed.
fn with_ways(
    kind: SceneKind,
    seed: u64,
    seconds: f64,
    ways: impl Fn(f32) -> Vec<Vec<Waypoint>>,
) -> SceneScript {
    let mut script = SceneScript::demo(kind, seed, seconds, DemoCourse::Stopped);
    let mut dice = Dice::new(seed);
    script.look = random_camera(kind, &mut dice);
    script.actors = ways(script.look.camera_distance)
        .into_iter()
        .enumerate()
        .map(|(number, way)| Actor {
            id: number as i64 + 1,
            figure: match kind {
                SceneKind::VehicleGate => Figure::Vehicle(truck(&mut dice, false)),
                _ => Figure::Person(worker(&mut dice)),
            },
            way,
        })
        .collect();
    script
}

#[test]
fn every_passage_of_the_mouth_is_one_crossing_at_its_time() {
    for seed in 0..12 {
        let mut plan = Vec::new();
        for (number, outside) in [Outside::Left, Outside::Right, Outside::Front]
            .into_iter()
            .enumerate()
        {
            for (other, lane) in [-1.7_f32, 0.1, 1.6].into_iter().enumerate() {
                let at = 14.0 + number as f64 * 3.0 + other as f64;
                let speed = 0.8 + 0.35 * other as f32;
                plan.push(MouthPassage {
                    at,
                    inward: (number + other) % 2 == 0,
                    lane,
                    outside,
                    speed,
                });
            }
        }
        let script = with_ways(SceneKind::ShaftMouth, seed, 40.0, |distance| {
            plan.iter()
                .map(|passage| through_mouth(*passage, distance))
                .collect()
        });
        let stand = stand(script);
        let crossings = stand.crossings();
        assert_eq!(crossings.len(), plan.len(), "seed {seed}: {crossings:?}");
        for (number, passage) in plan.iter().enumerate() {
            let (index, crossing) = crossings
                .iter()
                .find(|(_, crossing)| crossing.object == number as i64 + 1)
                .expect("one for each actor");
            let wanted = if passage.inward {
                Direction::In
            } else {
                Direction::Out
            };
            assert_eq!(crossing.direction, wanted, "seed {seed}, {passage:?}");
            assert_eq!(crossing.group, ObjectGroup::Person);
            // The foot point is the box's, half a stride from the body's middle.
            assert!(
                (*index as f64 / 10.0 - passage.at).abs() < 0.9,
                "seed {seed}: {index} for {passage:?}"
            );
            let distances = stand.distances(number);
            let (least, most) = distances
                .iter()
                .fold((0.0_f32, 0.0_f32), |(low, high), &(_, one)| {
                    (low.min(one), high.max(one))
                });
            assert!(
                least < -CLEAR && most > CLEAR,
                "seed {seed}, {passage:?}: {least} to {most}"
            );
        }
    }
}

#[test]
fn who_turns_back_or_strolls_by_crosses_nothing() {
    for seed in 0..12 {
        let script = with_ways(SceneKind::ShaftMouth, seed, 60.0, |distance| {
            vec![
                turning_back(20.0, 0.5, Outside::Left, distance, 1.15),
                turning_back(22.0, -1.1, Outside::Right, distance, 0.9),
                turning_back(24.0, 1.3, Outside::Front, distance, 1.4),
                strolling(20.0, -1.6, true, 1.2),
                strolling(26.0, -4.0, false, 1.0),
            ]
        });
        let found = stand(script).crossings();
        assert!(found.is_empty(), "seed {seed}: {found:?}");
    }
}

#[test]
fn every_drive_through_the_gate_is_one_crossing() {
    for seed in 0..12 {
        let inward = [true, false, true, false];
        let script = with_ways(SceneKind::VehicleGate, seed, 90.0, |_| {
            inward
                .iter()
                .enumerate()
                .map(|(number, &inward)| {
                    through_gate(14.0 + 16.0 * number as f64, inward, 3.5 + 0.4 * number as f32)
                })
                .collect()
        });
        let found = stand(script).crossings();
        assert_eq!(found.len(), inward.len(), "seed {seed}: {found:?}");
        for (number, &inward) in inward.iter().enumerate() {
            let (_, crossing) = found
                .iter()
                .find(|(_, crossing)| crossing.object == number as i64 + 1)
                .expect("one for each");
            let wanted = if inward { Direction::In } else { Direction::Out };
            assert_eq!(crossing.direction, wanted, "seed {seed}, vehicle {number}");
        }
    }
}

#[test]
fn clips_of_the_demonstration_can_be_repeated() {
    let peaks = [6, 13, 1];
    for (mine, peak) in demo_mines().expect("mines").into_iter().zip(peaks) {
        for camera in mine.cameras {
            if !matches!(camera.script.kind, SceneKind::ShaftMouth | SceneKind::VehicleGate) {
                continue;
            }
            let kind = camera.script.kind;
            let stand = stand(camera.script);
            let crossings = stand.crossings();
            let (mut inside, mut most) = (0_i32, 0_i32);
            for (_, crossing) in &crossings {
                inside += if crossing.direction == Direction::In {
                    1
                } else {
                    -1
                };
                most = most.max(inside);
                assert!(
                    kind != SceneKind::ShaftMouth || inside >= 0,
                    "{}: nobody leaves before he entered",
                    mine.name
                );
            }
            assert_eq!(inside, 0, "{} {kind:?}", mine.name);
            if kind == SceneKind::ShaftMouth {
                // Two meet at the line: the order of in and out within an exchange may add one.
                assert!(
                    most == peak || most == peak + 1,
                    "{}: {most} at most, {peak} told",
                    mine.name
                );
            }
            let count = stand.script.frame_count();
            let second = stand.script.frames_per_second as u64;
            for number in 0..stand.cast.actors.len() {
                let watched = stand
                    .cast
                    .actors
                    .get(number)
                    .map(|actor| class_of(&actor.figure).group());
                if watched != Some(stand.lines.first().map(|line| line.group)) {
                    continue;
                }
                for (index, distance) in stand.distances(number) {
                    let at_an_end = index < second || index + second >= count;
                    assert!(
                        !at_an_end || distance.abs() > CLEAR,
                        "{} {kind:?}: actor {number} is at the line in picture {index}",
                        mine.name
                    );
                }
            }
        }
    }
}

#[test]
fn the_stopped_mine_has_one_person_inside_for_half_a_minute() {
    let script = SceneScript::demo(SceneKind::ShaftMouth, 5, 120.0, DemoCourse::Stopped);
    let crossings = stand(script).crossings();
    let [(entered, first), (left, second)] = crossings.as_slice() else {
        panic!("{crossings:?}")
    };
    assert_eq!(
        (first.direction, second.direction),
        (Direction::In, Direction::Out)
    );
    assert_eq!(first.object, second.object);
    assert!((250..350).contains(&(left - entered)), "{entered} to {left}");
}

#[test]
fn lines_are_cut_at_the_picture() {
    let point = |x, y| Point { x, y };
    let cut = clipped(Line {
        from: point(-1.0, 0.5),
        to: point(1.0, 0.5),
    })
    .expect("half of it");
    assert_eq!((cut.from, cut.to), (point(0.0, 0.5), point(1.0, 0.5)));
    assert!(
        clipped(Line {
            from: point(-1.0, 2.0),
            to: point(1.0, 2.0)
        })
        .is_none()
    );
}
