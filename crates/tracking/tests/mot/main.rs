#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
//! Tracks on MOTChallenge detections, scored against the ground truth of the sequences.

mod files;
mod metrics;

use std::path::{Path, PathBuf};

use files::{Frames, Row};
use metrics::{Scores, clean_up, score};
use mineseal_domain::{Detection, ObjectClass, UtcMicros};
use mineseal_tracking::{Tracker, TrackerSettings};

/// The folder with the MOTChallenge files, if it is there.
fn data() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/mot"));
    if !folder.is_dir() {
        println!("skipped: the MOTChallenge comparison needs ../shared/data/mot which is absent");
        return None;
    }
    Some(folder.to_owned())
}

fn track(detections: &Frames, last_frame: i64, frames_per_second: f64) -> Frames {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let mut results = Frames::new();
    for frame in 1..=last_frame {
        let rows = detections.get(&frame).map_or(&[][..], Vec::as_slice);
        let found: Vec<Detection> = rows
            .iter()
            .map(|row| Detection {
                class: ObjectClass::Person,
                score: row.confidence,
                bounding_box: row.bounding_box,
            })
            .collect();
        let at = UtcMicros((frame as f64 * 1e6 / frames_per_second) as i64);
        let objects = tracker.update(at, &found);
        let confirmed = objects
            .iter()
            .filter(|object| object.confirmed)
            .map(|object| Row {
                id: object.track,
                bounding_box: object.estimate,
                confidence: 1.0,
                class: 1,
            });
        results.insert(frame, confirmed.collect());
    }
    results
}

#[test]
fn the_metric_gives_the_published_figures_of_a_known_result_file() {
    let Some(folder) = data() else { return };
    let folder = folder.join("mot15/TUD-Campus");
    let scores = score(
        &files::read(&folder.join("gt.txt")),
        &files::read(&folder.join("cem.txt")),
    );
    assert_eq!(
        (scores.false_positives, scores.misses, scores.switches),
        (13, 150, 7)
    );
    assert!((scores.mota - 52.65).abs() < 0.01, "{scores:?}");
    assert!((scores.idf1 - 55.77).abs() < 0.01, "{scores:?}");
}

/// With the given detections: MOTA not below SORT's (Bewley's, its defaults), identity F1 not below that of SORT
/// with max_age 30, both scored by py-motmetrics.
#[test]
fn one_set_of_parameters_serves_every_sequence() {
    let Some(folder) = data() else { return };
    println!("| sequence | MOTA | SORT | IDF1 | SORT max_age 30 | FP | FN | IDSW |");
    for (name, detections, rate, least_mota, least_idf1) in [
        ("mot15/TUD-Campus", "det.txt", 25.0, 62.67, 71.73),
        ("mot17/MOT17-02", "det_frcnn.txt", 30.0, 32.04, 40.38),
        ("mot17/MOT17-05", "det_frcnn.txt", 14.0, 45.12, 56.28),
        ("mot17/MOT17-09", "det_frcnn.txt", 30.0, 53.03, 60.60),
    ] {
        let truth = files::read(&folder.join(name).join("gt.txt"));
        let detections = files::read(&folder.join(name).join(detections));
        let last = *truth.keys().last().unwrap();
        let results = track(&detections, last, rate);
        let scores = if name.starts_with("mot17") {
            let (truth, results) = clean_up(&truth, &results);
            score(&truth, &results)
        } else {
            score(&truth, &results)
        };
        let Scores {
            mota,
            idf1,
            false_positives,
            misses,
            switches,
        } = scores;
        println!(
            "| {name} | {mota:.2} | {least_mota} | {idf1:.2} | {least_idf1} | {false_positives} | {misses} | {switches} |"
        );
        assert!(mota >= least_mota, "{name}: MOTA {mota:.2} under {least_mota}");
        assert!(idf1 >= least_idf1, "{name}: IDF1 {idf1:.2} under {least_idf1}");
    }
}
