//! The broker is killed in the middle of the work and comes back: nothing that was acknowledged is lost, and
//! everything goes on by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{SOON, crossing, layout, sample};
use mineseal_bus::{Bus, BusSettings, SubscriptionSettings};
use mineseal_embedded::{KafkaNode, KafkaNodeSettings, free_port};
use mineseal_schemas::{Crossing, Mine};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let cache = std::env::var_os("MINESEAL_CACHE").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        PathBuf::from,
    );
    let mut node_settings = KafkaNodeSettings::new(cache, folder.path());
    (node_settings.port, node_settings.controller_port) = (free_port().unwrap(), free_port().unwrap());

    // Before there is any broker, everything is already there and waits.
    let bus = Bus::connect(BusSettings::new(format!("127.0.0.1:{}", node_settings.port))).unwrap();
    let publisher = bus.publisher().unwrap();
    let early = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish(&crossing(0)).await.unwrap() }
    });
    let mut subscription = bus
        .subscribe::<Crossing>(SubscriptionSettings::new("readers"))
        .unwrap();
    let table = tokio::spawn({
        let bus = bus.clone();
        async move { bus.table::<Mine>().await.unwrap() }
    });
    let mut node = KafkaNode::start(node_settings.clone(), |_| {}).await.unwrap();
    bus.wait_until_ready(SOON).await.unwrap();
    bus.ensure_topics(layout()).await.unwrap();
    timeout(SOON, early).await.unwrap().unwrap();
    let mut table = timeout(SOON, table).await.unwrap().unwrap();

    let writing = tokio::spawn({
        let publisher = publisher.clone();
        async move {
            for number in 1..300 {
                publisher.publish(&crossing(number)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let reading = tokio::spawn(async move {
        let mut seen = BTreeSet::new();
        while seen.len() < 300 {
            let batch = subscription.next().await.unwrap();
            seen.extend(batch.records.iter().map(|record| record.value.track));
            batch.acknowledge();
        }
        seen
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let killed = std::process::Command::new("kill")
        .args(["-9", &node.process_number().to_string()])
        .status();
    assert!(killed.unwrap().success());
    node.ended().await.unwrap();
    drop(node);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!writing.is_finished());
    assert!(!bus.statistics().is_reachable());

    let node = KafkaNode::start(node_settings, |_| {}).await.unwrap();
    timeout(Duration::from_secs(90), writing).await.unwrap().unwrap();
    let seen = timeout(Duration::from_secs(90), reading).await.unwrap().unwrap();
    assert_eq!(seen, (0..300).collect());
    publisher.publish(&sample().mine).await.unwrap();
    assert_eq!(timeout(SOON, table.changed()).await.unwrap().unwrap().len(), 1);
    assert!(bus.statistics().is_reachable());
    node.stop().await.unwrap();
}
