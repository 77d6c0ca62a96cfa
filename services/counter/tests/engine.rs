//! The counter with the real engine: what stands on the topics is, record for record, what the engine gives when it
//! is fed the same records without Kafka; also when the counter was stopped and restored on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use mineseal_bus::Bus;
use mineseal_counter::{CounterSettings, run};
use mineseal_domain::{BoundingBox, CameraCode, MineCode, ObjectClass};
use mineseal_engine::{InputPosition, MineEngine, MineRegistration, Output, decode_state};
use mineseal_schemas::{
    Activity, Alarm, Camera, CameraHealth, CounterState, Crossing, DetectedBox, Detections, EvidenceRequest,
    Headcount, Mine, Record,
};
use tokio_util::sync::CancellationToken;

const FRAMES_PER_WALK: i64 = 40;

fn registration(number: i64) -> MineRegistration {
    let code = mine(number);
    let cameras = (0..2).map(|camera| {
        let code: CameraCode = format!("1506020041999600786643{number}{camera}").parse().unwrap();
        (
            code.clone(),
            Camera {
                code,
                mine: mine(number),
                ..sample().camera
            },
        )
    });
    MineRegistration {
        mine: Mine {
            code,
            ..sample().mine
        },
        cameras: cameras.collect(),
    }
}

/// A person walks from left to right and the next one back, over the line in the middle, ten frames a second.
fn walk(registration: &MineRegistration, frames: std::ops::Range<i64>) -> Vec<Detections> {
    let mut inputs = Vec::new();
    for frame in frames {
        let step = frame % FRAMES_PER_WALK;
        let to_the_right = frame / FRAMES_PER_WALK % 3 != 2;
        let share = step as f32 / (FRAMES_PER_WALK - 10) as f32;
        let left = if to_the_right {
            80.0 + 440.0 * share
        } else {
            520.0 - 440.0 * share
        };
        let bounding_box = BoundingBox {
            left,
            top: 100.0,
            width: 48.0,
            height: 130.0,
        };
        let person = DetectedBox {
            class: ObjectClass::Person,
            score: 0.9,
            bounding_box,
        };
        for camera in registration.cameras.values() {
            let base = sample().detections;
            let captured_at = base.captured_at.plus_micros(frame * 100_000);
            inputs.push(Detections {
                camera: camera.code.clone(),
                mine: camera.mine.clone(),
                place: camera.place,
                sequence: frame,
                captured_at,
                published_at: captured_at.plus_micros(40_000),
                inferred_at: captured_at.plus_micros(90_000),
                // Between two walks the picture is empty.
                boxes: if step < FRAMES_PER_WALK - 10 {
                    vec![person]
                } else {
                    Vec::new()
                },
                ..base
            });
        }
    }
    inputs
}

async fn publish(bus: &Bus, inputs: &[Detections]) {
    let publisher = bus.publisher().unwrap();
    let mut deliveries = Vec::new();
    for input in inputs {
        deliveries.push(publisher.enqueue(input, Default::default()).await.unwrap());
    }
    for delivery in deliveries {
        delivery.acknowledged().await.unwrap();
    }
}

fn of_mine<R: Record + Clone>(records: &[R], mine: &MineCode) -> Vec<R> {
    records
        .iter()
        .filter(|record| record.key() == mine.as_str())
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topics_hold_what_a_replay_gives() {
    let bus = fresh_bus().await;
    let registrations: Vec<MineRegistration> = (0..3).map(registration).collect();
    let publisher = bus.publisher().unwrap();
    for registration in &registrations {
        publisher.publish(&registration.mine).await.unwrap();
        for camera in registration.cameras.values() {
            publisher.publish(camera).await.unwrap();
        }
    }
    // Parts of a walk: the state in the middle of a crossing has to survive.
    for part in [0..55, 55..233, 233..400] {
        for registration in &registrations {
            publish(&bus, &walk(registration, part.clone())).await;
        }
        let shutdown = CancellationToken::new();
        let counter_bus = Bus::connect(bus.settings().clone()).unwrap();
        let quick = CounterSettings {
            commit_interval: Duration::from_millis(10),
            max_records: 37,
            ..settings(None)
        };
        let counter = tokio::spawn(run(quick, counter_bus, shutdown.clone()));
        wait_until_counted(&bus, SOON).await;
        if part.start == 55 {
            // Its thread finds out that nobody waits for it, while the next counter starts already.
            counter.abort();
        } else {
            shutdown.cancel();
            counter.await.unwrap().unwrap();
        }
    }

    let mut expected: BTreeMap<MineCode, Vec<Output>> = BTreeMap::new();
    let mut engines: BTreeMap<MineCode, MineEngine> = BTreeMap::new();
    for (input, position) in read_all_placed::<Detections>(&bus).await {
        let of_input = registrations
            .iter()
            .find(|registered| registered.mine.code == input.mine)
            .unwrap();
        let engine = engines
            .entry(input.mine.clone())
            .or_insert_with(|| MineEngine::new(input.mine.clone()));
        let position = InputPosition {
            partition: position.0,
            offset: position.1,
        };
        let outputs = engine.step(of_input, &input, position);
        expected.entry(input.mine).or_default().extend(outputs);
    }

    let crossings = read_all::<Crossing>(&bus).await;
    let headcounts = read_all::<Headcount>(&bus).await;
    let activity = read_all::<Activity>(&bus).await;
    let alarms = read_all::<Alarm>(&bus).await;
    let health = read_all::<CameraHealth>(&bus).await;
    let mut requests = read_all::<EvidenceRequest>(&bus).await;
    let states: BTreeMap<MineCode, CounterState> = read_all::<CounterState>(&bus)
        .await
        .into_iter()
        .map(|state| (state.mine.clone(), state))
        .collect();
    println!(
        "{} crossings, {} headcounts, {} alarms, {} health reports, {} requests",
        crossings.len(),
        headcounts.len(),
        alarms.len(),
        health.len(),
        requests.len()
    );
    assert!(crossings.len() >= 3 * 2 * 8, "the people were not counted");
    let mut expected_requests = Vec::new();
    for (mine, outputs) in &expected {
        let (mut c, mut h, mut a, mut l, mut s) = (vec![], vec![], vec![], vec![], vec![]);
        for output in outputs.clone() {
            match output {
                Output::Crossing(record) => c.push(record),
                Output::Headcount(record) => h.push(record),
                Output::Activity(record) => a.push(record),
                Output::Alarm(record) => l.push(record),
                Output::CameraHealth(record) => s.push(record),
                Output::EvidenceRequest(record) => expected_requests.push(record),
                Output::Correction(record) => panic!("nobody ordered {record:?}"),
            }
        }
        assert_eq!(of_mine(&crossings, mine), c);
        assert_eq!(of_mine(&headcounts, mine), h);
        assert_eq!(of_mine(&activity, mine), a);
        assert_eq!(of_mine(&alarms, mine), l);
        assert_eq!(of_mine(&health, mine), s);
        assert_eq!(
            decode_state(&states[mine].state).unwrap(),
            engines[mine],
            "state of mine {mine}"
        );
        assert_eq!(
            states[mine].state,
            engines[mine].encode_state().unwrap(),
            "bytes of mine {mine}"
        );
    }
    // They lie in the order of their cameras.
    requests.sort_by_key(|request| request.id);
    expected_requests.sort_by_key(|request| request.id);
    assert_eq!(requests, expected_requests);
}
