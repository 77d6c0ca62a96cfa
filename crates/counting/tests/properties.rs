#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
//! What the crossing rule promises, on made-up walks over a vertical line at x = 200 (right to left is in).

mod common;

use common::{HEIGHT, STEP, counter, follow, object, person};
use mineseal_counting::CrossingCounter;
use mineseal_domain::{Anchor, BoundingBox, Detection, Direction, Line, ObjectClass, Point, UtcMicros};
use mineseal_tracking::{TrackedObject, Tracker, TrackerSettings};
use proptest::prelude::*;

/// Half width of the default buffer for a person of [`HEIGHT`].
const BUFFER: f32 = 6.0;
const LINE: Line = Line {
    from: Point { x: 200.0, y: 0.0 },
    to: Point { x: 200.0, y: 400.0 },
};
/// Counts one track whose foot takes these places, a frame each.
fn count(places: &[(f32, f32)]) -> Vec<Direction> {
    count_with(
        &mut counter(LINE),
        places.iter().map(|&(x, y)| person(x, y)),
        STEP,
    )
}

fn count_with(
    counter: &mut CrossingCounter,
    detections: impl Iterator<Item = Detection>,
    step: i64,
) -> Vec<Direction> {
    let mut crossings = Vec::new();
    for (index, detection) in detections.enumerate() {
        let index = index as i64;
        crossings.extend(counter.update(UtcMicros(index * step), index, &[object(1, detection)]));
    }
    crossings.extend(counter.finish());
    crossings.iter().map(|crossing| crossing.direction).collect()
}

