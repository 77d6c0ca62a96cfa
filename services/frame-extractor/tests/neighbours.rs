//! Many live cameras in one extractor, a third of them at fault in turn: the others lose no frame.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::path::Path;
use std::time::Duration;

use mineseal_embedded::free_port;
use mineseal_schemas::Frame;
use mineseal_telemetry::Metrics;
use support::rtsp::{LOGIN, Server, can_serve};
use support::{World, camera, code, once, settings};

/// Threads and open descriptors of this process.
fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// What the extractor itself counted of a camera: frames it published, those that it left out by what gave way, damaged
/// ones, faults. Says whether a missing frame was lost here or never came.
fn counted(metrics: &Metrics, number: u32) -> String {
    let of_camera = format!("camera=\"{}\"", code(number).as_str());
    let text = metrics.text();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(&of_camera) && !line.contains("clock"))
        .collect();
    let dropped = if lines.iter().any(|line| line.contains("frames_dropped")) {
        ""
    } else {
        "; frames_dropped: none, for no reason"
    };
    format!("the extractor counted: {}{dropped}", lines.join("; "))
}

/// How many sessions these frames of one camera have.
fn sessions(frames: &[Frame]) -> usize {
    let changes = frames
        .windows(2)
        .filter(|pair| pair[0].session != pair[1].session);
    changes.count() + usize::from(!frames.is_empty())
}

/// `healthy` cameras on a server that lives, `faulty` ones on a server that dies, comes back, stands still and goes on,
/// in turns, for `rounds` of some fourteen seconds.
async fn neighbours(healthy: u32, faulty: u32, rounds: u32) {
    if !can_serve() {
        return;
    }
    let world = World::new().await;
    std::fs::write(world.path("gate"), format!("{}:{}\n", LOGIN[0], LOGIN[1])).unwrap();
    let good = free_port().unwrap();
    let living = Server::start(good, LOGIN);
    let bad = free_port().unwrap();
    let mut dying = Server::start(bad, LOGIN);
    for number in 1..=healthy + faulty {
        let port = if number <= healthy { good } else { bad };
        let mut registered = camera(number, Path::new("x"), 5.0);
        registered.source = format!("rtsp://127.0.0.1:{port}/live");
        registered.credential = Some("gate".to_owned());
        world.register(&registered).await;
    }
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    settings.picture_width = 160;
    let extractor = world.extractor(settings);
    let all = (healthy + faulty) as usize;
    let each_has = |frames: &[Frame], least: usize| {
        let by_camera = once(frames);
        by_camera.len() == all && by_camera.values().all(|frames| frames.len() >= least)
    };
    world
        .collect(Duration::from_secs(120), |frames: &[Frame]| each_has(frames, 5))
        .await;
    let before = held();
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(dying);
        tokio::time::sleep(Duration::from_secs(2)).await;
        dying = Server::start(bad, LOGIN);
        tokio::time::sleep(Duration::from_secs(3)).await;
        dying.signal("-STOP");
        // Twice the deadline: what was on its way counts as life.
        tokio::time::sleep(Duration::from_secs(6)).await;
        dying.signal("-CONT");
    }
    // Each death ends every session. Standing still ends those whose reader had nothing left to read for long enough;
    // `mineseal-video`'s `rtsp` tests hold when that is noticed.
    let least = rounds as usize + 1;
    let frames = world
        .collect(Duration::from_secs(60), |frames: &[Frame]| {
            let seen = once(frames);
            let number_of = |frame: &Frame| frame.camera.as_str()[16..].parse::<u32>().unwrap();
            seen.len() == all
                && seen
                    .values()
                    .all(|frames| number_of(&frames[0]) <= healthy || sessions(frames) >= least)
        })
        .await;
    let after = held();
    let metrics = extractor.metrics.clone();
    extractor.stop().await;
    drop(living);
    let (mut openings, mut kept) = (0, 0);
    for (number, frames) in (1..).zip(once(&frames).into_values()) {
        if number > healthy {
            let opened = sessions(&frames);
            assert!(opened >= least, "camera {number} was opened {opened} times");
            openings += opened;
            continue;
        }
        let opened = sessions(&frames);
        assert_eq!(opened, 1, "camera {number}; {}", counted(&metrics, number));
        assert_eq!(frames[0].sequence, 0, "camera {number}");
        // Who joins a stream in the middle of a picture gets its rest, and that is marked.
        let damaged = frames.iter().skip(1).filter(|frame| frame.corrupt);
        let damaged: Vec<i64> = damaged.map(|frame| frame.sequence).collect();
        assert!(
            damaged.is_empty(),
            "camera {number}: frames {damaged:?} are damaged; {}",
            counted(&metrics, number)
        );
        for pair in frames.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1, "camera {number}");
            let step = pair[1].media_time_micros - pair[0].media_time_micros;
            assert!(
                (160_000..=240_000).contains(&step),
                "camera {number}: {step} µs at frame {}; {}",
                pair[1].sequence,
                counted(&metrics, number)
            );
        }
        kept += frames.len();
    }
    println!(
        "{kept} frames of {healthy} healthy cameras, none lost; {openings} openings of {faulty} faulty cameras; \
         threads and descriptors {before:?} before, {after:?} after"
    );
    let room = faulty as usize + 8;
    assert!(
        after.0 <= before.0 + room && after.1 <= before.1 + room,
        "{before:?} {after:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_cameras_lose_no_frame_beside_faulty_ones() {
    neighbours(8, 4, 1).await;
}

/// `make long-cameras`: 64 cameras for ten minutes, or for `LONG_CAMERAS_ROUNDS` rounds of thirteen seconds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes more than ten minutes"]
async fn sixty_four_cameras_for_ten_minutes() {
    let rounds = std::env::var("LONG_CAMERAS_ROUNDS").map_or(45, |rounds| rounds.parse().unwrap());
    neighbours(43, 21, rounds).await;
}
