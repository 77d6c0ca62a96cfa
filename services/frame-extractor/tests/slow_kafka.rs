//! A Kafka that takes frames more slowly than live cameras give them: who gives way, in which order, and who is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mineseal_domain::{Analysis, CameraCode, MineCode};
use mineseal_embedded::{KafkaListener, KafkaNode, KafkaNodeSettings, free_port};
use mineseal_schemas::Frame;
use support::line::Line;
use support::rtsp::{LOGIN, Server, can_serve};
use support::{Extractor, World, camera, code, settings};

/// Counting cameras of the large mine.
const LARGE: std::ops::RangeInclusive<u32> = 1..=16;
/// Counting cameras of the small one.
const SMALL: std::ops::RangeInclusive<u32> = 17..=18;
/// Belts of the large mine.
const BELTS: std::ops::RangeInclusive<u32> = 19..=22;
/// Cameras of the large mine of which only the picture's health is watched.
const WATCHED: std::ops::RangeInclusive<u32> = 23..=30;
const ALL: std::ops::RangeInclusive<u32> = 1..=30;
const STEP_MICROS: i64 = 200_000;

fn small_mine() -> MineCode {
    "150602007867".parse().unwrap()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_micros() as i64
}

/// A broker of this test alone, and the line that the extractor reaches it by.
async fn slow_broker(folder: &Path) -> (KafkaNode, String, Line, String) {
    let cache = std::env::var_os("MINESEAL_CACHE").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        PathBuf::from,
    );
    let mut settings = KafkaNodeSettings::new(&cache, folder.join("kafka"));
    (settings.port, settings.controller_port) = (free_port().unwrap(), free_port().unwrap());
    settings.start_timeout = Duration::from_secs(600);
    let (port, advertised_port) = (free_port().unwrap(), free_port().unwrap());
    settings.more_listeners = vec![KafkaListener {
        port,
        advertised_port,
    }];
    let line = Line::start(advertised_port, port).await;
    let direct = format!("127.0.0.1:{}", settings.port);
    let node = KafkaNode::start(settings, |_| {}).await.unwrap();
    (node, direct, line, format!("127.0.0.1:{advertised_port}"))
}

/// Waits until something shows in the metrics.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn dropped(extractor: &Extractor, numbers: std::ops::RangeInclusive<u32>) -> f64 {
    numbers
        .map(|number| extractor.metric("frames_dropped_total", code(number).as_str()))
        .sum()
}

/// Frames of these cameras that were taken from `from` to `to`, as a part of five a second.
fn kept(frames: &[Frame], numbers: std::ops::RangeInclusive<u32>, (from, to): (i64, i64)) -> f64 {
    let cameras: Vec<CameraCode> = numbers.map(code).collect();
    let taken = frames
        .iter()
        .filter(|frame| (from..to).contains(&frame.captured_at.0) && cameras.contains(&frame.camera));
    let offered = cameras.len() as f64 * (to - from) as f64 / STEP_MICROS as f64;
    taken.count() as f64 / offered
}

