//! A request for evidence gets the picture of its frame, or a reason why not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mineseal_domain::UtcMicros;
use mineseal_schemas::{DeadLetter, Evidence, EvidenceKind, EvidenceRequest, FrameLocation, Record as _};
use mineseal_video::{OpenSettings, Source, VideoReader, decode_jpeg};
use sha2::{Digest as _, Sha256};
use support::{World, camera, code, grey, mine, settings, write_clip};
use uuid::Uuid;

fn request(frame: FrameLocation, camera: u32) -> EvidenceRequest {
    EvidenceRequest {
        id: Uuid::now_v7(),
        alarm: Uuid::now_v7(),
        mine: mine(),
        camera: code(camera),
        captured_at: UtcMicros(0),
        frame,
        seconds_before: 10.0,
        seconds_after: 10.0,
    }
}

/// Where a piece of evidence lies, its bytes being those that were promised.
fn whole_object(world: &World, evidence: &Evidence, kind: EvidenceKind) -> PathBuf {
    assert_eq!(evidence.kind, kind);
    let path = world.path("evidence").join(&evidence.object);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(evidence.size_bytes, bytes.len() as i64);
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(evidence.sha256, digest);
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_or_refused_with_a_reason() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 10, 10.0);
    world.register(&camera(1, &clip, 10.0)).await;
    let extractor = world.extractor(settings(true));
    let found = world.frame(5).await;
    let place = FrameLocation {
        partition: found.partition,
        offset: found.offset,
    };
    let good = request(place, 1);
    let gone = request(
        FrameLocation {
            offset: place.offset + 100_000,
            ..place
        },
        1,
    );
    let other = request(place, 2);
    let publisher = world.bus.publisher().unwrap();
    for request in [&gone, &other, &good] {
        publisher.publish(request).await.unwrap();
    }
    let answers = world
        .collect(Duration::from_secs(40), |all: &[Evidence]| all.len() >= 3)
        .await;
    let refused = world
        .collect(Duration::from_secs(40), |all: &[DeadLetter]| all.len() >= 2)
        .await;
    extractor.stop().await;
    assert_eq!(answers.len(), 3, "picture, full picture and clip");
    let evidence = &answers[0];
    assert_eq!(
        (evidence.request, evidence.alarm, evidence.kind),
        (good.id, good.alarm, EvidenceKind::Picture)
    );
    assert_eq!(evidence.captured_at, found.value.captured_at);
    assert_eq!(evidence.size_bytes, found.value.jpeg.len() as i64);
    let stored = world.path("evidence").join(&evidence.object);
    assert_eq!(fs::read(stored).unwrap(), found.value.jpeg);
    assert!(
        evidence.object.starts_with(mine().as_str()) && evidence.object.contains(&good.alarm.to_string())
    );

    let full = fs::read(whole_object(&world, &answers[1], EvidenceKind::Picture)).unwrap();
    let full = decode_jpeg(&full).unwrap();
    assert_eq!((full.width(), full.height()), (320, 240));
    let shown = full.pixels()[3 * 5000];
    assert!(shown.abs_diff(grey(5)) <= 4, "{shown} instead of {}", grey(5));
    let clip = Source::File(whole_object(&world, &answers[2], EvidenceKind::Clip));
    let mut reader = VideoReader::open(&clip, &OpenSettings::default()).unwrap();
    let mut pictures = 0;
    while let Some(picture) = reader.next().unwrap() {
        assert_eq!(picture.media_time_micros, pictures * 100_000);
        pictures += 1;
    }
    assert_eq!(pictures, 10, "the file has no more around the moment");

    let reason = |key: &str| {
        let letter = refused
            .iter()
            .find(|letter| letter.key == key.as_bytes())
            .unwrap();
        assert_eq!(
            (letter.topic.as_str(), letter.service.as_str()),
            ("evidence-requests", "frame-extractor")
        );
        letter.reason.clone()
    };
    assert!(reason(&gone.key()).contains("gone"), "{}", reason(&gone.key()));
    assert!(
        reason(&other.key()).contains(code(1).as_str()),
        "{}",
        reason(&other.key())
    );
}
