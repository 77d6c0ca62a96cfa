//! Counters that are killed, stopped, joined and left, against the real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use mineseal_bus::Bus;
use mineseal_counter::{CounterError, run_with};
use mineseal_schemas::{DeadLetter, Topic};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Not a test: the process that the others start and kill.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the other tests as a process of its own"]
async fn counter_process() {
    let Ok(prefix) = std::env::var("COUNTER_PREFIX") else {
        return;
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let bus = bus_at(&brokers(), &prefix);
    let instance = std::env::var("COUNTER_INSTANCE").ok();
    run_with(
        Tally,
        settings(instance.as_deref()),
        bus,
        CancellationToken::new(),
    )
    .await
    .unwrap();
}

fn start_process(bus: &Bus, instance: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "counter_process", "--nocapture"])
        .env("COUNTER_PREFIX", &bus.settings().topic_prefix)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(instance) = instance {
        command.env("COUNTER_INSTANCE", instance);
    }
    command.spawn().unwrap()
}

fn start_counter(bus: &Bus) -> (CancellationToken, JoinHandle<Result<(), CounterError>>) {
    let shutdown = CancellationToken::new();
    // A bus of its own, as another process would have.
    let bus = Bus::connect(bus.settings().clone()).unwrap();
    let task = tokio::spawn(run_with(Tally, settings(None), bus, shutdown.clone()));
    (shutdown, task)
}

/// Milliseconds from `from` to `to`, the same in every run.
fn chance(seed: &mut u64, from: u64, to: u64) -> Duration {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    Duration::from_millis(from + (*seed >> 33) % (to - from))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_loses_nothing_and_doubles_nothing() {
    const FED: i64 = 24_000;
    let bus = fresh_bus().await;
    let feeding = tokio::spawn({
        let bus = bus.clone();
        async move { feed(&bus, 0..FED, 1000).await }
    });
    let (mut seed, mut kills) = (20_261_124, 0);
    while !feeding.is_finished() {
        let mut process = start_process(&bus, Some("one"));
        tokio::time::sleep(chance(&mut seed, 400, 2200)).await;
        process.kill().unwrap();
        process.wait().unwrap();
        kills += 1;
    }
    feeding.await.unwrap();
    let began = Instant::now();
    let mut process = start_process(&bus, Some("one"));
    wait_until_counted(&bus, Duration::from_secs(60)).await;
    println!("killed {kills} times; the rest took {:?}", began.elapsed());
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(kills >= 10);
    check_exact(&bus, FED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_come_and_go_share_the_work_exactly() {
    const FED: i64 = 12_000;
    let bus = fresh_bus().await;
    let feeding = tokio::spawn({
        let bus = bus.clone();
        async move { feed(&bus, 0..FED, 1000).await }
    });
    let first = start_counter(&bus);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = start_counter(&bus);
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.0.cancel();
    first.1.await.unwrap().unwrap();
    let third = start_counter(&bus);
    feeding.await.unwrap();
    wait_until_counted(&bus, SOON).await;
    for (shutdown, task) in [second, third] {
        shutdown.cancel();
        tokio::time::timeout(SOON, task)
            .await
            .expect("does not drain")
            .unwrap()
            .unwrap();
    }
    check_exact(&bus, FED).await;
}

/// A process that stands still for longer than the group waits: its mines go to another one, and when it goes on it
/// still believes that they are its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_wakes_up_late_writes_nothing() {
    const FED: i64 = 20_000;
    let bus = fresh_bus().await;
    let feeding = tokio::spawn({
        let bus = bus.clone();
        async move { feed(&bus, 0..FED, 1000).await }
    });
    let mut sleeper = start_process(&bus, None);
    let pid = Pid::from_raw(sleeper.id().try_into().unwrap()).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    kill_process(pid, Signal::STOP).unwrap();
    let other = start_counter(&bus);
    tokio::time::sleep(Duration::from_secs(14)).await;
    kill_process(pid, Signal::CONT).unwrap();
    feeding.await.unwrap();
    wait_until_counted(&bus, SOON).await;
    other.0.cancel();
    other.1.await.unwrap().unwrap();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    check_exact(&bus, FED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_put_aside_once_and_the_rest_is_counted() {
    let bus = fresh_bus().await;
    let producer: FutureProducer = bus
        .client_config()
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    let name = bus.topic_name(Topic::Detections);
    feed(&bus, 0..1000, 100_000).await;
    let wrong_key = mineseal_schemas::encode(&detections(3)).unwrap();
    let poisons: [(&str, &[u8]); 3] = [
        ("150602007801", b"garbage"),
        ("150602007802", &[]),
        ("150602007899", &wrong_key),
    ];
    let mut places = Vec::new();
    for (key, value) in poisons {
        let delivery = producer
            .send(FutureRecord::to(&name).key(key).payload(value), SOON)
            .await
            .unwrap();
        places.push((delivery.partition, delivery.offset));
    }
    feed(&bus, 1000..2000, 100_000).await;
    let (shutdown, task) = start_counter(&bus);
    wait_until_counted(&bus, SOON).await;
    shutdown.cancel();
    task.await.unwrap().unwrap();
    check_exact(&bus, 2000).await;
    let letters = read_all::<DeadLetter>(&bus).await;
    let mut found: Vec<(i32, i64)> = letters
        .iter()
        .map(|letter| (letter.partition, letter.offset))
        .collect();
    found.sort_unstable();
    places.sort_unstable();
    assert_eq!(found, places);
    assert!(
        letters
            .iter()
            .all(|letter| letter.topic == name && letter.service == "counter")
    );
    assert!(
        letters
            .iter()
            .any(|letter| letter.reason.contains("150602007899")),
        "{letters:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_read_stops_it_with_a_word_about_which() {
    let bus = fresh_bus().await;
    let mut state = sample().counter_state;
    state.mine = mine(0);
    state.format = 8;
    bus.publisher().unwrap().publish(&state).await.unwrap();
    let (_shutdown, task) = start_counter(&bus);
    let error = tokio::time::timeout(SOON, task)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(mine(0).as_str()) && error.contains("format 8"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_count_opens_no_transaction() {
    let bus = fresh_bus().await;
    let (shutdown, task) = start_counter(&bus);
    tokio::time::sleep(Duration::from_secs(3)).await;
    shutdown.cancel();
    task.await.unwrap().unwrap();
    for topic in [Topic::CounterState, Topic::Headcounts] {
        let name = bus.topic_name(topic);
        let consumer: rdkafka::consumer::BaseConsumer = bus.client_config().create().unwrap();
        for partition in 0..PARTITIONS {
            use rdkafka::consumer::Consumer as _;
            // Even an aborted transaction would leave a marker.
            assert_eq!(
                consumer.fetch_watermarks(&name, partition, SOON).unwrap(),
                (0, 0),
                "{name}"
            );
        }
    }
}
