//! The same recorded input gives the same bytes: again, on more threads, in other batches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use mineseal_counter::replay::{json, record, replay_file};
use mineseal_domain::{BoundingBox, CameraCode, MineCode, MineState, ObjectClass};
use mineseal_schemas::samples::samples;
use mineseal_schemas::{Camera, Correction, DetectedBox, Detections, Mine};

const MINES: i64 = 5;

fn mine(number: i64) -> MineCode {
    format!("1506020078{number:02}").parse().unwrap()
}

fn camera(number: i64) -> CameraCode {
    format!("15060200419996007866{number:04}").parse().unwrap()
}

/// Five mines, in each somebody who walks to and fro, all frames mixed; one of them is corrected, one is nobody's.
fn recorded() -> Vec<u8> {
    let sample = samples().unwrap();
    let mut file = Vec::new();
    for number in 0..MINES {
        let mine_record = Mine {
            code: mine(number),
            state: if number == 1 {
                MineState::Producing
            } else {
                MineState::Stopped
            },
            ..sample.mine.clone()
        };
        record(&mut file, &mine_record, None).unwrap();
        let camera_record = Camera {
            code: camera(number),
            mine: mine(number),
            ..sample.camera.clone()
        };
        record(&mut file, &camera_record, None).unwrap();
    }
    let correction = Correction {
        mine: mine(2),
        people: 30,
        at: sample.detections.captured_at.plus_micros(20_000_000),
        outcome: None,
        ..sample.correction.clone()
    };
    record(&mut file, &correction, None).unwrap();
    for frame in 0..400 {
        for number in 0..=MINES {
            let step = (frame * (number + 3) / 3) % 80;
            let to_and_fro = if step < 40 { step } else { 80 - step };
            let captured_at = sample.detections.captured_at.plus_micros(frame * 100_000);
            let detections = Detections {
                mine: mine(number),
                camera: camera(number),
                sequence: frame,
                captured_at,
                published_at: captured_at.plus_micros(40_000),
                boxes: vec![DetectedBox {
                    class: ObjectClass::Person,
                    score: 0.9,
                    bounding_box: BoundingBox {
                        left: 100.0 + 10.7 * to_and_fro as f32,
                        top: 100.0,
                        width: 48.0,
                        height: 130.0,
                    },
                }],
                ..sample.detections.clone()
            };
            record(&mut file, &detections, Some((number as i32 % 3, frame))).unwrap();
        }
    }
    file
}

fn replayed(file: &[u8], batch: usize, threads: usize) -> String {
    let mut lines = String::new();
    let read = replay_file(file, batch, threads, |output| {
        lines.push_str(&json(output)?);
        lines.push('\n');
        Ok(())
    })
    .unwrap();
    assert_eq!(read, 400 * (MINES as u64 + 1));
    lines
}

#[test]
fn the_same_input_gives_the_same_bytes_on_any_threads_and_in_any_batches() {
    let file = recorded();
    let first = replayed(&file, 1, 1);
    let crossings = first.matches("\"kind\":\"crossing\"").count();
    assert!(crossings >= 40, "{crossings} crossings prove little");
    assert_eq!(
        first.matches("\"applied\":true").count(),
        1,
        "the correction is applied"
    );
    for (batch, threads) in [(1, 1), (7, 1), (100_000, 1), (97, 2), (1_000, 3), (100_000, 16)] {
        assert!(
            replayed(&file, batch, threads) == first,
            "batches of {batch} on {threads} threads give something else"
        );
    }
    // A correction in it changes what comes out: the comparison is not of constants.
    let text = String::from_utf8(file).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.contains("\"corrections\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(replayed(without.as_bytes(), 1_000, 2), first);
}

#[test]
fn records_may_be_written_by_hand() {
    let sample = samples().unwrap();
    let line = |topic: &str, value: serde_json::Value| {
        serde_json::json!({"topic": topic, "partition": 3, "offset": 7, "value": value}).to_string() + "\n"
    };
    let mut file = line("mines", serde_json::to_value(&sample.mine).unwrap());
    file += &line("cameras", serde_json::to_value(&sample.camera).unwrap());
    file += &line("detections", serde_json::to_value(&sample.detections).unwrap());
    let mut outputs = Vec::new();
    replay_file(file.as_bytes(), 10, 1, |output| {
        outputs.push(json(output)?);
        Ok(())
    })
    .unwrap();
    let headcount = outputs
        .iter()
        .find(|line| line.contains("\"kind\":\"headcount\""))
        .unwrap();
    assert!(headcount.contains("\"partition\":3,\"offset\":7"), "{headcount}");
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let mut file = recorded();
    let lines = file.iter().filter(|&&byte| byte == b'\n').count();
    file.extend_from_slice(b"{\"topic\":\"detections\",\"value\":\"AAAA\"}\n");
    let error = replay_file(&file[..], 10, 1, |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains(&format!("line {}", lines + 1)), "{error}");
    let error = replay_file(&b"{\"topic\":\"alarms\",\"value\":\"\"}"[..], 10, 1, |_| Ok(()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("alarms are no input"), "{error}");
}
