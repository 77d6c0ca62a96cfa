#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
//! What the tracker promises, on made-up detections.

use mineseal_domain::{BoundingBox, Detection, ObjectClass, UtcMicros};
use mineseal_tracking::{TrackedObject, Tracker, TrackerSettings};
use proptest::prelude::*;

fn seen(class: ObjectClass, x: f32, y: f32, width: f32, height: f32) -> Detection {
    let bounding_box = BoundingBox {
        left: x - width / 2.0,
        top: y - height / 2.0,
        width,
        height,
    };
    Detection {
        class,
        score: 0.8,
        bounding_box,
    }
}

fn person(x: f32, y: f32) -> Detection {
    seen(ObjectClass::Person, x, y, 40.0, 100.0)
}

fn tracker() -> Tracker {
    Tracker::new(TrackerSettings::default())
}

/// Frames at `rate` a second; the track numbers found in each.
fn numbers(rate: f64, frames: impl Iterator<Item = Vec<Detection>>) -> Vec<Vec<i64>> {
    let mut tracker = tracker();
    frames
        .enumerate()
        .map(|(index, detections)| {
            let at = UtcMicros((index as f64 * 1e6 / rate) as i64);
            tracker
                .update(at, &detections)
                .iter()
                .map(|object| object.track)
                .collect()
        })
        .collect()
}

#[test]
fn a_vehicle_whose_boxes_never_overlap_keeps_its_number() {
    // 1.3 lengths a frame at 8 frames a second: 10 lengths, some 45 metres, a second.
    let frames = (0..20).map(|step| {
        vec![seen(
            ObjectClass::Car,
            100.0 + step as f32 * 78.0,
            200.0,
            60.0,
            45.0,
        )]
    });
    assert!(numbers(8.0, frames).iter().all(|found| found == &[1]));
}

#[test]
fn people_walk_and_run_at_five_frames_a_second() {
    // A height is some 1.7 metres: 0.16 heights a frame is 1.4 m/s, 0.6 is 5 m/s.
    for share in [0.05, 0.16, 0.3, 0.6] {
        let frames = (0..20).map(|step| vec![person(100.0 + step as f32 * share * 100.0, 200.0)]);
        assert!(
            numbers(5.0, frames).iter().all(|found| found == &[1]),
            "{share} heights a frame"
        );
    }
}

#[test]
fn the_rate_may_change_on_the_way() {
    let mut tracker = tracker();
    let mut seconds = 0.0_f64;
    for step in 0..60 {
        seconds += [0.04, 0.2, 0.1, 0.5][step / 3 % 4];
        let objects = tracker.update(
            UtcMicros((seconds * 1e6) as i64),
            &[person(80.0 * seconds as f32, 200.0)],
        );
        assert_eq!(objects.len(), 1);
        assert_eq!((objects[0].track, objects[0].hits), (1, step as u32 + 1));
    }
}

#[test]
fn a_class_that_flickers_in_its_group_keeps_the_track_and_groups_are_apart() {
    let classes = [ObjectClass::Car, ObjectClass::Truck, ObjectClass::Bus];
    let frames = (0..12).map(|step| {
        let x = 100.0 + 10.0 * step as f32;
        vec![
            seen(classes[step % 3], x, 200.0, 60.0, 100.0),
            seen(ObjectClass::Person, x + 3.0, 200.0, 60.0, 100.0),
            seen(ObjectClass::Bicycle, x, 203.0, 60.0, 100.0),
        ]
    });
    assert!(numbers(10.0, frames).iter().all(|found| found == &[1, 2, 3]));
}

#[test]
fn a_walker_is_found_again_behind_a_pillar_but_not_after_the_buffer() {
    for (hidden, expected) in [(1.2, 1), (4.0, 2)] {
        let frames = (0..120).map(|step| {
            let seconds = step as f32 / 10.0;
            let behind = seconds > 3.0 && seconds < 3.0 + hidden;
            if behind {
                vec![]
            } else {
                vec![person(100.0 + 70.0 * seconds, 200.0)]
            }
        });
        assert_eq!(
            numbers(10.0, frames).last().unwrap(),
            &[expected],
            "{hidden} seconds"
        );
    }
}

#[test]
fn two_who_pass_each_other_keep_their_numbers() {
    let frames = (0..40).map(|step| {
        let x = step as f32 * 12.0;
        vec![person(100.0 + x, 200.0), person(580.0 - x, 212.0)]
    });
    let mut tracker = tracker();
    let mut last = Vec::new();
    for (index, detections) in frames.enumerate() {
        last = tracker.update(UtcMicros(index as i64 * 100_000), &detections);
    }
    let places: Vec<(i64, bool)> = last
        .iter()
        .map(|object| (object.track, object.detection.bounding_box.left > 300.0))
        .collect();
    let first_went_right = places.contains(&(1, true)) || places.contains(&(2, true));
    assert_eq!(places.len(), 2);
    assert!(first_went_right);
    assert_ne!(places[0].1, places[1].1);
}

#[test]
fn low_scores_continue_a_track_but_start_none() {
    let mut weak = person(100.0, 200.0);
    weak.score = 0.2;
    let mut tracker = tracker();
    assert_eq!(tracker.update(UtcMicros(0), &[weak]), []);
    assert_eq!(
        tracker.update(UtcMicros(200_000), &[person(100.0, 200.0)]).len(),
        1
    );
    let objects = tracker.update(UtcMicros(400_000), &[weak]);
    let estimate = weak.bounding_box;
    assert_eq!(
        objects,
        [TrackedObject {
            track: 1,
            detection: weak,
            estimate,
            hits: 2,
            confirmed: true
        }]
    );
}

