//! Everything that can break breaks, again and again, while people go in and out: at the end nobody is lost, nobody
//! is doubled, and every mine's headcount is exact.
//!
//! The short form runs with the other tests; `make chaos` runs the long one. Both print their seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod brokers;
#[path = "../common/mod.rs"]
mod common;
mod counters;
mod crowd;
mod proxy;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brokers::{Brokers, Lines};
use common::{bus_at, each, prepare_with, wait_until_counted};
use counters::Counter;
use crowd::{Fed, Oracle, Verdict};
use mineseal_bus::Bus;
use mineseal_domain::MineCode;
use mineseal_engine::decode_state;
use mineseal_schemas::{CounterState, Crossing, Headcount};
use proxy::Line;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;

/// Not a test: the process that the others start and harm.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the other tests as a process of its own"]
async fn counter_process() {
    counters::counter_process().await;
}

/// What a run does.
struct Plan {
    seed: u64,
    brokers: usize,
    mines: usize,
    partitions: i32,
    /// Frames a second that are fed, at most.
    rate: u64,
    /// Feeding goes on at least so long,
    time: Duration,
    /// and until so many crossings went in,
    crossings: u64,
    /// and until every fault happened so often;
    rounds: u32,
    /// but it ends after so long, whatever is still missing.
    longest: Duration,
    /// Between two faults of a kind, milliseconds.
    quiet: std::ops::Range<u64>,
}

