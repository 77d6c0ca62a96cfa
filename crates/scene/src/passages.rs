//! Ways that people and vehicles take at the places.

use crate::math::Dice;
use crate::{Posture, Waypoint};

/// Where somebody comes from, or goes to, on the camera's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    Left,
    Right,
    /// Below the camera.
    Front,
}

impl Outside {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        dice.pick(&[Self::Left, Self::Right, Self::Right, Self::Front], Self::Left)
    }
}

/// Waypoints along straight pieces at an even speed (metres a second), the first at `start`.
pub(crate) fn timed(points: &[(f32, f32)], start: f64, speed: f32) -> Vec<Waypoint> {
    let mut at = start;
    let mut previous: Option<(f32, f32)> = None;
    let mut way = Vec::with_capacity(points.len());
    for &(x, z) in points {
        if let Some((px, pz)) = previous {
            let length = ((x - px) * (x - px) + (z - pz) * (z - pz)).sqrt();
            at += f64::from(length / speed).max(0.05);
        }
        previous = Some((x, z));
        way.push(Waypoint {
            at_seconds: at,
            x,
            z,
            posture: Posture::Upright,
        });
    }
    way
}

/// When the way passes `z` = 0 for the first time.
fn passes_at(way: &[Waypoint]) -> Option<f64> {
    way.windows(2).find_map(|pair| match pair {
        [from, to] if (from.z <= 0.0) != (to.z <= 0.0) => {
            let share = f64::from(from.z / (from.z - to.z));
            Some(from.at_seconds + (to.at_seconds - from.at_seconds) * share)
        }
        _ => None,
    })
}

/// The same way later or earlier, so that it passes the line at `at`.
pub(crate) fn passing_at(mut way: Vec<Waypoint>, at: f64) -> Vec<Waypoint> {
    let shift = passes_at(&way).map_or(0.0, |now| at - now);
    for point in &mut way {
        point.at_seconds += shift;
    }
    way
}

/// How one passes the shaft mouth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MouthPassage {
    /// When the line is passed.
    pub(crate) at: f64,
    pub(crate) inward: bool,
    /// Metres to the right of the middle, within 1.7.
    pub(crate) lane: f32,
    pub(crate) outside: Outside,
    /// Metres a second.
    pub(crate) speed: f32,
}

/// From outside into the tunnel and round its corner, or the other way.
pub(crate) fn through_mouth(passage: MouthPassage, camera_distance: f32) -> Vec<Waypoint> {
    let points = mouth_points(passage.lane, passage.outside, camera_distance);
    let points: Vec<_> = if passage.inward {
        points
    } else {
        points.into_iter().rev().collect()
    };
    passing_at(timed(&points, 0.0, passage.speed), passage.at)
}

fn mouth_points(lane: f32, outside: Outside, camera_distance: f32) -> Vec<(f32, f32)> {
    let mut points = match outside {
        Outside::Left => vec![(-9.5, -3.9 + 0.3 * lane), (-3.4, -3.5 + 0.3 * lane), (lane, -2.5)],
        Outside::Right => vec![(9.5, -3.9 - 0.3 * lane), (3.4, -3.5 - 0.3 * lane), (lane, -2.5)],
        Outside::Front => vec![(lane * 0.8 + 0.3, -camera_distance - 1.5), (lane, -2.5)],
    };
    points.extend([
        (lane, 6.0),
        (lane * 0.5 + 0.6, 7.1 + 0.3 * lane),
        (6.3, 7.2 + 0.3 * lane),
    ]);
    points
}

/// Towards the mouth, a look, and back: never past the line.
pub(crate) fn turning_back(
    at: f64,
    lane: f32,
    outside: Outside,
    camera_distance: f32,
    speed: f32,
) -> Vec<Waypoint> {
    let mut before: Vec<_> = mouth_points(lane, outside, camera_distance)
        .into_iter()
        .filter(|&(_, z)| z < 0.0)
        .collect();
    let back: Vec<_> = before.iter().rev().map(|&(x, z)| (x - 0.9, z)).collect();
    before.push((lane, -1.75));
    let mut way = timed(&before, 0.0, speed);
    let arrived = way.last().map_or(0.0, |point| point.at_seconds);
    for point in &mut way {
        point.at_seconds += at - arrived;
    }
    // Stands for a while, steps aside, goes.
    let mut rest = vec![(lane - 0.02, -1.76), (lane - 0.45, -1.85)];
    rest.extend(back);
    way.extend(timed(&rest, at + 2.2, speed));
    way
}

