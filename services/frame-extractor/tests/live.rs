//! A camera that goes away and comes back: new sessions, and nothing else is harmed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mineseal_embedded::free_port;
use mineseal_schemas::{Camera, Evidence, EvidenceRequest, Frame, FrameLocation};
use mineseal_video::{OpenSettings, Source, VideoReader, decode_jpeg};
use support::rtsp::{LOGIN, Server, can_serve};
use support::{World, camera, code, metric, mine, settings};
use uuid::Uuid;

/// The registration of a camera that `port` serves, with the login that it asks for.
fn live_camera(world: &World, number: u32, port: u16) -> Camera {
    std::fs::write(world.path("gate"), format!("{}:{}\n", LOGIN[0], LOGIN[1])).unwrap();
    let mut registered = camera(number, Path::new("x"), 5.0);
    registered.source = format!("rtsp://127.0.0.1:{port}/live");
    registered.credential = Some("gate".to_owned());
    registered
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_camera_gives_clip_and_full_picture_of_an_alarm() {
    if !can_serve() {
        return;
    }
    let world = World::new().await;
    let port = free_port().unwrap();
    let server = Server::start(port, LOGIN);
    world.register(&live_camera(&world, 1, port)).await;
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    settings.picture_width = 160;
    let extractor = world.extractor(settings);
    // Three seconds after the beginning, so that there is something before it.
    let found = world.frame(15).await;
    let request = EvidenceRequest {
        id: Uuid::now_v7(),
        alarm: Uuid::now_v7(),
        mine: mine(),
        camera: code(1),
        captured_at: found.value.captured_at,
        frame: FrameLocation {
            partition: found.partition,
            offset: found.offset,
        },
        seconds_before: 2.0,
        seconds_after: 2.0,
    };
    world.bus.publisher().unwrap().publish(&request).await.unwrap();
    let answers = world
        .collect(Duration::from_secs(60), |all: &[Evidence]| all.len() >= 3)
        .await;
    extractor.stop().await;
    drop(server);
    let of = |name: &str| {
        let answer = answers.iter().find(|answer| answer.object.ends_with(name));
        let answer = answer.unwrap_or_else(|| panic!("no {name} in {answers:?}"));
        assert_eq!((answer.request, answer.alarm), (request.id, request.alarm));
        world.path("evidence").join(&answer.object)
    };
    let small = decode_jpeg(&std::fs::read(of("picture.jpg")).unwrap()).unwrap();
    assert_eq!((small.width(), small.height()), (160, 120));
    let full = decode_jpeg(&std::fs::read(of("full.jpg")).unwrap()).unwrap();
    assert_eq!((full.width(), full.height()), (320, 240));
    // The same picture: the ball is where it is in the small one.
    let far = small
        .pixels()
        .chunks_exact(3)
        .enumerate()
        .filter(|(place, pixel)| {
            let (x, y) = (place % 160 * 2, place / 160 * 2);
            full.pixels()[(y * 320 + x) * 3].abs_diff(pixel[0]) > 90
        })
        .count();
    assert!(far < 60, "{far} pixels differ");
    let clip = of("clip.mp4");
    let mut reader = VideoReader::open(&Source::File(clip.clone()), &OpenSettings::default()).unwrap();
    let (mut pictures, mut length) = (0, 0);
    while let Some(picture) = reader.next().unwrap() {
        assert!(picture.key_frame || pictures > 0, "it begins with a key frame");
        assert!(!picture.corrupt);
        (pictures, length) = (pictures + 1, picture.media_time_micros);
    }
    assert!(
        (3_500_000..=5_300_000).contains(&length),
        "{pictures} pictures over {length} µs"
    );
    let written = std::fs::metadata(&clip).unwrap().modified().unwrap();
    let end = UNIX_EPOCH + Duration::from_micros(request.captured_at.0 as u64 + 2_000_000);
    println!(
        "clip complete {:?} after the end of what it shows",
        written.duration_since(end)
    );
    assert!(
        extractor_left_no_trace(&world),
        "something unfinished lies in the store"
    );
}

/// Nothing but whole objects lies in the evidence store.
fn extractor_left_no_trace(world: &World) -> bool {
    let mut folders = vec![world.path("evidence")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !["jpg", "mp4", "cbor"].contains(&path.extension().unwrap().to_str().unwrap()) {
                return false;
            }
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_nowhere_but_in_its_file() {
    if !can_serve() {
        return;
    }
    let world = World::new().await;
    let port = free_port().unwrap();
    let server = Server::start(port, LOGIN);
    // One camera with the right password, one with a wrong one in its file, one whose user wrote it into the address.
    world.register(&live_camera(&world, 1, port)).await;
    std::fs::write(world.path("wrong"), "operator:gu3ssed-1\n").unwrap();
    let mut wrong = live_camera(&world, 2, port);
    wrong.credential = Some("wrong".to_owned());
    world.register(&wrong).await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    let extractor = world.extractor(settings);
    let frames = world.frames(60, 10).await;
    assert!(frames.iter().all(|frame| frame.camera == code(1)) && frames.len() >= 10);
    let refused = tokio::time::timeout(Duration::from_secs(30), async {
        while !log.text().contains("password refused") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    refused.await.expect("the wrong password was told");
    let metrics = extractor.metrics.text();
    extractor.stop().await;
    drop(server);
    let mut shown = vec![("log", log.text()), ("metrics", metrics)];
    for frame in &frames {
        let bytes = mineseal_schemas::encode(frame).unwrap();
        shown.push(("frame", String::from_utf8_lossy(&bytes).into_owned()));
    }
    for (what, text) in shown {
        for secret in [LOGIN[1], "s3c%3Aret%2F1", "gu3ssed-1"] {
            assert!(!text.contains(secret), "{what} shows {secret}");
        }
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_comes_back_begins_a_new_session() {
    if !can_serve() {
        return;
    }
    let world = World::new().await;
    let port = free_port().unwrap();
    world.register(&live_camera(&world, 1, port)).await;
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    let server = Server::start(port, LOGIN);
    let extractor = world.extractor(settings);
    let before = world.frames(40, 12).await;
    assert!(before.len() >= 12, "{}", before.len());
    drop(server);
    let server = Server::start(port, LOGIN);
    let is_back = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let in_two_sessions = |frames: &[Frame]| {
        frames
            .last()
            .is_some_and(|last| last.session != frames[0].session && last.sequence >= 10)
    };
    let frames = world.collect(Duration::from_secs(60), in_two_sessions).await;
    extractor.stop().await;
    drop(server);
    assert!(in_two_sessions(&frames), "{} frames", frames.len());
    let again = frames
        .iter()
        .find(|frame| frame.session != frames[0].session)
        .unwrap();
    println!(
        "the first picture {:.1} s after the server's return",
        again.published_at.0 as f64 / 1e6 - is_back.as_secs_f64()
    );
    for pair in frames.windows(2) {
        assert!(pair[1].captured_at > pair[0].captured_at);
        if pair[1].session == pair[0].session {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
            let distance = pair[1].media_time_micros - pair[0].media_time_micros;
            assert!(
                (100_000..=400_000).contains(&distance),
                "{distance} µs at 5 frames a second"
            );
        } else {
            assert_eq!(pair[1].sequence, 0);
            assert!(pair[1].session > pair[0].session);
        }
    }
}

/// One session of one camera: nothing is missing in it, and every step is that of five frames a second.
fn assert_gapless(frames: &[Frame]) {
    for pair in frames.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        let step = pair[1].media_time_micros - pair[0].media_time_micros;
        assert!(
            (100_000..=300_000).contains(&step),
            "{step} µs at 5 frames a second"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_codec_or_size_in_mid_stream_goes_on_and_loses_nothing_silently() {
    if !can_serve() {
        return;
    }
    let world = World::new().await;
    let port = free_port().unwrap();
    let server = Server::start(port, LOGIN);
    for (number, path) in [(1, "swaps"), (2, "grows")] {
        let mut registered = live_camera(&world, number, port);
        registered.source = format!("rtsp://127.0.0.1:{port}/{path}");
        world.register(&registered).await;
    }
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    settings.picture_width = 160;
    let extractor = world.extractor(settings);
    let sessions_of = |frames: &[Frame], number: u32| {
        let mut sessions: Vec<Vec<Frame>> = Vec::new();
        for frame in frames.iter().filter(|frame| frame.camera == code(number)) {
            match sessions.last_mut() {
                Some(last) if last[0].session == frame.session => last.push(frame.clone()),
                _ => sessions.push(vec![frame.clone()]),
            }
        }
        sessions
    };
    let has_changed = |frames: &[Frame]| {
        let swapped = sessions_of(frames, 1);
        let grown = frames
            .iter()
            .filter(|frame| frame.camera == code(2) && frame.source_width == 640)
            .count();
        swapped.len() == 2 && swapped[1].len() >= 15 && grown >= 15
    };
    let frames = world.collect(Duration::from_secs(90), has_changed).await;
    let faults = |number: u32| extractor.metric("camera_faults_total", code(number).as_str());
    let faults = [faults(1), faults(2)];
    extractor.stop().await;
    drop(server);

    // H.264 ends untold and its packets go on as H.265: one fault, and a new session with the new codec.
    let swapped = sessions_of(&frames, 1);
    assert_eq!(swapped.len(), 2, "{} frames", frames.len());
    for session in &swapped {
        assert_eq!(session[0].sequence, 0);
        assert_gapless(session);
    }
    assert!(swapped[0].len() >= 15 && swapped[1].len() >= 15);
    assert!(swapped[1].iter().all(|frame| !frame.corrupt));
    let gap = swapped[1][0]
        .captured_at
        .micros_since(swapped[0].last().unwrap().captured_at);
    println!("pictures again {:.1} s after the codec changed", gap as f64 / 1e6);
    // Another size goes on in the same session, and is told with each frame.
    let grown = sessions_of(&frames, 2);
    assert_eq!(grown.len(), 1);
    assert_gapless(&grown[0]);
    let mut sizes: Vec<_> = grown[0]
        .iter()
        .map(|frame| (frame.source_width, frame.source_height))
        .collect();
    sizes.dedup();
    assert_eq!(sizes, [(320, 240), (640, 480)]);
    assert!(
        grown[0]
            .iter()
            .all(|frame| (frame.width, frame.height) == (160, 120))
    );
    assert_eq!(faults, [1.0, 0.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_after_lost_packets_are_marked_and_counted_as_such() {
    if !can_serve() {
        return;
    }
    let world = World::new().await;
    let port = free_port().unwrap();
    let server = Server::start(port, LOGIN);
    for (number, address) in [(1, "rtsp"), (2, "rtspu")] {
        let mut registered = live_camera(&world, number, port);
        registered.source = format!("{address}://127.0.0.1:{port}/drops");
        world.register(&registered).await;
    }
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    settings.picture_width = 160;
    let extractor = world.extractor(settings);
    let numbers = [1, 2];
    let marked = |frames: &[Frame], number: u32| {
        let of = frames.iter().filter(|frame| frame.camera == code(number));
        (of.clone().filter(|frame| frame.corrupt).count(), of.count())
    };
    world
        .collect(Duration::from_secs(90), |frames: &[Frame]| {
            numbers.iter().all(|&number| marked(frames, number).1 >= 60)
        })
        .await;
    extractor.shutdown.cancel();
    let (task, metrics) = (extractor.task, extractor.metrics);
    tokio::time::timeout(Duration::from_secs(20), task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    drop(server);
    // All that was published, now that nothing comes any more.
    let published: f64 = numbers
        .iter()
        .map(|&number| metric(&metrics, "frames_published_total", code(number).as_str()))
        .sum();
    let frames = world.frames(30, published as usize).await;
    for number in numbers {
        let (corrupt, all) = marked(&frames, number);
        println!("camera {number}: {corrupt} of {all} frames are marked");
        assert!(all >= 60 && corrupt > 0 && corrupt < all, "{corrupt} of {all}");
        let counted = metric(&metrics, "frames_corrupt_total", code(number).as_str());
        assert_eq!(counted, corrupt as f64);
    }
}
