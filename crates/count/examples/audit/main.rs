//! Errors of the count in 100 crossings, with confidence intervals, as a Markdown table. In scenes the truth is
//! exact; in clips it is counted by hand.
//!
//! `audit [--scenes N] [--pictures N] [--date DATE --out FILE]`: N scenes with exact boxes and an eye that errs, N scenes
//! whose pictures are rendered and go through the product's own weights. The clips are read from `../shared` beside the
//! checkout, with the open weights there. FILE is what the console and the documents state (`mineseal_counting::StatedError`);
//! it is only written when everything could be counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../../tests/complaints/eye.rs"]
mod eye;
mod tally;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use eye::{Errors, Eye};
use mineseal_count::{CountSettings, count_video, parse_line};
use mineseal_counting::{CrossingCounter, CrossingRule, ErrorRow, RULE_VERSION, StatedError, past_the_edges};
use mineseal_detector::{Detector, DetectorSettings, PictureRef, YoloxDetector, own_weights};
use mineseal_domain::{Anchor, Direction, ObjectGroup, UtcMicros};
use mineseal_scene::{FrameTruth, RgbPicture, Scene, SceneKind, SceneScript};
use mineseal_tracking::{Tracker, TrackerSettings};
use tally::{Passed, Tally};

/// Pictures a second, as a camera of a mouth is sampled.
const RATE: f64 = 5.0;

/// Length of a scene.
const SECONDS: f64 = 40.0;

/// Seeds from here on are no scene's that the weights learnt from or were chosen by.
const FIRST_SEED: u64 = 7_000_000;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str, otherwise: u64| {
        let place = words.iter().position(|word| word == name);
        place.map_or(otherwise, |index| words[index + 1].parse().unwrap())
    };
    let text = |name: &str| {
        let place = words.iter().position(|word| word == name);
        place.map(|index| words[index + 1].clone())
    };
    let mut rows = Vec::new();
    let mut tell = |row: ErrorRow| {
        println!("{}", row.markdown());
        rows.push(row);
    };
    println!("| what is counted | crossings | missed | false | errors in 100 | 95 % interval |");
    println!("|---|---|---|---|---|---|");
    let scenes = number("--scenes", 60);
    let name = format!("{scenes} scenes of a shaft mouth, exact boxes through an eye that errs");
    let chinese = format!("{scenes} 个井口渲染场景，精确边框加模拟的漏检误检");
    let tally = over_scenes(scenes, &|| {
        let mut eye = None;
        Box::new(move |scene, index, truth| {
            let script = scene.script();
            if index == 0 {
                let size = (script.width as f32, script.height as f32);
                eye = Some(Eye::new(Errors::default(), size, script.seed));
            }
            eye.as_mut().unwrap().look(&truth.objects)
        })
    });
    tell(tally.row(&name, &chinese));
    let scenes = number("--pictures", 30);
    let weights = own_weights().unwrap();
    let name = format!("{scenes} scenes of a shaft mouth, rendered pictures through the product's weights");
    let chinese = format!("{scenes} 个井口渲染画面，随产品的权重");
    let tally = over_scenes(scenes, &|| {
        let mut detector = YoloxDetector::load(&weights, DetectorSettings::default()).unwrap();
        let mut picture = RgbPicture::default();
        Box::new(move |scene, index, _| {
            scene.render(index, &mut picture);
            let seen = PictureRef::Rgb {
                data: &picture.data,
                width: picture.width as usize,
                height: picture.height as usize,
            };
            detector.detect(&[seen]).unwrap().remove(0)
        })
    });
    tell(tally.row(&name, &chinese));
    let whole = clips(&mut tell);
    let (Some(out), Some(measured_on)) = (text("--out"), text("--date")) else {
        return;
    };
    if !whole {
        println!("{out} is left as it is: the clips could not be counted");
        return;
    }
    let detector = YoloxDetector::load(&weights, DetectorSettings::default()).unwrap();
    let stated = StatedError {
        measured_on,
        rule_version: RULE_VERSION,
        weights: detector.model().id.clone(),
        rows,
    };
    let json = serde_json::to_string_pretty(&stated).unwrap();
    std::fs::write(out, json + "\n").unwrap();
}

/// What is told of one picture of a scene.
type Look<'a> = Box<dyn FnMut(&Scene, u64, &FrameTruth) -> Vec<mineseal_domain::Detection> + 'a>;

/// Counts scenes, on all cores; the sum does not depend on who took which.
fn over_scenes(scenes: u64, look: &(dyn Fn() -> Look<'static> + Sync)) -> Tally {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let worker = || {
            let (mut tally, mut look) = (Tally::default(), look());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= scenes {
                    return tally;
                }
                tally.add(&one_scene(FIRST_SEED + number, &mut look));
            }
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let mut sum = Tally::default();
        for worker in workers {
            sum.add(&worker.join().unwrap());
        }
        sum
    })
}

