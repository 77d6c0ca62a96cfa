//! ClickHouse and Kafka go away and come back: nothing is lost, nothing is doubled.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Place, variable};
use mineseal_clickhouse_sink::{SinkError, SinkSettings};
use mineseal_embedded::{ClickHouseNode, ClickHouseNodeSettings, KafkaNode, KafkaNodeSettings, free_port};
use mineseal_store::{StoreError, StoreSettings};
use mineseal_telemetry::ServiceState;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

fn cache() -> PathBuf {
    let beside_the_build = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    std::env::var_os("MINESEAL_CACHE").map_or_else(beside_the_build, PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_is_killed_again_and_again() {
    let data = tempfile::tempdir().unwrap();
    let mut settings = ClickHouseNodeSettings::new(cache(), data.path());
    settings.port = free_port().unwrap();
    let mut node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    let place = Place::at(&variable("MINESEAL_TEST_KAFKA"), &node.url()).await;
    let sink = place.start();
    let (kills, each) = (6, 3_000);
    for round in 0..kills {
        let publishing = place.publish_crossings(round * each, each);
        let killing = async {
            sleep(Duration::from_millis(150 + 90 * u64::try_from(round).unwrap())).await;
            kill_process(Pid::from_raw(node.process_number()).unwrap(), Signal::KILL).unwrap();
            node.ended().await.unwrap();
        };
        tokio::join!(publishing, killing);
        sleep(Duration::from_millis(300)).await;
        drop(node);
        node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    }
    place.expect_tracks(kills * each).await;
    sink.stop().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_engine_is_away_little_is_held_and_the_rest_stays_on_the_bus() {
    let data = tempfile::tempdir().unwrap();
    let mut settings = ClickHouseNodeSettings::new(cache(), data.path());
    settings.port = free_port().unwrap();
    let place = Place::at(
        &variable("MINESEAL_TEST_KAFKA"),
        &format!("http://127.0.0.1:{}", settings.port),
    )
    .await;
    // Nobody is there yet: it waits.
    let sink = place.start_with(SinkSettings {
        batch_rows: 500,
        ..place.settings()
    });
    place.publish_crossings(0, 1_000).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.health.report()[0].state, ServiceState::Waiting);
    let node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    place.expect_tracks(1_000).await;
    node.stop().await.unwrap();

    // Far more than it holds.
    place.publish_crossings(1_000, 20_000).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(sink.health.report()[0].state, ServiceState::Waiting);
    assert!(sink.health.report()[0].reason.contains("cannot be reached"));
    let node = ClickHouseNode::start(settings, |_| {}).await.unwrap();
    let began = Instant::now();
    while place
        .counts("crossings")
        .await
        .is_none_or(|(rows, _)| rows < 21_000)
    {
        assert!(began.elapsed() < Duration::from_secs(120), "it does not catch up");
        sleep(Duration::from_millis(50)).await;
    }
    println!(
        "20,000 rows that had waited were stored {:?} after the engine was back",
        began.elapsed()
    );
    place.expect_tracks(21_000).await;
    assert_eq!(sink.health.report()[0].state, ServiceState::Ready);
    sink.stop().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_killed_and_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let mut settings = KafkaNodeSettings::new(cache(), data.path());
    settings.port = free_port().unwrap();
    settings.controller_port = free_port().unwrap();
    let mut node = KafkaNode::start(settings.clone(), |_| {}).await.unwrap();
    let place = Place::at(&node.brokers(), &variable("MINESEAL_TEST_CLICKHOUSE")).await;
    let sink = place.start();
    place.publish_crossings(0, 2_000).await;
    for round in 1..3 {
        let publishing = place.publish_crossings(round * 2_000, 2_000);
        let killing = async {
            sleep(Duration::from_millis(60)).await;
            kill_process(Pid::from_raw(node.process_number()).unwrap(), Signal::KILL).unwrap();
            node.ended().await.unwrap();
            sleep(Duration::from_secs(1)).await;
            drop(node);
            KafkaNode::start(settings.clone(), |_| {}).await.unwrap()
        };
        node = tokio::join!(publishing, killing).1;
    }
    place.expect_tracks(6_000).await;
    sink.stop().await;
    place.remove().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_ends_it_with_a_message() {
    let place = Place::new().await;
    let store = StoreSettings {
        user: "nobody".into(),
        password: "wrong".into(),
        ..place.store.clone()
    };
    let ended = place
        .start_with(SinkSettings {
            store,
            ..place.settings()
        })
        .ended()
        .await;
    assert!(
        matches!(ended, Err(SinkError::Store(StoreError::Refused { .. }))),
        "{ended:?}"
    );
}
