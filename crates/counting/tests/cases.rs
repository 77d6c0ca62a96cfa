#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
//! Single cases of the crossing rule: the picture's edge, the ends of the line, lost tracks, memory, restart.

mod common;

use common::{STEP, counter, follow, object, person};
use mineseal_counting::{Buffer, CrossingCounter, CrossingRule, LineCrossing};
use mineseal_domain::{
    Anchor, BoundingBox, Detection, Direction, Line, ObjectClass, ObjectGroup, Point, UtcMicros,
};
use mineseal_tracking::{TrackedObject, Tracker, TrackerSettings};

fn vertical(x: f32) -> Line {
    Line {
        from: Point { x, y: 0.0 },
        to: Point { x, y: 400.0 },
    }
}

/// A person whom the left edge of the picture cuts; none of whom it leaves next to nothing.
fn cut_person(x: f32, foot: f32) -> Option<Detection> {
    let mut seen = person(x, foot);
    let right = seen.bounding_box.right();
    seen.bounding_box.left = seen.bounding_box.left.max(0.0);
    seen.bounding_box.width = right - seen.bounding_box.left;
    (right > 4.0).then_some(seen)
}

#[test]
fn a_line_near_the_edge_counts_who_leaves_and_who_comes() {
    for speed in [4.0, 8.0, 12.0, 16.0] {
        let leaves = (0..60).map(|step| {
            cut_person(200.0 - step as f32 * speed, 200.0)
                .into_iter()
                .collect::<Vec<_>>()
        });
        let crossings = follow(vertical(20.0), leaves);
        assert_eq!(crossings.len(), 1, "leaves at {speed} pixels a frame");
        assert_eq!(crossings[0].direction, Direction::In);
        let comes = (0..60).map(|step| {
            cut_person(step as f32 * speed - 20.0, 200.0)
                .into_iter()
                .collect::<Vec<_>>()
        });
        let crossings = follow(vertical(20.0), comes);
        assert_eq!(crossings.len(), 1, "comes at {speed} pixels a frame");
        assert_eq!(crossings[0].direction, Direction::Out);
    }
}

#[test]
fn one_clear_sight_beyond_the_line_is_enough_when_the_track_ends() {
    // 8 pixels beyond: more than the buffer (6), less than what one frame in the middle of a track needs (12).
    let mut counter = counter(vertical(200.0));
    let mut crossings = Vec::new();
    for (index, x) in [230.0, 216.0, 192.0].into_iter().enumerate() {
        let objects = [object(1, cut_person(x, 200.0).unwrap())];
        crossings.extend(counter.update(UtcMicros(index as i64 * STEP), index as i64, &objects));
    }
    assert_eq!(crossings, []);
    for index in 3..30 {
        crossings.extend(counter.update(UtcMicros(index * STEP), index, &[]));
    }
    assert_eq!(crossings.len(), 1);
    let crossing = &crossings[0];
    assert_eq!(
        (crossing.from_sequence, crossing.to_sequence, crossing.at),
        (1, 2, UtcMicros(2 * STEP))
    );
    assert_eq!(crossing.passed_sequence, 2);
    assert!(
        (STEP + 1..2 * STEP).contains(&crossing.passed_at.0),
        "{:?}",
        crossing.passed_at
    );
    let path: Vec<f32> = crossing.path.iter().map(|point| point.x).collect();
    assert_eq!(path, [216.0, 192.0]);
}

#[test]
fn who_goes_round_an_end_is_not_counted_nor_when_he_returns_through_the_line() {
    let line = Line {
        from: Point { x: 200.0, y: 100.0 },
        to: Point { x: 200.0, y: 300.0 },
    };
    let round = (0..20).map(|step| (300.0 - 10.0 * step as f32, 350.0));
    let up = (0..16).map(|step| (100.0, 350.0 - 10.0 * step as f32));
    let back = (0..20).map(|step| (100.0 + 10.0 * step as f32, 200.0));
    let walk = round.chain(up).chain(back);
    let crossings = follow(
        line,
        walk.map(|(x, y)| cut_person(x, y).into_iter().collect::<Vec<_>>()),
    );
    let directions: Vec<Direction> = crossings.iter().map(|crossing| crossing.direction).collect();
    assert_eq!(
        directions,
        [Direction::Out],
        "the way round does not count, the way through does"
    );
}

#[test]
fn other_groups_are_not_counted_and_the_commonest_class_is_named() {
    let classes = [
        ObjectClass::Truck,
        ObjectClass::Car,
        ObjectClass::Truck,
        ObjectClass::Truck,
    ];
    let seen = |index: usize| {
        let bounding_box = BoundingBox {
            left: 300.0 - 12.0 * index as f32,
            top: 100.0,
            width: 60.0,
            height: 40.0,
        };
        vec![object(
            1,
            Detection {
                class: classes[index % 4],
                score: 0.5,
                bounding_box,
            },
        )]
    };
    for (group, expected) in [(ObjectGroup::Vehicle, 1), (ObjectGroup::Person, 0)] {
        let mut counter =
            CrossingCounter::new(vertical(200.0), Anchor::Centre, group, CrossingRule::default());
        let crossings: Vec<LineCrossing> = (0..20)
            .flat_map(|index| counter.update(UtcMicros(index as i64 * STEP), index as i64, &seen(index)))
            .collect();
        assert_eq!(crossings.len(), expected);
        assert!(
            crossings
                .iter()
                .all(|crossing| crossing.class == ObjectClass::Truck)
        );
    }
}

