#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
//! Real videos against crossings counted by hand.

use std::path::PathBuf;

use mineseal_count::{CountSettings, CrossingLine, Summary, count_video, parse_line};
use mineseal_domain::{Anchor, Direction, ObjectGroup};
use mineseal_video::{OpenSettings, Source, VideoReader};
use serde_json::Value;

/// Frames by which a crossing may differ from the hand count.
const TOLERANCE: i64 = 8;

struct Golden {
    video: PathBuf,
    weights: PathBuf,
    /// Direction and frame of each crossing.
    truth: Vec<(Direction, i64)>,
}

/// The video, the weights and the hand count, if they are there.
fn golden(name: &str, directions: &[(&str, Direction)]) -> Option<Golden> {
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let (data, weights) = (shared.join("data"), shared.join("models/yolox_nano.safetensors"));
    let video = data.join(name);
    for file in [&video, &weights] {
        if !file.is_file() {
            println!(
                "skipped: counting {name} needs ../shared/{} which is absent",
                file.strip_prefix(&shared).unwrap().display()
            );
            return None;
        }
    }
    let counts: Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("counts.json")).unwrap()).unwrap();
    let truth = directions
        .iter()
        .flat_map(|&(key, direction)| {
            let frames = counts[name][key].as_array().unwrap().clone();
            frames
                .into_iter()
                .map(move |frame| (direction, frame.as_i64().unwrap()))
        })
        .collect();
    Some(Golden {
        video,
        weights,
        truth,
    })
}

/// Counts, prints a row of the table, and returns true positives, false positives, misses.
fn compare(name: &str, settings: &CountSettings, truth: &[(Direction, i64)]) -> (usize, usize, usize) {
    let mut crossings = Vec::new();
    let summary = count_video(settings, |crossing| crossings.push(crossing.clone()), |_| {}).unwrap();
    let counted = |direction| {
        crossings
            .iter()
            .filter(|crossing| crossing.direction == direction)
            .count() as i64
    };
    assert_eq!(
        (summary.entered, summary.left),
        (counted(Direction::In), counted(Direction::Out))
    );
    let mut open = truth.to_vec();
    let mut false_positives: Vec<&CrossingLine> = Vec::new();
    for crossing in &crossings {
        let distance = |entry: &(Direction, i64)| (entry.1 - crossing.frame).abs();
        let nearest = (0..open.len())
            .filter(|&index| open[index].0 == crossing.direction && distance(&open[index]) <= TOLERANCE)
            .min_by_key(|&index| distance(&open[index]));
        match nearest {
            Some(index) => {
                open.remove(index);
            }
            None => false_positives.push(crossing),
        }
    }
    let Summary {
        entered,
        left,
        frames,
        seconds_of_video,
        wall_seconds,
    } = summary;
    let hits = truth.len() - open.len();
    println!("| video | fps | in | out | TP | FP | FN | frames | seconds | wall seconds |");
    println!(
        "| {name} | {} | {entered} | {left} | {hits} | {} | {} | {frames} | {seconds_of_video} | {wall_seconds} |",
        settings.frames_per_second,
        false_positives.len(),
        open.len()
    );
    println!("false positives {false_positives:?}, missed {open:?}");
    (hits, false_positives.len(), open.len())
}

#[test]
fn people_on_a_road_crossing_at_five_frames_a_second() {
    let name = "video/vtest_480x360.mp4";
    let directions = [
        ("right_to_left", Direction::In),
        ("left_to_right", Direction::Out),
    ];
    let Some(golden) = golden(name, &directions) else {
        return;
    };
    let line = parse_line("200,0,200,360").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let drawn = folder.path().join("drawn.mp4");
    let settings = CountSettings {
        frames_per_second: 5.0,
        draw: Some(drawn.clone()),
        ..CountSettings::new(golden.video, line, ObjectGroup::Person, golden.weights)
    };
    assert_eq!(compare(name, &settings, &golden.truth), (32, 0, 0));

    let mut reader = VideoReader::open(&Source::File(drawn), &OpenSettings::default()).unwrap();
    assert_eq!((reader.facts().width, reader.facts().height), (480, 360));
    let mut pictures = 0;
    while reader.next().unwrap().is_some() {
        pictures += 1;
    }
    assert_eq!(pictures, 398, "every sampled frame is drawn");
}

#[test]
fn one_person_after_another() {
    let name = "video/one-by-one-person-detection.mp4";
    let Some(golden) = golden(name, &[("left_to_right", Direction::Out)]) else {
        return;
    };
    let line = parse_line("560,0,560,432").unwrap();
    let settings = CountSettings {
        anchor: Anchor::Centre,
        frames_per_second: 5.0,
        ..CountSettings::new(golden.video, line, ObjectGroup::Person, golden.weights)
    };
    assert_eq!(compare(name, &settings, &golden.truth), (6, 0, 0));
}

#[test]
fn vehicles_on_a_road_at_ten_frames_a_second() {
    let name = "video/bgslib_video03.avi";
    let Some(golden) = golden(name, &[("downwards", Direction::In)]) else {
        return;
    };
    let line = parse_line("0,150,320,150").unwrap();
    let settings = CountSettings::new(golden.video, line, ObjectGroup::Vehicle, golden.weights);
    assert_eq!(compare(name, &settings, &golden.truth), (27, 0, 0));
}

#[test]
fn faults_are_named() {
    let name = "video/vtest_480x360.mp4";
    let Some(golden) = golden(name, &[]) else { return };
    let line = parse_line("200,0,200,361").unwrap();
    let good = CountSettings::new(golden.video, line, ObjectGroup::Person, golden.weights);
    let fault = |settings: &CountSettings| count_video(settings, |_| {}, |_| {}).unwrap_err().to_string();
    assert!(
        fault(&good).contains("X2,Y2 = 200,361 lies outside the picture of 480x360"),
        "{}",
        fault(&good)
    );
    let inside = CountSettings {
        line: parse_line("200,0,200,360").unwrap(),
        ..good
    };
    let absent = CountSettings {
        video: "no/such/video.mp4".into(),
        ..inside.clone()
    };
    assert!(fault(&absent).contains("no/such/video.mp4"), "{}", fault(&absent));
    let absent = CountSettings {
        weights: "no/such/weights.safetensors".into(),
        ..inside.clone()
    };
    assert!(
        fault(&absent).contains("no/such/weights.safetensors"),
        "{}",
        fault(&absent)
    );
    let never = CountSettings {
        frames_per_second: 0.0,
        ..inside
    };
    assert!(!fault(&never).is_empty());
}