/// Quarters of a pixel, so that mirroring is exact.
fn places(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(f32, f32)>> {
    let quarter = |range: std::ops::Range<i32>| range.prop_map(|quarters| quarters as f32 / 4.0);
    prop::collection::vec((quarter(0..1600), quarter(-100..1700)), length)
}

proptest! {
    #[test]
    fn a_mirrored_walk_gives_mirrored_crossings(walk in places(2..40)) {
        let mirrored: Vec<(f32, f32)> = walk.iter().map(|&(x, y)| (400.0 - x, y)).collect();
        let turned: Vec<Direction> = count(&walk)
            .into_iter()
            .map(|direction| if direction == Direction::In { Direction::Out } else { Direction::In })
            .collect();
        prop_assert_eq!(count(&mirrored), turned);
    }

    #[test]
    fn an_exchange_of_the_ends_exchanges_the_directions(walk in places(2..40)) {
        let other = Line { from: LINE.to, to: LINE.from };
        let detections = || walk.iter().map(|&(x, y)| person(x, y));
        let turned = count_with(&mut counter(other), detections(), STEP);
        let straight = count_with(&mut counter(LINE), detections(), STEP);
        prop_assert_eq!(turned.len(), straight.len());
        prop_assert!(turned.iter().zip(&straight).all(|(a, b)| a != b));
    }

    #[test]
    fn entries_and_exits_of_one_track_alternate_over_an_endless_line(walk in prop::collection::vec(0.0_f32..400.0, 2..60)) {
        let walk: Vec<(f32, f32)> = walk.into_iter().map(|x| (x, 200.0)).collect();
        let directions = count(&walk);
        prop_assert!(directions.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn who_stands_on_the_line_is_not_counted(jitter in prop::collection::vec(-5.9_f32..5.9, 1..200)) {
        let walk: Vec<(f32, f32)> = jitter.into_iter().map(|x| (200.0 + x, 200.0)).collect();
        prop_assert_eq!(count(&walk), []);
    }

    #[test]
    fn who_turns_back_on_the_line_is_not_counted(reach in -5.9_f32..5.9, speed in 3.0_f32..18.0, loiter in 0..30) {
        let towards = (0..20).map(|step| 200.0 - reach + 20.0 * speed - step as f32 * speed);
        let stands = (0..loiter).map(|_| 200.0 - reach);
        let back = (0..20).map(|step| 200.0 - reach + step as f32 * speed);
        let walk: Vec<(f32, f32)> = towards.chain(stands).chain(back).map(|x| (x, 200.0)).collect();
        prop_assert_eq!(count(&walk), []);
    }

    #[test]
    fn who_crosses_and_returns_is_counted_both_ways(reach in 15.0_f32..150.0, speed in 3.0_f32..18.0) {
        let steps = ((reach + 60.0) / speed).ceil() as i32;
        let there = (0..=steps).map(|step| 260.0 - step as f32 * speed);
        let back = (0..=steps).map(|step| 260.0 - (steps - step) as f32 * speed);
        let walk: Vec<(f32, f32)> = there.chain(back).map(|x| (x, 200.0)).collect();
        prop_assert_eq!(count(&walk), [Direction::In, Direction::Out]);
    }

    #[test]
    fn every_walker_is_counted_up_to_a_third_of_his_height_a_frame(
        start in 0.0_f32..20.0, speed in 2.0_f32..20.0, slope in -3.0_f32..3.0
    ) {
        let walk: Vec<(f32, f32)> = (0..150)
            .map(|step| (260.0 + start - step as f32 * speed, 200.0 + slope * step as f32 / 4.0))
            .take_while(|place| place.0 > 0.0)
            .collect();
        prop_assert_eq!(count(&walk), [Direction::In]);
    }

    #[test]
    fn the_clock_may_run_at_any_speed(walk in places(2..40), factor in 0.05_f64..10.0) {
        let detections = || walk.iter().map(|&(x, y)| person(x, y));
        let scaled = count_with(&mut counter(LINE), detections(), (STEP as f64 * factor) as i64);
        prop_assert_eq!(scaled, count_with(&mut counter(LINE), detections(), STEP));
    }

    #[test]
    fn outside_the_ends_nothing_is_counted(y in 410.0_f32..600.0, speed in 3.0_f32..18.0) {
        let walk: Vec<(f32, f32)> = (0..60).map(|step| (300.0 - step as f32 * speed, y)).collect();
        prop_assert_eq!(count(&walk), []);
    }

    /// A box that loses its lower half for a frame throws the foot over a horizontal line and back.
    #[test]
    fn a_flickering_box_is_not_counted(halves in prop::collection::vec(any::<bool>(), 3..80), depth in 8.0_f32..25.0) {
        let line = Line { from: Point { x: 0.0, y: 200.0 }, to: Point { x: 400.0, y: 200.0 } };
        let whole = person(100.0, 200.0 + depth);
        let mut half = whole;
        half.bounding_box.height /= 2.0;
        let mut before = true;
        let detections = halves.into_iter().map(|flicker| {
            let now = flicker && !before;
            before = now;
            if now { half } else { whole }
        });
        // The first frame is never halved: a track's only glimpse of the other side is another matter.
        prop_assert_eq!(count_with(&mut counter(line), detections, STEP), []);
    }

    #[test]
    fn people_side_by_side_are_all_counted(speed in 3.0_f32..18.0, gap in 0.6_f32..2.0, people in 2_usize..4) {
        let frames: Vec<Vec<Detection>> = (0..150)
            .map(|step| 290.0 - step as f32 * speed)
            .take_while(|x| *x > 60.0)
            .map(|x| (0..people).map(|row| person(x + row as f32 * 2.0, 150.0 + row as f32 * gap * HEIGHT)).collect())
            .collect();
        let crossings = follow(LINE, &frames);
        prop_assert_eq!(crossings.len(), people);
        prop_assert!(crossings.iter().all(|crossing| crossing.direction == Direction::In));
    }

    /// The whole way, tracker included: people who walk at all speeds both ways, with frames lost to each of them.
    #[test]
    fn a_mirrored_picture_gives_mirrored_counts(
        people in prop::collection::vec((-20.0_f32..20.0, 0.0_f32..400.0, 0_u32..u32::MAX), 1..6)
    ) {
        let frames = |mirrored: bool| -> Vec<Vec<Detection>> {
            (0..60_u32)
                .map(|step| {
                    let seen = people.iter().enumerate().filter(|(_, one)| one.2.rotate_left(step) & 7 != 0);
                    seen.map(|(row, &(speed, start, _))| {
                        let x = start + speed * step as f32;
                        person(if mirrored { 400.0 - x } else { x }, 90.0 + 62.0 * row as f32)
                    })
                    .collect()
                })
                .collect()
        };
        let count = |mirrored, direction| {
            follow(LINE, frames(mirrored)).iter().filter(|crossing| crossing.direction == direction).count()
        };
        prop_assert_eq!(count(false, Direction::In), count(true, Direction::Out));
        prop_assert_eq!(count(false, Direction::Out), count(true, Direction::In));
    }

    /// Any number of people: a frame that is lost altogether changes the count by no more than the people who
    /// were near the line in it, and a frame of one person is worth one person.
    #[test]
    fn a_lost_sight_of_one_person_costs_at_most_that_person(
        people in prop::collection::vec((3.0_f32..20.0, 210.0_f32..300.0, any::<bool>()), 1..6),
        lost in 0_usize..30,
        hidden in 0_usize..6,
    ) {
        let mut frames: Vec<Vec<Detection>> = (0..30)
            .map(|step| {
                let rows = people.iter().enumerate();
                rows.map(|(row, &(speed, start, inward))| {
                    let x = start - speed * step as f32;
                    person(if inward { x } else { 400.0 - x }, 90.0 + 62.0 * row as f32)
                })
                .collect()
            })
            .collect();
        let all = follow(LINE, &frames).len();
        if hidden < people.len() {
            frames[lost].remove(hidden);
            prop_assert!(all.abs_diff(follow(LINE, &frames).len()) <= 1);
        }
    }

    #[test]
    fn a_lost_frame_loses_nobody_who_walks(speed in 3.0_f32..12.0, start in 0.0_f32..12.0, lost in 0_usize..20) {
        let mut frames: Vec<Vec<Detection>> = (0..150)
            .map(|step| 260.0 + start - step as f32 * speed)
            .take_while(|x| *x > 100.0)
            .map(|x| vec![person(x, 150.0), person(420.0 - x, 300.0)])
            .collect();
        if lost < frames.len() {
            frames[lost].clear();
        }
        let mut directions: Vec<Direction> = follow(LINE, &frames).iter().map(|crossing| crossing.direction).collect();
        directions.sort_unstable();
        prop_assert_eq!(directions, [Direction::In, Direction::Out]);
    }

    /// Whatever the speed, a lost frame costs at most the people who stood near the line in it.
    #[test]
    fn a_lost_frame_costs_no_more_than_it_hides(speed in 3.0_f32..30.0, start in 0.0_f32..30.0, lost in 0_usize..20) {
        let mut frames: Vec<Vec<Detection>> = (0..150)
            .map(|step| 290.0 + start - step as f32 * speed)
            .take_while(|x| *x > 60.0)
            .map(|x| vec![person(x, 150.0), person(x + 3.0 * speed, 300.0)])
            .collect();
        let all = follow(LINE, &frames).len();
        if lost < frames.len() {
            let reach = 2.0 * speed + 2.0 * BUFFER;
            let hidden = frames[lost].iter().filter(|seen| {
                (seen.bounding_box.anchor(Anchor::Foot).x - 200.0).abs() <= reach
            }).count();
            frames[lost].clear();
            prop_assert!(all.abs_diff(follow(LINE, &frames).len()) <= hidden);
        }
    }

    #[test]
    fn nothing_makes_it_panic(
        numbers in prop::collection::vec((any::<f32>(), any::<f32>(), any::<f32>(), any::<f32>(), any::<f32>()), 1..30),
        times in prop::collection::vec((any::<i64>(), any::<i64>(), 0_i64..4), 1..30),
        ends in (any::<f32>(), any::<f32>(), any::<f32>(), any::<f32>()),
    ) {
        let line = Line { from: Point { x: ends.0, y: ends.1 }, to: Point { x: ends.2, y: ends.3 } };
        for line in [line, LINE, Line { from: LINE.from, to: LINE.from }] {
            let mut counter = counter(line);
            let mut tracker = Tracker::new(TrackerSettings::default());
            for (frame, (at, sequence, step)) in times.iter().enumerate() {
                let detections: Vec<Detection> = numbers
                    .iter()
                    .map(|&(left, top, width, height, score)| Detection {
                        class: ObjectClass::Person, score, bounding_box: BoundingBox { left, top, width, height }
                    })
                    .collect();
                let objects: Vec<TrackedObject> =
                    detections.iter().enumerate().map(|(track, seen)| object(track as i64, *seen)).collect();
                counter.update(UtcMicros(*at), *sequence, &objects);
                let soon = UtcMicros(frame as i64 * step * STEP);
                counter.update(soon, *sequence, &tracker.update(soon, &detections));
            }
            counter.finish();
        }
    }
}