#[test]
fn a_loiterer_and_a_thousand_passers_by_leave_a_bounded_state() {
    let mut counter = counter(vertical(200.0));
    let size = |counter: &CrossingCounter| {
        let mut bytes = Vec::new();
        ciborium::into_writer(counter, &mut bytes).unwrap();
        bytes.len()
    };
    let mut largest = 0;
    for index in 0..20_000_i64 {
        let jitter = (index % 7) as f32 - 3.0;
        let objects = [
            object(0, cut_person(200.0 + jitter, 200.0).unwrap()),
            object(1 + index / 20, cut_person(100.0, 300.0).unwrap()),
        ];
        assert_eq!(counter.update(UtcMicros(index * STEP), index, &objects), []);
        largest = largest.max(size(&counter));
    }
    assert!(largest < 8000, "{largest} bytes");
}

#[test]
fn a_hundred_thousand_tracks_leave_a_bounded_state() {
    let mut counter = counter(vertical(200.0));
    for frame in 0..4_i64 {
        let objects: Vec<TrackedObject> = (0..100_000)
            .map(|index| {
                object(
                    frame * 100_000 + index,
                    cut_person((index % 400) as f32 + 20.0, 200.0).unwrap(),
                )
            })
            .collect();
        counter.update(UtcMicros(frame * STEP), frame, &objects);
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&counter, &mut bytes).unwrap();
    assert!(bytes.len() < 4096 * 700, "{} bytes", bytes.len());
}

#[test]
fn whom_the_pictures_edge_cuts_off_is_counted_where_he_stands() {
    // 10 pixels from the left edge: less than half a person and the buffer, so that the part that is still to be
    // seen never lies beyond.
    let leaves = || (0..30).map(|step| cut_person(100.0 - 4.0 * step as f32, 200.0));
    let comes = || (0..30).map(|step| cut_person(-20.0 + 4.0 * step as f32, 200.0));
    let count = |walk: Vec<Option<Detection>>, knows_the_picture: bool| {
        let mut counter = counter(vertical(10.0));
        if knows_the_picture {
            counter = counter.in_picture(640.0, 400.0);
        }
        let mut crossings = Vec::new();
        for (index, seen) in walk.into_iter().enumerate() {
            let objects: Vec<TrackedObject> = seen.into_iter().map(|seen| object(1, seen)).collect();
            crossings.extend(counter.update(UtcMicros(index as i64 * STEP), index as i64, &objects));
        }
        crossings.extend(counter.finish());
        crossings
            .iter()
            .map(|crossing| crossing.direction)
            .collect::<Vec<_>>()
    };
    assert_eq!(count(leaves().collect(), true), [Direction::In]);
    assert_eq!(count(comes().collect(), true), [Direction::Out]);
    assert_eq!(count(leaves().collect(), false), []);
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    let frames: Vec<Vec<Detection>> = (0..40)
        .map(|step| cut_person(320.0 - 7.3 * step as f32, 200.0).into_iter().collect())
        .collect();
    let whole = follow(vertical(200.0), frames.iter().cloned());
    assert_eq!(whole.len(), 1);
    for cut in 0..frames.len() {
        let mut state = (Tracker::new(TrackerSettings::default()), counter(vertical(200.0)));
        let mut crossings = Vec::new();
        for (index, detections) in frames.iter().enumerate() {
            if index == cut {
                let mut bytes = Vec::new();
                ciborium::into_writer(&state, &mut bytes).unwrap();
                let restored: (Tracker, CrossingCounter) = ciborium::from_reader(bytes.as_slice()).unwrap();
                assert_eq!(restored, state);
                state = restored;
            }
            let at = UtcMicros(index as i64 * STEP);
            crossings.extend(state.1.update(at, index as i64, &state.0.update(at, detections)));
        }
        crossings.extend(state.1.finish());
        assert_eq!(crossings, whole, "cut before frame {cut}");
    }
}

#[test]
fn a_frame_given_twice_changes_nothing_and_a_clock_set_back_goes_on() {
    let mut counter = counter(vertical(200.0));
    let frame = |x| [object(1, cut_person(x, 200.0).unwrap())];
    counter.update(UtcMicros(1_000_000_000), 0, &frame(230.0));
    let before = counter.clone();
    assert_eq!(counter.update(UtcMicros(1_000_000_000), 1, &frame(100.0)), []);
    assert_eq!(counter.update(UtcMicros(999_000_000), 1, &frame(100.0)), []);
    assert_eq!(counter, before);
    let crossings: Vec<LineCrossing> = [230.0, 216.0, 184.0, 170.0]
        .into_iter()
        .enumerate()
        .flat_map(|(index, x)| counter.update(UtcMicros(index as i64 * STEP), index as i64, &frame(x)))
        .collect();
    assert_eq!(crossings.len(), 1);
}

#[test]
fn the_buffer_may_be_given_in_pixels() {
    let rule = CrossingRule {
        buffer: Buffer::Pixels(40.0),
        ..CrossingRule::default()
    };
    let mut counter = CrossingCounter::new(vertical(200.0), Anchor::Foot, ObjectGroup::Person, rule);
    let mut crossings = Vec::new();
    for (index, x) in [250.0, 230.0, 180.0, 165.0, 170.0, 250.0].into_iter().enumerate() {
        let objects = [object(1, cut_person(x, 200.0).unwrap())];
        crossings.extend(counter.update(UtcMicros(index as i64 * STEP), index as i64, &objects));
    }
    crossings.extend(counter.finish());
    assert_eq!(crossings, []);
}