const COUNTERS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_once_and_nothing_is_lost_or_doubled() {
    run(Plan {
        seed: number("CHAOS_SEED").unwrap_or(20_261_127),
        brokers: 1,
        mines: 12,
        partitions: 6,
        rate: 400,
        time: Duration::ZERO,
        crossings: 10_000,
        rounds: 1,
        longest: Duration::from_secs(600),
        quiet: 2_000..5_000,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: make chaos"]
async fn long_run() {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    run(Plan {
        seed: number("CHAOS_SEED").unwrap_or_else(clock),
        brokers: number("CHAOS_BROKERS").unwrap_or(3) as usize,
        mines: 24,
        partitions: 12,
        rate: number("CHAOS_RATE").unwrap_or(2_000),
        time: Duration::from_secs(60 * number("CHAOS_MINUTES").unwrap_or(10)),
        crossings: number("CHAOS_CROSSINGS").unwrap_or(1_000_000),
        rounds: 2,
        longest: Duration::from_secs(60 * number("CHAOS_LONGEST_MINUTES").unwrap_or(120)),
        quiet: 5_000..25_000,
    })
    .await;
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is not a number")),
    )
}

async fn run(plan: Plan) {
    println!(
        "seed {}: {} broker(s), {COUNTERS} counters, {} mines in {} partitions, at most {} frames/s; again with CHAOS_SEED={}",
        plan.seed, plan.brokers, plan.mines, plan.partitions, plan.rate, plan.seed
    );
    let random = |stream: u64| {
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
        random.set_stream(stream);
        random
    };
    // Kept when the test fails.
    let folder = tempfile::tempdir().unwrap().keep();
    println!("logs in {}", folder.display());
    let (mut brokers, lines) = Brokers::start(plan.brokers, COUNTERS, &folder).await;
    let bus = bus_at(&brokers.addresses(), "chaos");
    prepare_with(&bus, plan.partitions, if plan.brokers >= 3 { 3 } else { 1 }).await;
    for mine in 0..plan.mines {
        let (mine, camera) = crowd::registration(mine);
        bus.publisher().unwrap().publish(&mine).await.unwrap();
        bus.publisher().unwrap().publish(&camera).await.unwrap();
    }
    let instances = [Some("one"), Some("two"), None];
    let mut counters: Vec<Counter> = (0..COUNTERS)
        .map(|number| {
            Counter::new(
                &lines[number].brokers,
                "chaos",
                instances[number],
                &folder,
                number,
            )
        })
        .collect();

    let oracle = Arc::new(Oracle::new(plan.mines));
    let began = Instant::now();
    let rounds_done = [AtomicBool::new(false), AtomicBool::new(false)];
    let enough = || {
        let all = rounds_done.iter().all(|done| done.load(Ordering::Relaxed))
            && began.elapsed() >= plan.time
            && oracle.registered() >= plan.crossings;
        all || began.elapsed() >= plan.longest
    };
    let (frames, to_counters, to_the_rest) = tokio::join!(
        crowd::feed(&bus, &oracle, plan.mines, plan.rate, random(0), &enough),
        harm_counters(&mut counters, &plan, random(1), &rounds_done[0], &enough),
        harm_the_rest(&mut brokers, &lines, &plan, random(2), &rounds_done[1], &enough),
    );
    let fed_after = began.elapsed();
    for counter in &mut counters {
        counter.start();
    }
    wait_until_counted(&bus, Duration::from_secs(300)).await;
    let counted_after = began.elapsed();
    for counter in &mut counters {
        assert!(counter.leave().await, "a counter does not drain");
    }
    check(&bus, &oracle).await;
    let faults: BTreeMap<&str, u32> = to_counters.into_iter().chain(to_the_rest).collect();
    println!(
        "{frames} frames fed in {fed_after:.1?}, all counted after {counted_after:.1?}; faults: {faults:?}; seed {}",
        plan.seed
    );
    assert_eq!(faults.len(), 8, "{faults:?}");
    assert!(faults.values().all(|&times| times >= plan.rounds), "{faults:?}");
    assert!(
        oracle.registered() >= plan.crossings,
        "time ran out before {} crossings",
        plan.crossings
    );
    let fell: u32 = counters.iter().map(|counter| counter.fell).sum();
    assert_eq!(
        fell,
        0,
        "counters ended by themselves; look at {}",
        folder.display()
    );
    brokers.stop_all().await;
    remove(&folder);
}

fn remove(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
}

async fn pause(random: &mut ChaCha8Rng, milliseconds: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_millis(random.random_range(milliseconds))).await;
}

/// Kills counters, lets them leave, and lets one sleep for longer than the group waits.
async fn harm_counters(
    counters: &mut [Counter],
    plan: &Plan,
    mut random: ChaCha8Rng,
    rounds_done: &AtomicBool,
    enough: &impl Fn() -> bool,
) -> BTreeMap<&'static str, u32> {
    let mut done = BTreeMap::new();
    let mut rounds = 0;
    loop {
        let mut faults = [
            "counter killed",
            "counter killed and away",
            "counter left",
            "counter asleep",
        ];
        faults.shuffle(&mut random);
        for fault in faults {
            for counter in counters.iter_mut() {
                counter.start();
            }
            pause(&mut random, plan.quiet.clone()).await;
            if enough() {
                return done;
            }
            let counter = &mut counters[random.random_range(0..COUNTERS)];
            match fault {
                "counter killed" => counter.kill(),
                "counter killed and away" => {
                    counter.kill();
                    pause(&mut random, 1_000..9_000).await;
                }
                "counter left" => {
                    counter.leave().await;
                    pause(&mut random, 0..4_000).await;
                }
                // The session's time is 6 seconds.
                _ => {
                    counter.signal(Signal::STOP);
                    pause(&mut random, 7_000..10_000).await;
                    counter.signal(Signal::CONT);
                }
            }
            *done.entry(fault).or_default() += 1;
        }
        rounds += 1;
        rounds_done.store(rounds >= plan.rounds, Ordering::Relaxed);
    }
}

