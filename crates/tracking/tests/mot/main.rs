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

/// What a tracker reached with the given detections, scored by py-motmetrics.
struct Anchor {
    mota: f64,
    idf1: f64,
    switches: usize,
}

/// A sequence with its detections, and what SORT (Bewley's; its defaults, and with max_age 30) reached there.
struct Sequence {
    name: &'static str,
    detections: &'static str,
    frames_per_second: f64,
    sort_mota: f64,
    sort_30: Anchor,
    /// The best that SORT, SORT with max_age 30 or ByteTrack (PyPI `trackers` 2.6.1) reached, each figure for
    /// itself.
    best: Anchor,
}

const SEQUENCES: [Sequence; 4] = [
    Sequence {
        name: "mot15/TUD-Campus",
        detections: "det.txt",
        frames_per_second: 25.0,
        sort_mota: 62.67,
        sort_30: anchor(63.51, 71.73, 2),
        best: anchor(63.51, 71.73, 2),
    },
    Sequence {
        name: "mot17/MOT17-02",
        detections: "det_frcnn.txt",
        frames_per_second: 30.0,
        sort_mota: 32.04,
        sort_30: anchor(32.15, 40.38, 60),
        best: anchor(32.52, 40.38, 60),
    },
    Sequence {
        name: "mot17/MOT17-05",
        detections: "det_frcnn.txt",
        frames_per_second: 14.0,
        sort_mota: 45.12,
        sort_30: anchor(45.38, 56.28, 36),
        best: anchor(48.95, 56.28, 36),
    },
    Sequence {
        name: "mot17/MOT17-09",
        detections: "det_frcnn.txt",
        frames_per_second: 30.0,
        sort_mota: 53.03,
        sort_30: anchor(53.58, 60.60, 16),
        best: anchor(54.89, 60.60, 16),
    },
];

const fn anchor(mota: f64, idf1: f64, switches: usize) -> Anchor {
    Anchor { mota, idf1, switches }
}

/// The bars, with the given detections: MOTA not below SORT's, identity F1 not below that of SORT with max_age 30
/// less 0.5, at most 1.1 times as many switches. Above them is counted in how many cells the best of the others
/// is reached, which is all of them today; a fall below ten is looked into before it is accepted.
#[test]
fn one_set_of_parameters_serves_every_sequence() {
    let Some(folder) = data() else { return };
    println!("| sequence | MOTA | best | IDF1 | best | FP | FN | IDSW | best |");
    let mut cells = 0;
    for sequence in &SEQUENCES {
        let name = sequence.name;
        let truth = files::read(&folder.join(name).join("gt.txt"));
        let detections = files::read(&folder.join(name).join(sequence.detections));
        let last = *truth.keys().last().unwrap();
        let results = track(&detections, last, sequence.frames_per_second);
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
        let best = &sequence.best;
        println!(
            "| {name} | {mota:.2} | {} | {idf1:.2} | {} | {false_positives} | {misses} | {switches} | {} |",
            best.mota, best.idf1, best.switches
        );
        for reached in [mota >= best.mota, idf1 >= best.idf1, switches <= best.switches] {
            cells += usize::from(reached);
        }
        let least_idf1 = sequence.sort_30.idf1 - 0.5;
        assert!(
            mota >= sequence.sort_mota,
            "{name}: MOTA {mota:.2} under {}",
            sequence.sort_mota
        );
        assert!(idf1 >= least_idf1, "{name}: IDF1 {idf1:.2} under {least_idf1}");
        assert!(
            switches * 10 <= sequence.sort_30.switches * 11,
            "{name}: {switches} switches, over 1.1 x {}",
            sequence.sort_30.switches
        );
    }
    println!("{cells} of 12 cells reach the best of the others");
    assert!(cells >= 10, "{cells} of 12 cells");
}