/// Along in front of the mouth without going in.
pub(crate) fn strolling(at: f64, z: f32, to_right: bool, speed: f32) -> Vec<Waypoint> {
    let points = if to_right {
        [(-9.5, z), (0.0, z), (9.5, z)]
    } else {
        [(9.5, z), (0.0, z), (-9.5, z)]
    };
    timed(&points, at - f64::from(9.5 / speed), speed)
}

/// Stands about at a place from `from` to `until`, shifting now and then.
pub(crate) fn standing(x: f32, z: f32, from: f64, until: f64, dice: &mut Dice) -> Vec<Waypoint> {
    let mut way = vec![Waypoint {
        at_seconds: from,
        x,
        z,
        posture: Posture::Upright,
    }];
    let mut at = from;
    let (mut last_x, mut last_z) = (x, z);
    loop {
        let rest = f64::from(dice.between(5.0, 16.0));
        if at + rest + 1.0 >= until {
            break;
        }
        way.push(Waypoint {
            at_seconds: at + rest,
            x: last_x,
            z: last_z,
            posture: Posture::Upright,
        });
        last_x = x + dice.between(-0.25, 0.25);
        last_z = z + dice.between(-0.2, 0.2);
        way.push(Waypoint {
            at_seconds: at + rest + 0.8,
            x: last_x,
            z: last_z,
            posture: Posture::Upright,
        });
        at += rest + 0.8;
    }
    way.push(Waypoint {
        at_seconds: until,
        x: last_x,
        z: last_z,
        posture: Posture::Upright,
    });
    way
}

/// Through the gate on the right-hand lane of its direction; `speed` in metres a second.
pub(crate) fn through_gate(at: f64, inward: bool, speed: f32) -> Vec<Waypoint> {
    let lane = if inward { 2.15 } else { -2.15 };
    let way = if inward {
        let mut way = timed(&[(lane, -34.0), (lane, -7.0), (lane, 1.0)], 0.0, speed);
        // Slowly over the line, then on into the yard and behind the hall.
        let after = way.last().map_or(0.0, |point| point.at_seconds);
        way.extend(timed(
            &[(lane, 1.01), (lane, 20.0), (4.4, 25.6), (9.0, 26.8), (42.0, 27.0)],
            after + 0.05,
            speed,
        ));
        way
    } else {
        timed(
            &[
                (42.0, 29.5),
                (4.0, 29.4),
                (-0.6, 27.6),
                (lane, 24.0),
                (lane, 8.0),
                (lane, -34.0),
            ],
            0.0,
            speed,
        )
    };
    passing_at(way, at)
}

/// The chairs of the dispatch room.
pub(crate) const SEATS: [f32; 4] = [-1.75, -0.6, 0.6, 1.75];
/// Where one sits, before the desk.
const SEAT_Z: f32 = -0.74;

/// Sits on a chair during each of the intervals, and is out of the room between them.
pub(crate) fn at_desk(seat: f32, intervals: &[(f64, f64)], speed: f32) -> Vec<Vec<Waypoint>> {
    let door = [(-5.4, -2.9), (-5.0, -2.05), (-3.2, -1.98)];
    let beside = [(seat - 0.3, -1.95), (seat + 0.40, -1.5), (seat + 0.34, -0.95)];
    intervals
        .iter()
        .map(|&(from, until)| {
            let inward: Vec<_> = door.into_iter().chain(beside).chain([(seat, SEAT_Z)]).collect();
            let mut way = timed(&inward, 0.0, speed);
            let arrived = way.last().map_or(0.0, |point| point.at_seconds);
            for point in &mut way {
                point.at_seconds += from - arrived;
            }
            if let Some(last) = way.last_mut() {
                last.posture = Posture::Seated;
            }
            way.push(Waypoint {
                at_seconds: until,
                x: seat,
                z: SEAT_Z,
                posture: Posture::Upright,
            });
            let outward: Vec<_> = inward.iter().rev().skip(1).copied().collect();
            let first = outward.first().copied().unwrap_or((seat, SEAT_Z));
            let step = ((first.0 - seat) * (first.0 - seat) + (first.1 - SEAT_Z) * (first.1 - SEAT_Z)).sqrt();
            way.extend(timed(&outward, until + f64::from(step / speed).max(0.1), speed));
            way
        })
        .collect()
}

/// Along the walkway beside the belt.
pub(crate) fn along_belt(at: f64, towards_camera: bool, speed: f32) -> Vec<Waypoint> {
    let mut points = vec![(1.75, 20.4), (1.8, 8.0), (1.7, -6.0)];
    if !towards_camera {
        points.reverse();
    }
    timed(&points, at, speed)
}
