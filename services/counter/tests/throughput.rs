//! What one counter carries beside its broker, how much later what it counts is seen, and how large its snapshots are.
//! Not tests of right or wrong: `make bench-counter` runs them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;
#[allow(dead_code, reason = "what came out is judged elsewhere")]
#[path = "chaos/crowd.rs"]
mod crowd;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::*;
use crowd::Oracle;
use mineseal_bus::Bus;
use mineseal_counter::{CounterSettings, run, run_with};
use mineseal_domain::{BoundingBox, MineCode, ObjectClass};
use mineseal_engine::{InputPosition, MineEngine, MineRegistration, Output};
use mineseal_schemas::{CounterState, Crossing, DetectedBox, Detections, Record, decode};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn usual() -> CounterSettings {
    CounterSettings {
        session_timeout: Duration::from_secs(6),
        ..CounterSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: make bench-counter"]
async fn one_counter_without_the_engine() {
    const FED: i64 = 100_000;
    let bus = fresh_bus().await;
    feed(&bus, 0..FED, 1_000_000).await;
    let shutdown = CancellationToken::new();
    let counter_bus = Bus::connect(bus.settings().clone()).unwrap();
    let statistics = counter_bus.statistics().clone();
    let began = Instant::now();
    let counter = tokio::spawn(run_with(Tally, usual(), counter_bus, shutdown.clone()));
    wait_until_counted(&bus, SOON).await;
    let took = began.elapsed();
    shutdown.cancel();
    counter.await.unwrap().unwrap();
    println!(
        "bare counter: {FED} records, {} outputs, {} transactions in {took:?}: {:.0} records/s",
        2 * FED,
        statistics.snapshot().commits,
        FED as f64 / took.as_secs_f64()
    );
}

/// A bus with the crowd's mines.
async fn crowded(mines: usize) -> Bus {
    let bus = fresh_bus().await;
    for mine in 0..mines {
        let (mine, camera) = crowd::registration(mine);
        bus.publisher().unwrap().publish(&mine).await.unwrap();
        bus.publisher().unwrap().publish(&camera).await.unwrap();
    }
    bus
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: make bench-counter"]
async fn the_whole_service_works_off_a_backlog() {
    const FRAMES: u64 = 100_000;
    const MINES: usize = 24;
    let bus = crowded(MINES).await;
    let oracle = Oracle::new(MINES);
    let people = || oracle.registered() >= FRAMES * 3 / 2;
    let frames = crowd::feed(
        &bus,
        &oracle,
        MINES,
        u64::MAX,
        ChaCha8Rng::seed_from_u64(1),
        people,
    )
    .await;
    let shutdown = CancellationToken::new();
    let counter_bus = Bus::connect(bus.settings().clone()).unwrap();
    let statistics = counter_bus.statistics().clone();
    let began = Instant::now();
    let counter = tokio::spawn(run(usual(), counter_bus, shutdown.clone()));
    wait_until_counted(&bus, SOON * 4).await;
    let took = began.elapsed();
    shutdown.cancel();
    counter.await.unwrap().unwrap();
    println!(
        "whole service: {frames} frames of {MINES} mines, 16 to 20 people in each, {} crossings, {} transactions in {took:.2?}: \
         {:.0} frames/s, from its start to its last commit, beside its broker",
        oracle.registered(),
        statistics.snapshot().commits,
        frames as f64 / took.as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: make bench-counter"]
async fn what_it_adds_to_the_way_of_a_frame() {
    const MINES: usize = 24;
    const RATE: u64 = 240;
    const TIME: Duration = Duration::from_secs(30);
    let bus = crowded(MINES).await;
    let oracle = Oracle::new(MINES);
    let shutdown = CancellationToken::new();
    let counter_bus = Bus::connect(bus.settings().clone()).unwrap();
    let counter = tokio::spawn(run(usual(), counter_bus, shutdown.clone()));
    // The first walk of each mine goes before the clock runs.
    let warm = AtomicBool::new(false);
    crowd::feed(&bus, &oracle, MINES, RATE, ChaCha8Rng::seed_from_u64(1), || {
        warm.swap(true, Ordering::Relaxed)
    })
    .await;
    wait_until_counted(&bus, SOON).await;
    let stop = Arc::new(AtomicBool::new(false));
    let seeing = tokio::task::spawn_blocking({
        let (bus, stop) = (bus.clone(), Arc::clone(&stop));
        move || see(&bus, &stop)
    });
    let began = Instant::now();
    let walked = oracle.registered();
    let frames = crowd::feed(&bus, &oracle, MINES, RATE, ChaCha8Rng::seed_from_u64(2), || {
        began.elapsed() > TIME
    })
    .await;
    wait_until_counted(&bus, SOON).await;
    let took = began.elapsed();
    shutdown.cancel();
    counter.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let seen = seeing.await.unwrap();
    let written = times::<Detections, _>(&bus, |detections| (detections.session, detections.sequence)).await;
    let mut added: Vec<i64> = seen
        .iter()
        .filter_map(|(frame, at)| Some(at - written.get(frame)?))
        .collect();
    added.sort_unstable();
    let at = |share: f64| added[((added.len() - 1) as f64 * share) as usize];
    println!(
        "added latency: {frames} frames in {took:.1?}, {} crossings; from the frame's record to the visible crossing, ms: p50 {} p95 {} \
         p99 {} max {}",
        oracle.registered() - walked,
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
    let sizes = each::<CounterState, _>(
        &bus,
        BTreeMap::<MineCode, (usize, usize, usize)>::new(),
        |sizes, state, _| {
            let of_mine = sizes.entry(state.mine).or_default();
            of_mine.0 += 1;
            of_mine.1 += state.state.len();
            of_mine.2 = of_mine.2.max(state.state.len());
        },
    )
    .await;
    let snapshots: usize = sizes.values().map(|size| size.0).sum();
    let bytes: usize = sizes.values().map(|size| size.1).sum();
    let largest = sizes.values().map(|size| size.2).max().unwrap_or_default();
    println!(
        "snapshots: {:.1} a second and mine, {:.0} bytes each (largest {largest}), {:.0} bytes a second and mine before compression; \
         at most {:.0} a second and mine",
        snapshots as f64 / MINES as f64 / took.as_secs_f64(),
        bytes as f64 / snapshots as f64,
        bytes as f64 / MINES as f64 / took.as_secs_f64(),
        1.0 / usual().commit_interval.as_secs_f64()
    );
}

/// Resident memory of this process, kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// One camera's part of the engine, without the bus: ten people who walk to and fro over the line.
#[test]
#[ignore = "measures: make bench-counter"]
fn memory_of_a_camera_over_a_million_frames() {
    const FRAMES: i64 = 1_000_000;
    let (mine, camera) = crowd::registration(0);
    let registration = MineRegistration {
        cameras: BTreeMap::from([(camera.code.clone(), camera.clone())]),
        mine,
    };
    let mut engine = MineEngine::new(registration.mine.code.clone());
    let base = sample().detections;
    let mut input = Detections {
        camera: camera.code,
        mine: registration.mine.code.clone(),
        width: 640,
        height: 360,
        ..base.clone()
    };
    let mut crossings = 0;
    for sequence in 0..FRAMES {
        input.sequence = sequence;
        input.captured_at = base.captured_at.plus_micros(sequence * 200_000);
        input.published_at = input.captured_at.plus_micros(40_000);
        input.boxes.clear();
        input.boxes.extend((0..10).map(|person| {
            // There and back in 80 frames, each a little later than the one before.
            let step = (sequence + 8 * person) % 80;
            let way = if step < 40 { step } else { 80 - step };
            DetectedBox {
                class: ObjectClass::Person,
                score: 0.9,
                bounding_box: BoundingBox {
                    left: 80.0 + 12.0 * way as f32,
                    top: 20.0 + 30.0 * person as f32,
                    width: 20.0,
                    height: 50.0,
                },
            }
        }));
        let position = InputPosition {
            partition: 0,
            offset: sequence,
        };
        let outputs = engine.step(&registration, &input, position);
        crossings += outputs
            .iter()
            .filter(|output| matches!(output, Output::Crossing(_)))
            .count();
        let frames = sequence + 1;
        if [10_000, 100_000, 500_000, FRAMES].contains(&frames) {
            println!(
                "one camera: after {frames} frames and {crossings} crossings {} kB resident in all, its mine's state {} bytes",
                resident(),
                engine.encode_state().unwrap().len()
            );
        }
    }
    assert!(crossings > 100_000, "{crossings}");
}

/// A client that stands at the end of a topic; it reads what comes from now on if `from_end`.
fn reader<R: Record>(bus: &Bus, from_end: bool) -> (BaseConsumer, BTreeSet<i32>) {
    let mut config = bus.client_config();
    config
        .set("group.id", "look")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "5")
        .set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().unwrap();
    let topic = bus.topic_name(R::TOPIC);
    let (mut list, mut partitions) = (TopicPartitionList::new(), BTreeSet::new());
    for partition in 0..PARTITIONS {
        let (_, end) = consumer.fetch_watermarks(&topic, partition, SOON).unwrap();
        let from = if from_end {
            Offset::Offset(end)
        } else {
            Offset::Beginning
        };
        list.add_partition_offset(&topic, partition, from).unwrap();
        partitions.insert(partition);
    }
    consumer.assign(&list).unwrap();
    (consumer, partitions)
}

/// When each crossing was seen, milliseconds since 1970, by the frame that decided it.
fn see(bus: &Bus, stop: &AtomicBool) -> Vec<((Uuid, i64), i64)> {
    let (consumer, _) = reader::<Crossing>(bus, true);
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
            let crossing: Crossing = decode(message.payload().unwrap()).unwrap();
            seen.push(((crossing.session, crossing.to_sequence), now));
        }
    }
    seen
}

/// When each record of a topic was written first, milliseconds since 1970.
async fn times<R: Record + Send + 'static, K: Ord + Send + 'static>(
    bus: &Bus,
    key: impl Fn(&R) -> K + Send + 'static,
) -> BTreeMap<K, i64> {
    let bus = bus.clone();
    let read = move || {
        let (consumer, _) = reader::<R>(&bus, false);
        let mut times = BTreeMap::new();
        // Nothing is written any more: silence is the end.
        while let Some(polled) = consumer.poll(Duration::from_secs(3)) {
            if let Ok(message) = polled {
                let record: R = decode(message.payload().unwrap()).unwrap();
                times
                    .entry(key(&record))
                    .or_insert_with(|| message.timestamp().to_millis().unwrap());
            }
        }
        times
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}
