//! Evidence waits for an S3 server that is away, and outlives its frame in Kafka.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../../../crates/evidence/tests/support/mod.rs"]
mod s3;
mod support;

use std::time::Duration;

use mineseal_domain::UtcMicros;
use mineseal_schemas::{Evidence, EvidenceKind, EvidenceRequest, FrameLocation};
use s3::{Mood, SECRET, Server};
use sha2::{Digest as _, Sha256};
use support::{World, camera, code, mine, settings, write_clip};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn evidence_waits_for_a_server_that_is_away() {
    let world = World::new().await;
    let server = Server::start(&world.path("buckets")).await;
    let store = server
        .store("s3://evidence/site-1", &world.path("keys"), SECRET)
        .unwrap();
    server.mood.send_replace(Mood::Away);
    let clip = world.path("clip.mp4");
    write_clip(&clip, 10, 10.0);
    world.register(&camera(1, &clip, 10.0)).await;
    let extractor = world.extractor_into(store.clone(), &world.brokers, settings(true));
    // While no evidence can be stored frames go on.
    let found = world.frame(5).await;
    let request = EvidenceRequest {
        id: Uuid::now_v7(),
        alarm: Uuid::now_v7(),
        mine: mine(),
        camera: code(1),
        captured_at: UtcMicros(0),
        frame: FrameLocation {
            partition: found.partition,
            offset: found.offset,
        },
        seconds_before: 10.0,
        seconds_after: 10.0,
    };
    world.bus.publisher().unwrap().publish(&request).await.unwrap();
    let alarm = request.alarm.to_string();
    let mut refused = server.refused.subscribe();
    tokio::time::timeout(
        Duration::from_secs(60),
        refused.wait_for(|paths| paths.iter().any(|path| path.contains(&alarm))),
    )
    .await
    .unwrap()
    .unwrap();
    world.delete_frames().await;
    server.mood.send_replace(Mood::Well);
    let answers = world
        .collect(Duration::from_secs(60), |all: &[Evidence]| all.len() >= 3)
        .await;
    extractor.stop().await;
    let kinds: Vec<_> = answers.iter().map(|evidence| evidence.kind).collect();
    assert_eq!(
        kinds,
        [EvidenceKind::Picture, EvidenceKind::Picture, EvidenceKind::Clip]
    );
    assert_eq!(store.get(&answers[0].object).await.unwrap(), found.value.jpeg);
    for evidence in &answers {
        let bytes = store.get(&evidence.object).await.unwrap();
        let digest: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            (&evidence.sha256, evidence.size_bytes),
            (&digest, bytes.len() as i64)
        );
    }
}
