//! How many records a second one counter takes. Not a test of right or wrong: run it by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use mineseal_bus::Bus;
use mineseal_counter::{CounterSettings, run_with};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, run it with --ignored --nocapture"]
async fn one_counter() {
    const FED: i64 = 100_000;
    let bus = fresh_bus().await;
    feed(&bus, 0..FED, 1_000_000).await;
    let shutdown = CancellationToken::new();
    let counter_bus = Bus::connect(bus.settings().clone()).unwrap();
    let statistics = counter_bus.statistics().clone();
    let usual = CounterSettings {
        session_timeout: Duration::from_secs(6),
        ..CounterSettings::default()
    };
    let began = Instant::now();
    let counter = tokio::spawn(run_with(Tally, usual, counter_bus, shutdown.clone()));
    wait_until_counted(&bus, SOON).await;
    let took = began.elapsed();
    shutdown.cancel();
    counter.await.unwrap().unwrap();
    println!(
        "{FED} records, {} outputs, {} transactions in {took:?}: {:.0} records/s",
        2 * FED,
        statistics.snapshot().commits,
        FED as f64 / took.as_secs_f64()
    );
}