#[tokio::test(flavor = "multi_thread")]
async fn health_gives_way_first_counting_last_and_every_frame_is_told() {
    if !can_serve() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (node, direct, line, through) = slow_broker(folder.path()).await;
    let world = World::at(direct).await;
    let port = free_port().unwrap();
    let server = Server::start(port, LOGIN);
    std::fs::write(world.path("gate"), format!("{}:{}\n", LOGIN[0], LOGIN[1])).unwrap();
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    settings.picture_width = 160;
    // Nothing stands still here, however late the broker answers.
    settings.stall_seconds = 30.0;
    let extractor = world.extractor_through(&through, settings);
    for number in ALL {
        let mut registered = camera(number, Path::new("x"), 5.0);
        registered.source = format!("rtsp://127.0.0.1:{port}/live");
        registered.credential = Some("gate".to_owned());
        registered.analyses = match number {
            number if BELTS.contains(&number) => vec![Analysis::BeltMotion],
            number if WATCHED.contains(&number) => Vec::new(),
            _ => vec![Analysis::PersonCrossing],
        };
        if SMALL.contains(&number) {
            registered.mine = small_mine();
        }
        world.register(&registered).await;
    }
    let wanted = ALL.count() as f64;
    let connected = || extractor.metric("camera_connected", "camera");
    until("all are read", || connected() >= wanted).await;

    // As much as there is, as soon as the broker keeps up: thirty openings together keep two cores busy.
    let begun = Instant::now();
    let (steady, full) = loop {
        let (from, given_up) = (now(), dropped(&extractor, ALL));
        let before = (line.carried(), Instant::now());
        tokio::time::sleep(Duration::from_secs(5)).await;
        if dropped(&extractor, ALL) == given_up {
            break (
                from,
                (line.carried() - before.0) as f64 / before.1.elapsed().as_secs_f64(),
            );
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the broker keeps up");
    };
    let dropped_of = |number: u32| extractor.metric("frames_dropped_total", code(number).as_str());
    let before: BTreeMap<u32, f64> = ALL.map(|number| (number, dropped_of(number))).collect();
    let since = |numbers: std::ops::RangeInclusive<u32>| -> f64 {
        numbers.map(|number| dropped_of(number) - before[&number]).sum()
    };

    // A little less than that: those of whom only the health is watched are enough.
    let mild = now();
    line.limit((full * 0.85) as u64);
    until("health gives way", || since(WATCHED) >= 100.0).await;
    assert_eq!(since(1..=22), 0.0, "nobody else gives way");
    let mild = (mild, now());

    // Half of what the counting cameras alone give.
    line.limit((full * 0.3) as u64);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let grave = now();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let grave = (grave, now());

    // And all again: what was taken until then comes, and then every camera once more.
    line.limit(0);
    let well = now();
    let mut frames: Vec<Frame> = world
        .collect(Duration::from_secs(120), |frames: &[Frame]| {
            let mut since = BTreeMap::new();
            for frame in frames.iter().filter(|frame| frame.captured_at.0 > well) {
                *since.entry(&frame.camera).or_insert(0) += 1;
            }
            since.len() == ALL.count() && since.values().all(|&count| count >= 25)
        })
        .await;
    let text = extractor.metrics.text();
    let lost: BTreeMap<CameraCode, f64> = ALL.map(|number| (code(number), since(number..=number))).collect();
    extractor.stop().await;
    drop(server);
    node.stop().await.unwrap();

    let parts = |window| [LARGE, SMALL, BELTS, WATCHED].map(|numbers| kept(&frames, numbers, window));
    println!("kept of the large mine, the small one, belts, health alone: {full:.0} bytes/s offered");
    println!(
        "at 0.85 of it {:.2?}, at 0.3 of it {:.2?}",
        parts(mild),
        parts(grave)
    );
    let [large, small, belts, watched] = parts(grave);
    // A frame of a belt may still find room where the line has just caught up.
    assert!(
        watched <= belts && belts * 4.0 < large,
        "{watched} {belts} {large}"
    );
    assert!(large > 0.0 && small > large * 1.2, "{large} {small}");
    for reason in ["pressure", "mine_share"] {
        assert!(text.contains(&format!("reason=\"{reason}\"")), "{reason}");
    }
    frames.retain(|frame| frame.captured_at.0 >= steady);
    // What is missing in the pictures' own times is what was counted as left out, to the frame.
    for (camera, frames) in support::once(&frames) {
        let mut missing = 0;
        for pair in frames.windows(2) {
            assert_eq!(pair[1].session, pair[0].session, "{camera} was opened anew");
            assert_eq!(pair[1].sequence, pair[0].sequence + 1, "{camera}");
            let step = pair[1].media_time_micros - pair[0].media_time_micros;
            missing += (step + STEP_MICROS / 2) / STEP_MICROS - 1;
        }
        assert_eq!(missing as f64, lost[&camera], "{camera}");
    }
}
