//! What one frame costs after the detector: the wire, the engine, the mine's state, and the measures of a picture.
//!
//! `cargo bench -p mineseal-benches --bench engine`
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mineseal_domain::{BoundingBox, CameraCode, MineState, ObjectClass, Region};
use mineseal_engine::{InputPosition, MineEngine, MineRegistration, decode_state};
use mineseal_picture::{HealthMeter, LumaPlane};
use mineseal_schemas::samples::samples;
use mineseal_schemas::{DetectedBox, Detections, Frame, decode, encode};

const CAMERAS: u8 = 10;

fn code(camera: u8) -> CameraCode {
    format!("1506020041999600786643{camera:02}").parse().unwrap()
}

fn registration() -> MineRegistration {
    let samples = samples().unwrap();
    let cameras = (0..CAMERAS).map(|camera| {
        let camera = mineseal_schemas::Camera {
            code: code(camera),
            ..samples.camera.clone()
        };
        (camera.code.clone(), camera)
    });
    MineRegistration {
        mine: mineseal_schemas::Mine {
            state: MineState::Stopped,
            ..samples.mine.clone()
        },
        cameras: cameras.collect(),
    }
}

/// `people` who walk in rows, each at a pace of its own.
fn detections(camera: u8, sequence: i64, people: usize) -> Detections {
    let sample = samples().unwrap().detections;
    let boxes = (0..people).map(|person| {
        let pace = 2.0 + (person % 5) as f32;
        let left = (person as f32 * 57.0 + pace * sequence as f32) % 600.0;
        let top = 20.0 + (person / 10) as f32 * 60.0;
        let bounding_box = BoundingBox {
            left,
            top,
            width: 30.0,
            height: 80.0,
        };
        DetectedBox {
            class: ObjectClass::Person,
            score: 0.9,
            bounding_box,
        }
    });
    Detections {
        camera: code(camera),
        sequence,
        captured_at: sample.captured_at.plus_micros(sequence * 100_000),
        published_at: sample.published_at.plus_micros(sequence * 100_000),
        boxes: boxes.collect(),
        ..sample.clone()
    }
}

/// An engine that has seen ten seconds of all cameras, and the frames that come next.
fn warm_engine(people: usize) -> (MineEngine, MineRegistration, Vec<Detections>) {
    let registration = registration();
    let mut engine = MineEngine::new(registration.mine.code.clone());
    let position = InputPosition {
        partition: 0,
        offset: 0,
    };
    for sequence in 0..100 {
        for camera in 0..CAMERAS {
            engine.step(&registration, &detections(camera, sequence, people), position);
        }
    }
    let next = (0..CAMERAS)
        .map(|camera| detections(camera, 100, people))
        .collect();
    (engine, registration, next)
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    for people in [0, 3, 30] {
        let (engine, registration, next) = warm_engine(people);
        group.throughput(Throughput::Elements(next.len() as u64));
        group.bench_function(format!("step_10_cameras_{people}_people"), |bencher| {
            let position = InputPosition {
                partition: 0,
                offset: 1_000,
            };
            bencher.iter_batched_ref(
                || engine.clone(),
                |engine| {
                    for input in &next {
                        black_box(engine.step(&registration, input, position));
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    let (engine, ..) = warm_engine(3);
    let bytes = engine.encode_state().unwrap();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode_state_10_cameras", |bencher| {
        bencher.iter(|| engine.encode_state().unwrap())
    });
    group.bench_function("decode_state_10_cameras", |bencher| {
        bencher.iter(|| decode_state(&bytes).unwrap())
    });
    group.finish();
}

fn wire(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire");
    let frame = Frame {
        jpeg: (0..30_000_u32).map(|byte| (byte * 31 % 251) as u8).collect(),
        ..samples().unwrap().frame
    };
    let bytes = encode(&frame).unwrap();
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode_frame_30_kb", |bencher| {
        bencher.iter(|| encode(black_box(&frame)).unwrap())
    });
    group.bench_function("decode_frame_30_kb", |bencher| {
        bencher.iter(|| decode::<Frame>(black_box(&bytes)).unwrap());
    });
    let detections = detections(0, 0, 10);
    let bytes = encode(&detections).unwrap();
    group.bench_function("encode_detections_10_boxes", |bencher| {
        bencher.iter(|| encode(black_box(&detections)).unwrap());
    });
    group.bench_function("decode_detections_10_boxes", |bencher| {
        bencher.iter(|| decode::<Detections>(black_box(&bytes)).unwrap());
    });
    group.finish();
}

fn picture(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("picture");
    let regions: Vec<Region> = samples().unwrap().camera.regions;
    for (width, height) in [(640_usize, 360_usize), (1_920, 1_080)] {
        let plane = |shift: usize| -> Vec<u8> {
            (0..width * height)
                .map(|index| ((index + shift) * 7919 / 64 % 251) as u8)
                .collect()
        };
        let planes = [plane(0), plane(1_000)];
        let mut meter = HealthMeter::new(&regions);
        let mut turn = 0;
        group.bench_function(format!("measure_{width}x{height}"), |bencher| {
            bencher.iter(|| {
                turn ^= 1;
                meter.measure(&LumaPlane::new(width, height, width, &planes[turn]).unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, engine, wire, picture);
criterion_main!(benches);