#[test]
fn time_that_stands_or_goes_back_a_little_changes_nothing_and_far_back_starts_anew() {
    let mut tracker = tracker();
    tracker.update(UtcMicros(50_000_000), &[person(100.0, 200.0)]);
    let before = tracker.clone();
    assert_eq!(tracker.update(UtcMicros(50_000_000), &[person(110.0, 200.0)]), []);
    assert_eq!(tracker.update(UtcMicros(49_500_000), &[person(110.0, 200.0)]), []);
    assert_eq!(tracker, before);
    let objects = tracker.update(UtcMicros(1_000_000), &[person(100.0, 200.0)]);
    assert_eq!(objects[0].track, 2, "numbers go on");
}

#[test]
fn a_hundred_thousand_boxes_leave_a_bounded_state() {
    let mut tracker = tracker();
    for frame in 0..6_i64 {
        let detections: Vec<Detection> = (0..100_000)
            .map(|index| {
                let mut detection = person((index % 400) as f32 * 4.0, (index / 400) as f32 * 4.0);
                detection.score = 0.4 + (index * 7919 % 1000) as f32 / 2000.0;
                detection
            })
            .collect();
        let objects = tracker.update(UtcMicros(frame * 100_000), &detections);
        assert!(objects.len() <= TrackerSettings::default().max_detections);
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&tracker, &mut bytes).unwrap();
    assert!(bytes.len() < 1_000_000, "{}", bytes.len());
}

#[test]
fn a_box_that_loses_its_legs_keeps_its_track_and_its_feet() {
    let mut tracker = tracker();
    for step in 0..30 {
        let x = 100.0 + 3.0 * step as f32;
        let mut detection = person(x, 200.0);
        let legs_lost = step % 4 == 3;
        if legs_lost {
            detection.bounding_box.height *= 0.65;
        }
        let objects = tracker.update(UtcMicros(step * 100_000), &[detection]);
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].track, 1, "step {step}");
        let foot = objects[0].estimate.bottom();
        assert!((foot - 250.0).abs() < 6.0, "step {step}: {foot}");
    }
}

#[test]
fn who_is_hidden_while_the_camera_turns_is_found_again() {
    // It turns to and fro by half a height each way in four seconds; of five people who stand, one after
    // another is hidden for a second.
    let mut tracker = tracker();
    let mut numbers = std::collections::BTreeSet::new();
    for frame in 0..240_usize {
        let seconds = frame as f32 / 10.0;
        let turned = 50.0 * (seconds * std::f32::consts::TAU / 4.0).sin();
        let hidden = |row: usize| frame > 60 && frame / 25 % 5 == row && frame % 25 < 10;
        let detections: Vec<Detection> = (0..5)
            .filter(|&row| !hidden(row))
            .map(|row| person(300.0 + 130.0 * row as f32 + turned, 150.0 + 8.0 * row as f32))
            .collect();
        for object in tracker.update(UtcMicros(frame as i64 * 100_000), &detections) {
            numbers.insert(object.track);
        }
    }
    assert_eq!(numbers.len(), 5, "{numbers:?}");
}

#[test]
fn settings_out_of_range_do_not_panic() {
    let settings = TrackerSettings {
        high_score: f32::NAN,
        low_score: -3.0,
        keep_seconds: f64::INFINITY,
        keep_new_seconds: f64::NAN,
        max_detections: 0,
        ..TrackerSettings::default()
    };
    let mut tracker = Tracker::new(settings);
    assert_eq!(
        tracker
            .update(UtcMicros(0), &[person(1.0, 1.0), person(500.0, 1.0)])
            .len(),
        1
    );
}

fn any_detection() -> impl Strategy<Value = Detection> {
    let side = prop_oneof![-50.0_f32..1000.0, any::<f32>()];
    let class = prop_oneof![
        Just(ObjectClass::Person),
        Just(ObjectClass::Car),
        Just(ObjectClass::Truck)
    ];
    (
        class,
        prop_oneof![0.0_f32..1.0, any::<f32>()],
        side.clone(),
        side.clone(),
        side.clone(),
        side,
    )
        .prop_map(|(class, score, left, top, width, height)| Detection {
            class,
            score,
            bounding_box: BoundingBox {
                left,
                top,
                width,
                height,
            },
        })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        frames in prop::collection::vec((prop_oneof![0_i64..3_000_000, any::<i64>()], prop::collection::vec(any_detection(), 0..30)), 1..20)
    ) {
        let mut tracker = tracker();
        for (at, detections) in frames {
            let objects = tracker.update(UtcMicros(at), &detections);
            prop_assert!(objects.iter().all(|object| object.detection.bounding_box.is_sound()));
            prop_assert!(objects.windows(2).all(|pair| pair[0].track < pair[1].track));
        }
    }

    #[test]
    fn the_order_of_the_detections_and_a_restart_do_not_matter(
        frames in prop::collection::vec(prop::collection::vec((0.0_f32..600.0, 0.0_f32..400.0, 0.1_f32..1.0), 0..12), 1..15)
    ) {
        let (mut forwards, mut backwards) = (tracker(), tracker());
        for (index, places) in frames.into_iter().enumerate() {
            let mut detections: Vec<Detection> =
                places.into_iter().map(|(x, y, score)| Detection { score, ..person(x, y) }).collect();
            let at = UtcMicros(index as i64 * 200_000);
            let objects = forwards.update(at, &detections);
            detections.reverse();
            let mut bytes = Vec::new();
            ciborium::into_writer(&backwards, &mut bytes).unwrap();
            backwards = ciborium::from_reader(bytes.as_slice()).unwrap();
            prop_assert_eq!(objects, backwards.update(at, &detections));
            prop_assert_eq!(&forwards, &backwards);
        }
    }
}
