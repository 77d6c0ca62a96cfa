//! The only broker is killed, or stopped in good order, in the middle of transactions and comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::*;
use mineseal_counter::run_with;
use mineseal_embedded::{KafkaNode, KafkaNodeSettings, free_port};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_costs_nothing_but_time() {
    breaks(Break::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_stopped_costs_nothing_but_time() {
    breaks(Break::Stopped).await;
}

#[derive(Clone, Copy)]
enum Break {
    Killed,
    /// As an operator does it: it closes its logs in good order.
    Stopped,
}

async fn breaks(how: Break) {
    const FED: i64 = 12_000;
    let folder = tempfile::tempdir().unwrap();
    let cache = std::env::var_os("MINESEAL_CACHE").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        PathBuf::from,
    );
    let mut node_settings = KafkaNodeSettings::new(cache, folder.path());
    (node_settings.port, node_settings.controller_port) = (free_port().unwrap(), free_port().unwrap());
    let mut node = KafkaNode::start(node_settings.clone(), |_| {}).await.unwrap();
    let bus = bus_at(&node.brokers(), "outage");
    prepare(&bus).await;

    let feeding = tokio::spawn({
        let bus = bus.clone();
        async move { feed(&bus, 0..FED, 600).await }
    });
    let shutdown = CancellationToken::new();
    let counter_bus = bus_at(&node.brokers(), "outage");
    let counter = tokio::spawn(run_with(
        Tally,
        settings(None),
        counter_bus.clone(),
        shutdown.clone(),
    ));
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        match how {
            Break::Killed => {
                let killed = std::process::Command::new("kill")
                    .args(["-9", &node.process_number().to_string()])
                    .status();
                assert!(killed.unwrap().success());
                node.ended().await.unwrap();
                drop(node);
            }
            Break::Stopped => node.stop().await.unwrap(),
        }
        node = KafkaNode::start(node_settings.clone(), |_| {}).await.unwrap();
    }
    tokio::time::timeout(SOON * 2, feeding)
        .await
        .expect("feeding does not go on")
        .unwrap();
    wait_until_counted(&bus, SOON * 2).await;
    shutdown.cancel();
    tokio::time::timeout(SOON, counter)
        .await
        .expect("does not drain")
        .unwrap()
        .unwrap();
    check_exact(&bus, FED).await;
    let lost = [&bus, &counter_bus].map(|bus| bus.statistics().snapshot().clients_without_brokers);
    println!(
        "clients that had lost every broker: {} of the feeder, {} of the counter",
        lost[0], lost[1]
    );
    node.stop().await.unwrap();
}