/// Cuts lines, lets them stand still, kills brokers and stops them.
async fn harm_the_rest(
    brokers: &mut Brokers,
    lines: &[Lines],
    plan: &Plan,
    mut random: ChaCha8Rng,
    rounds_done: &AtomicBool,
    enough: &impl Fn() -> bool,
) -> BTreeMap<&'static str, u32> {
    let mut done = BTreeMap::new();
    let mut rounds = 0;
    loop {
        let mut faults = ["line cut", "line still", "broker killed", "broker stopped"];
        faults.shuffle(&mut random);
        for fault in faults {
            pause(&mut random, plan.quiet.clone()).await;
            if enough() {
                return done;
            }
            let line = &lines[random.random_range(0..COUNTERS)];
            let broker = random.random_range(0..brokers.count());
            match fault {
                "line cut" => {
                    line.set(Line::Cut);
                    pause(&mut random, 500..9_000).await;
                    line.set(Line::Carries);
                }
                "line still" => {
                    line.set(Line::StandsStill);
                    pause(&mut random, 500..9_000).await;
                    line.set(Line::Carries);
                }
                _ => {
                    assert!(
                        brokers.wait_until_whole(Duration::from_secs(120)).await,
                        "a broker does not catch up"
                    );
                    if fault == "broker killed" {
                        brokers.kill(broker).await;
                    } else {
                        brokers.stop(broker).await;
                    }
                    pause(&mut random, 0..4_000).await;
                    brokers.start_again(broker).await;
                }
            }
            *done.entry(fault).or_default() += 1;
        }
        rounds += 1;
        rounds_done.store(rounds >= plan.rounds, Ordering::Relaxed);
    }
}

/// Every crossing once, every headcount and every mine's own bookkeeping exact.
async fn check(bus: &Bus, oracle: &Arc<Oracle>) {
    let marking = Arc::clone(oracle);
    let mut verdict = each::<Crossing, _>(bus, Verdict::default(), move |verdict, crossing, _| {
        marking.mark(&crossing, verdict);
    })
    .await;
    let headcounts = each::<Headcount, _>(
        bus,
        BTreeMap::<MineCode, Headcount>::new(),
        |newest, headcount, _| {
            newest.insert(headcount.mine.clone(), headcount);
        },
    )
    .await;
    let states = each::<CounterState, _>(
        bus,
        BTreeMap::<MineCode, CounterState>::new(),
        |newest, state, _| {
            newest.insert(state.mine.clone(), state);
        },
    )
    .await;
    let expected = oracle.judge(&mut verdict);
    let registered = oracle.registered();
    let (mut wrong, mut exact) = (Vec::new(), 0);
    let mut total = Fed::default();
    for expected in &expected {
        let mine = &expected.mine;
        let headcount = &headcounts[mine];
        let mouth = headcount.mouths.first();
        let found = (
            headcount.people,
            mouth.map_or(0, |mouth| mouth.entered),
            mouth.map_or(0, |mouth| mouth.left),
        );
        let right = (expected.entered - expected.left, expected.entered, expected.left);
        if found == right {
            exact += 1;
        } else {
            wrong.push(format!("{mine}: {found:?} instead of {right:?}"));
        }
        let seen = decode_state(&states[mine].state).unwrap().statistics();
        let seen = Fed {
            frames: seen.frames,
            repeated: seen.repeated,
            older_session: seen.older_session,
            time_back: seen.time_back,
            clock_set_back: seen.clock_set_back,
        };
        if seen != expected.fed {
            wrong.push(format!("{mine}: {seen:?} instead of {:?}", expected.fed));
        }
        total.frames += seen.frames;
        total.repeated += seen.repeated;
        total.older_session += seen.older_session;
        total.time_back += seen.time_back;
        total.clock_set_back += seen.clock_set_back;
    }
    println!(
        "{registered} crossings registered, {} came out: {} lost, {} doubled, {} of nobody; {exact} of {} headcounts exact; {total:?}",
        verdict.crossings,
        verdict.lost,
        verdict.doubled,
        verdict.unknown,
        expected.len()
    );
    assert_eq!(
        verdict,
        Verdict {
            crossings: registered,
            ..Verdict::default()
        }
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
