//! Tracker and counter: camera frames a second on one core, ten boxes in each frame; what a camera's state takes
//! over a million frames.
//!
//! `MINESEAL_BENCH_WORKLOAD=FILE` writes the frames as MOTChallenge detections, for the comparison with other
//! trackers (`make bench-tracker`).

use std::hint::black_box;
use std::io::Write as _;

use criterion::{BatchSize, Criterion, Throughput, criterion_group};
use mineseal_counting::{CrossingCounter, CrossingRule};
use mineseal_domain::{Anchor, BoundingBox, Detection, Line, ObjectClass, ObjectGroup, Point, UtcMicros};
use mineseal_tracking::{TrackedObject, Tracker, TrackerSettings};

const PEOPLE: usize = 10;
/// Ten seconds at 10 frames a second.
const FRAMES: usize = 100;

/// People who walk to and fro over the picture in rows, some hidden now and then, some with low scores.
fn frames() -> Vec<(UtcMicros, Vec<Detection>)> {
    let person = |frame: usize, number: usize| {
        let phase = (frame * (3 + number % 4) + number * 97) % 800;
        let x = if phase < 400 { phase } else { 800 - phase } as f32 + 100.0;
        let bounding_box = BoundingBox {
            left: x,
            top: 40.0 + 28.0 * number as f32,
            width: 24.0,
            height: 60.0,
        };
        let score = 0.3 + ((frame * 31 + number * 17) % 60) as f32 / 100.0;
        Detection {
            class: ObjectClass::Person,
            score,
            bounding_box,
        }
    };
    let hidden = |frame: usize, number: usize| (frame + number * 13) % 40 < 3;
    (0..FRAMES)
        .map(|frame| {
            let seen = (0..PEOPLE).filter(|&number| !hidden(frame, number));
            (
                UtcMicros(frame as i64 * 100_000),
                seen.map(|number| person(frame, number)).collect(),
            )
        })
        .collect()
}

fn counter() -> CrossingCounter {
    let line = Line {
        from: Point { x: 300.0, y: 0.0 },
        to: Point { x: 300.0, y: 360.0 },
    };
    CrossingCounter::new(line, Anchor::Foot, ObjectGroup::Person, CrossingRule::default())
}

fn camera_frames(criterion: &mut Criterion) {
    let frames = frames();
    let mut group = criterion.benchmark_group("ten people, 100 camera frames");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("tracker", |bencher| {
        bencher.iter_batched_ref(
            || Tracker::new(TrackerSettings::default()),
            |tracker| {
                for (at, detections) in &frames {
                    black_box(tracker.update(*at, detections));
                }
            },
            BatchSize::SmallInput,
        );
    });
    let mut tracker = Tracker::new(TrackerSettings::default());
    let tracked: Vec<(UtcMicros, Vec<TrackedObject>)> = frames
        .iter()
        .map(|(at, detections)| (*at, tracker.update(*at, detections)))
        .collect();
    group.bench_function("counter", |bencher| {
        bencher.iter_batched_ref(
            counter,
            |counter| {
                for (sequence, (at, objects)) in tracked.iter().enumerate() {
                    black_box(counter.update(*at, sequence as i64, objects));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("tracker and counter", |bencher| {
        bencher.iter_batched_ref(
            || (Tracker::new(TrackerSettings::default()), counter()),
            |(tracker, counter)| {
                for (sequence, (at, detections)) in frames.iter().enumerate() {
                    let objects = tracker.update(*at, detections);
                    black_box(counter.update(*at, sequence as i64, &objects));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Resident memory of this process in kilobytes, where the system tells.
fn resident_kilobytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Prints what the process holds while one camera's state follows a million frames without end.
fn memory_over_a_million_frames() -> std::io::Result<()> {
    let frames = frames();
    let mut state = (Tracker::new(TrackerSettings::default()), counter());
    let mut crossings = 0;
    let mut output = std::io::stdout().lock();
    for number in 0..=1_000_000_usize {
        let at = UtcMicros(number as i64 * 100_000);
        let objects = state.0.update(at, &frames[number % FRAMES].1);
        crossings += state.1.update(at, number as i64, &objects).len();
        if number % 200_000 == 0 {
            let resident = resident_kilobytes().map_or("?".to_owned(), |kilobytes| kilobytes.to_string());
            writeln!(
                output,
                "{number} frames, {crossings} crossings: {resident} kB resident"
            )?;
        }
    }
    Ok(())
}

fn write_workload(path: &std::ffi::OsStr) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for (index, (_, detections)) in frames().iter().enumerate() {
        for Detection {
            score,
            bounding_box: seen,
            ..
        } in detections
        {
            let (left, top, width, height) = (seen.left, seen.top, seen.width, seen.height);
            writeln!(file, "{},-1,{left},{top},{width},{height},{score}", index + 1)?;
        }
    }
    file.flush()
}

criterion_group!(benches, camera_frames);

fn main() -> std::io::Result<()> {
    if let Some(path) = std::env::var_os("MINESEAL_BENCH_WORKLOAD") {
        write_workload(&path)?;
    }
    // Not where the benches are only tried out, as `cargo test` does.
    if std::env::args().any(|argument| argument == "--bench") {
        memory_over_a_million_frames()?;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    Ok(())
}