fn one_scene(seed: u64, look: &mut Look<'_>) -> Tally {
    let mut script = SceneScript::random(SceneKind::ShaftMouth, seed, 640, 360, SECONDS);
    script.frames_per_second = RATE;
    let scene = Scene::new(script).unwrap();
    let Some(line) = scene.lines().first().cloned() else {
        return Tally::default();
    };
    let pixels = past_the_edges(line.line.scaled(640.0, 360.0), 640.0, 360.0);
    let mut counter = CrossingCounter::new(pixels, line.anchor, line.group, CrossingRule::default())
        .in_picture(640.0, 360.0);
    let mut tracker = Tracker::new(TrackerSettings::default());
    let (mut truth, mut counted) = (Vec::new(), Vec::new());
    for index in 0..scene.frame_count() {
        let real = scene.truth(index);
        let at = UtcMicros(real.media_time_micros);
        truth.extend(real.crossings.iter().map(|crossing| Passed {
            direction: crossing.direction,
            seconds: at.0 as f64 / 1e6,
        }));
        let objects = tracker.update(at, &look(&scene, index, &real));
        counted.extend(counter.update(at, index as i64, &objects));
    }
    counted.extend(counter.finish());
    let counted: Vec<Passed> = counted
        .iter()
        .map(|crossing| Passed {
            direction: crossing.direction,
            seconds: crossing.passed_at.0 as f64 / 1e6,
        })
        .collect();
    // Whoever crosses in the first or last two seconds may have done so for the most part before or after.
    Tally::of(&truth, &counted, 1.5, 2.0..SECONDS - 2.0)
}

/// Clips with crossings counted by hand: file, line, what is counted, anchor, pictures a second, and the names of
/// the crossings in each direction.
type Clip = (
    &'static str,
    &'static str,
    ObjectGroup,
    Anchor,
    f64,
    [&'static str; 2],
);

const CLIPS: [Clip; 3] = [
    (
        "video/vtest_480x360.mp4",
        "200,0,200,360",
        ObjectGroup::Person,
        Anchor::Foot,
        5.0,
        ["right_to_left", "left_to_right"],
    ),
    (
        "video/one-by-one-person-detection.mp4",
        "560,0,560,432",
        ObjectGroup::Person,
        Anchor::Centre,
        5.0,
        ["", "left_to_right"],
    ),
    (
        "video/bgslib_video03.avi",
        "0,150,320,150",
        ObjectGroup::Vehicle,
        Anchor::Centre,
        10.0,
        ["downwards", ""],
    ),
];

/// Whether they are there.
fn clips(tell: &mut impl FnMut(ErrorRow)) -> bool {
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let weights = shared.join("models/yolox_nano.safetensors");
    let counts = shared.join("data/counts.json");
    if !weights.is_file() || !counts.is_file() {
        println!("skipped: the clips need ../shared/data and ../shared/models which are absent");
        return false;
    }
    let counts: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(counts).unwrap()).unwrap();
    let mut sum = Tally::default();
    for (file, line, group, anchor, frames_per_second, names) in CLIPS {
        let facts = &counts[file];
        let clip_rate = facts["fps"].as_f64().unwrap();
        let mut truth = Vec::new();
        for (name, direction) in names.into_iter().zip([Direction::In, Direction::Out]) {
            let frames = facts[name].as_array().map_or(&[][..], Vec::as_slice);
            truth.extend(frames.iter().map(|frame| Passed {
                direction,
                seconds: frame.as_f64().unwrap() / clip_rate,
            }));
        }
        let settings = CountSettings {
            anchor,
            frames_per_second,
            ..CountSettings::new(
                shared.join("data").join(file),
                parse_line(line).unwrap(),
                group,
                weights.clone(),
            )
        };
        let mut counted = Vec::new();
        let told = |crossing: &mineseal_count::CrossingLine| {
            counted.push(Passed {
                direction: crossing.direction,
                seconds: crossing.frame as f64 / clip_rate,
            });
        };
        count_video(&settings, told, |_| {}).unwrap();
        // The hand count is good to eight frames.
        let tally = Tally::of(&truth, &counted, 8.0 / clip_rate, 0.0..f64::INFINITY);
        tell(tally.row(
            &format!("clip {file}, {frames_per_second} a second, open weights"),
            &format!("实拍视频 {file}，每秒 {frames_per_second} 帧，公开权重"),
        ));
        sum.add(&tally);
    }
    tell(sum.row("the clips together", "以上实拍视频合计"));
    true
}
