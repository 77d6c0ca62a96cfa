//! Files become frames: all of them, in order, once, whatever happens to the extractor.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mineseal_domain::{Analysis, MineState, Point, Region, UtcMicros};
use mineseal_schemas::{Frame, Mine};
use support::{World, assert_whole, camera, code, mine, once, settings, write_clip};

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_arrives_whole_and_is_not_played_again() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 80, 10.0);
    let mut registered = camera(1, &clip, 5.0);
    let corner = |x, y| Point { x, y };
    let corners = vec![
        corner(0.1, 0.1),
        corner(0.9, 0.1),
        corner(0.9, 0.9),
        corner(0.1, 0.9),
    ];
    registered.regions = vec![Region {
        name: "belt".to_owned(),
        corners,
    }];
    registered.analyses = vec![Analysis::BeltMotion];
    world.register(&registered).await;
    let extractor = world.extractor(settings(true));
    let frames = world.frames(30, 40).await;
    assert_whole(&frames, 40, 200_000, 2);
    for frame in &frames {
        assert_eq!((frame.camera.clone(), frame.mine.clone()), (code(1), mine()));
        assert_eq!(
            (frame.width, frame.height, frame.source_width, frame.source_height),
            (320, 240, 320, 240)
        );
        assert!(!frame.detect && !frame.corrupt);
        assert_eq!(frame.health.regions[0].region, "belt");
        assert_eq!(frame.health.change < 0.0, frame.sequence == 0);
    }
    assert_eq!(frames[0].session.get_version_num(), 7);
    extractor.stop().await;

    // A new extractor, a longer file under the same name: only what comes after the last frame is played.
    let extractor = world.extractor(settings(true));
    let again = world.frames(4, 41).await;
    assert_eq!(again.len(), 40, "a finished file is not played again");
    extractor.stop().await;
    write_clip(&clip, 90, 10.0);
    let extractor = world.extractor(settings(true));
    assert_whole(&world.frames(30, 45).await, 45, 200_000, 2);
    extractor.stop().await;

    // Another source under the same camera begins a new session.
    let other = world.path("other.mkv");
    write_clip(&other, 10, 10.0);
    registered.source = other.to_str().unwrap().to_owned();
    world.register(&registered).await;
    let extractor = world.extractor(settings(true));
    let frames = world.frames(30, 50).await;
    assert_eq!(frames.len(), 50);
    assert!(frames[45].session > frames[0].session);
    assert_whole(&frames[45..], 5, 200_000, 2);
    extractor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_plays_in_real_time_and_repeats_without_a_seam() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 10, 10.0);
    let mut registered = camera(1, &clip, 10.0);
    registered.repeat = true;
    world.register(&registered).await;
    let extractor = world.extractor(settings(false));
    let first = world.frames(30, 1).await.remove(0);
    let begun = Instant::now();
    let frames = world.frames(30, 36).await;
    let lasted = begun.elapsed();
    extractor.stop().await;
    assert!(
        (Duration::from_millis(2500)..Duration::from_secs(8)).contains(&lasted),
        "{lasted:?}"
    );
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(frame.media_time_micros, at as i64 * 100_000);
        assert_eq!((frame.session, frame.sequence), (first.session, at as i64));
    }
    let published = frames[35].published_at.seconds_since(frames[0].published_at);
    assert!(
        (3.3..3.9).contains(&published),
        "35 frames of 10 a second in {published} s"
    );

    // In the middle of a later pass it goes on as in the first.
    let extractor = world.extractor(settings(true));
    let frames = world.frames(30, 100).await;
    extractor.stop().await;
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(
            (frame.sequence, frame.media_time_micros),
            (at as i64, at as i64 * 100_000)
        );
        assert_eq!(
            frame.captured_at.micros_since(first.captured_at),
            at as i64 * 100_000
        );
    }
}

struct Killed(Child);

impl Killed {
    fn start(world: &World) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_mineseal-frame-extractor"))
            .env("KAFKA_BROKERS", &world.brokers)
            .env("MINESEAL_KAFKA__TOPIC_PREFIX", &world.prefix)
            .env("MINESEAL_TELEMETRY__LISTEN", "127.0.0.1:0")
            .env("MINESEAL_EVIDENCE__LOCATION", world.path("evidence"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_play_it_goes_on_without_gap_or_double() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 300, 25.0);
    world.register(&camera(1, &clip, 25.0)).await;
    for count in [20, 60, 90, 140] {
        let killed = Killed::start(&world);
        let frames = world.frames(60, count).await;
        assert!(
            frames.len() >= count && frames.len() < 300,
            "{} of {count}",
            frames.len()
        );
        drop(killed);
    }
    let last = Killed::start(&world);
    let frames = world
        .collect(Duration::from_secs(60), |frames: &[Frame]| {
            frames.last().is_some_and(|frame| frame.sequence >= 299)
        })
        .await;
    drop(last);
    println!("{} records for 300 frames", frames.len());
    assert_whole(&once(&frames)[&code(1)], 300, 40_000, 1);
    // What came twice is the same frame but for the time of publishing.
    for frame in &frames {
        let first = frames
            .iter()
            .find(|first| first.sequence == frame.sequence)
            .unwrap();
        assert_eq!(
            (first.session, first.captured_at),
            (frame.session, frame.captured_at)
        );
        assert_eq!(first.jpeg, frame.jpeg);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_extractors_share_the_cameras_and_take_over() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 600, 10.0);
    for number in 1..=6 {
        world.register(&camera(number, &clip, 10.0)).await;
    }
    let first = world.extractor(settings(false));
    let all_six = |frames: &[Frame]| once(frames).len() == 6;
    assert_eq!(
        once(&world.collect(Duration::from_secs(30), all_six).await).len(),
        6
    );
    let second = world.extractor(settings(false));
    let connected = |metrics: &mineseal_telemetry::Metrics| {
        metrics
            .text()
            .lines()
            .filter(|line| line.contains("camera_connected{") && line.ends_with(" 1.0"))
            .count()
    };
    let begun = Instant::now();
    while connected(&second.metrics) == 0 || connected(&first.metrics) + connected(&second.metrics) != 6 {
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "{}",
            second.metrics.text()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    first.stop().await;
    while connected(&second.metrics) != 6 {
        assert!(
            begun.elapsed() < Duration::from_secs(80),
            "{}",
            second.metrics.text()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let at_takeover = once(&world.frames(2, usize::MAX).await);
    let far = |frames: &[Frame]| {
        let now = once(frames);
        now.iter()
            .all(|(code, frames)| frames.len() > at_takeover[code].len() + 10)
    };
    let frames = world.collect(Duration::from_secs(30), far).await;
    second.stop().await;
    assert!(far(&frames), "all cameras go on");
    for (code, frames) in once(&frames) {
        assert_whole(&frames, frames.len(), 100_000, 1);
        println!("{code}: {} frames", frames.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_sources_harm_no_other_and_are_tried_again() {
    let world = World::new().await;
    let (good, late, broken) = (
        world.path("good.mp4"),
        world.path("late.mp4"),
        world.path("broken.mp4"),
    );
    write_clip(&good, 50, 10.0);
    fs::write(&broken, b"not a video").unwrap();
    world.register(&camera(1, &good, 10.0)).await;
    world.register(&camera(2, &late, 10.0)).await;
    world.register(&camera(3, &broken, 10.0)).await;
    let mut nonsense = camera(4, &good, 10.0);
    nonsense.source = "ftp://camera/video".to_owned();
    world.register(&nonsense).await;
    let mut nowhere = camera(5, &good, 10.0);
    nowhere.source = "rtsp://127.0.0.1:9/none".to_owned();
    world.register(&nowhere).await;
    world.register(&camera(6, &good, 0.0)).await;
    let extractor = world.extractor(settings(true));
    assert_whole(&world.frames(30, 50).await, 50, 100_000, 1);
    let begun = Instant::now();
    let faults = |number: u32| {
        let label = format!("mineseal_camera_faults_total{{camera=\"{}\"}}", code(number));
        extractor
            .metrics
            .text()
            .lines()
            .any(|line| line.starts_with(&label))
    };
    while !(2..=6).all(faults) {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            extractor.metrics.text()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!faults(1), "{}", extractor.metrics.text());
    write_clip(&late, 20, 10.0);
    let frames = world.frames(60, 70).await;
    extractor.stop().await;
    let by_camera = once(&frames);
    assert_eq!(by_camera.keys().cloned().collect::<Vec<_>>(), [code(1), code(2)]);
    assert_whole(&by_camera[&code(2)], 20, 100_000, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_mine_is_not_read_until_it_goes_on() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 150, 10.0);
    world.register(&camera(1, &clip, 10.0)).await;
    let registration = |paused| Mine {
        code: mine(),
        name: "mine".to_owned(),
        state: MineState::Producing,
        headcount_limit: 100,
        shifts: vec![],
        watch_ordered: false,
        paused,
        changed_at: UtcMicros(1),
        changed_by: "test".to_owned(),
    };
    let publisher = world.bus.publisher().unwrap();
    publisher.publish(&registration(false)).await.unwrap();
    let extractor = world.extractor(settings(false));
    assert!(world.frames(30, 20).await.len() >= 20);
    publisher.publish(&registration(true)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let paused = world.frames(2, usize::MAX).await.len();
    let later = world.frames(2, usize::MAX).await.len();
    assert_eq!(paused, later, "nothing is read meanwhile");
    publisher.publish(&registration(false)).await.unwrap();
    let frames = world.frames(60, 150).await;
    extractor.stop().await;
    assert_whole(&once(&frames)[&code(1)], 150, 100_000, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_although_its_frames_are_no_longer_kept() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 120, 10.0);
    world.register(&camera(1, &clip, 10.0)).await;
    let extractor = world.extractor(settings(false));
    assert!(world.frames(30, 15).await.len() >= 15);
    extractor.stop().await;
    let first = world.frames(3, usize::MAX).await;
    assert!(first.len() < 120, "{}", first.len());
    world.delete_frames().await;
    assert!(
        world.frames(2, 1).await.is_empty(),
        "as after the end of their time"
    );

    let extractor = world.extractor(settings(true));
    let rest = world.frames(30, 120 - first.len()).await;
    extractor.stop().await;
    let all: Vec<Frame> = first.into_iter().chain(rest).collect();
    assert_whole(&all, 120, 100_000, 1);

    world.delete_frames().await;
    let extractor = world.extractor(settings(true));
    assert!(
        world.frames(5, 1).await.is_empty(),
        "a finished file stays finished"
    );
    extractor.stop().await;
}
