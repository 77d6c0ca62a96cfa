//! Prints how well faults of a camera's picture are found, and how often one is reported where there is none.
//!
//! `cargo run --release -p mineseal-picture --example picture_table -- [faults] [start] [replays] [hours=N] [living]
//! [cost] [clips]`; without words, all of it with 104 camera-hours. `first=N` takes other seeds, `seeds=N` so many of
//! each, `only=TEXT` only faults with such a name, or replays whose description has it (all of several), `period=N` one period, `longer=N`
//! looks at replays N seconds longer than they may take, `minutes=N` so many of each living camera, `from=N` leaves out
//! the first N cameras of `hours`, so that many hours can be run in pieces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use std::time::Instant;

use mineseal_scene::SceneKind;

#[path = "../tests/rehearsal/mod.rs"]
mod rehearsal;

use rehearsal::Case;
use rehearsal::cases::{AT_START, FAULTS, OrdinaryDay, PERIODS, at_start, cases, living, replays};

/// Hours of one rendered camera.
const DAY: f64 = 4.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| words.is_empty() || words.iter().any(|word| word == wanted);
    let hours = words
        .iter()
        .find_map(|word| word.strip_prefix("hours=")?.parse::<f64>().ok());
    let number = |name: &str| {
        words
            .iter()
            .find_map(|word| word.strip_prefix(name)?.parse::<u64>().ok())
    };
    let first = number("first=").unwrap_or(0);
    if has("faults") {
        header("fault");
        let seeds = number("seeds=").unwrap_or(2);
        let only = words.iter().find_map(|word| word.strip_prefix("only="));
        for (name, fault) in FAULTS {
            if only.is_some_and(|only| !name.contains(only)) {
                continue;
            }
            row(name, &cases(fault, first, seeds));
        }
    }
    if has("start") {
        header("from the start");
        let seeds = number("seeds=").unwrap_or(2);
        for (name, fault) in FAULTS {
            if AT_START.contains(&name) {
                row(name, &at_start(fault, first, seeds));
            }
        }
    }
    if has("replays") {
        header("replayed, period");
        for period in PERIODS {
            if words
                .iter()
                .any(|word| word.starts_with("period=") && *word != format!("period={period}"))
            {
                continue;
            }
            let mut cases = replays(period, first);
            for only in words.iter().filter_map(|word| word.strip_prefix("only=")) {
                cases.retain(|case| format!("{case:?}").contains(only));
            }
            let longer = number("longer=").unwrap_or(0) as f64;
            cases.iter_mut().for_each(|case| case.longer = longer);
            row(&format!("{period} s"), &cases);
        }
    }
    if let Some(hours) = hours.or(words.is_empty().then_some(104.0)) {
        ordinary(first, number("from=").unwrap_or(0), hours);
    }
    if has("living") {
        alive(first, number("minutes=").unwrap_or(10) as f64 * 60.0);
    }
    if has("cost") {
        cost();
    }
    if has("clips") {
        rehearsal::clips::table();
    }
}

fn header(what: &str) {
    println!("{what:<28} cases  in time   median s  worst s  wrong before");
}

fn row(name: &str, cases: &[Case]) {
    let began = Instant::now();
    let (mut delays, mut missed, mut wrong) = (Vec::new(), Vec::new(), 0);
    for case in cases {
        let outcome = case.run();
        wrong += outcome.before.len();
        if !outcome.before.is_empty() {
            println!(
                "    wrong before: {:?} {:?}: said {:?}",
                case.camera, case.fault, outcome.said
            );
        }
        match outcome.found_after.filter(|&after| after <= case.allowed()) {
            Some(after) => delays.push(after),
            None => missed.push((case, outcome)),
        }
    }
    delays.sort_by(f64::total_cmp);
    println!(
        "{name:<28} {:>5}  {:>6.1} %  {:>8.1}  {:>7.1}  {wrong:>5}   ({:.0} s)",
        cases.len(),
        delays.len() as f64 * 100.0 / cases.len() as f64,
        delays.get(delays.len() / 2).copied().unwrap_or(f64::NAN),
        delays.last().copied().unwrap_or(f64::NAN),
        began.elapsed().as_secs_f64(),
    );
    for (case, outcome) in missed {
        let late = outcome
            .found_after
            .map_or(String::new(), |after| format!(", found after {after:.1} s"));
        println!(
            "    missed: {:?} {:?}: said {:?}{late}",
            case.camera, case.fault, outcome.said
        );
        println!("        at last: {:?}", outcome.last);
    }
}

/// Rendered cameras at five pictures a second, also through encoders.
fn alive(first: u64, seconds: f64) {
    let began = Instant::now();
    let cameras = living(first, seconds);
    let mut wrong = 0;
    for camera in &cameras {
        let said = camera.run();
        wrong += said.len();
        if !said.is_empty() {
            println!("    {camera:?}: {said:?}");
        }
    }
    let hours = cameras.len() as f64 * seconds / 3_600.0;
    println!(
        "living: {hours:.2} camera-hours, five pictures a second: {wrong} false alarms ({:.0} s)",
        began.elapsed().as_secs_f64(),
    );
}

/// What one picture of 640 x 360 costs when ten minutes of pictures are remembered.
fn cost() {
    // All rings are full by then.
    const BEFORE: i64 = 3_100;
    const MEASURED: i64 = 10_000;
    let mut meter = mineseal_picture::HealthMeter::new(&[]);
    let (width, height) = (640, 360);
    let mut chance = 1_u32;
    let noise: Vec<u8> = (0..width * height + 1_000)
        .map(|place| {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (40 + place / 13 % 7 * 20) as u8 + (chance >> 28) as u8
        })
        .collect();
    let grey = vec![130_u8; width / 2 * (height / 2)];
    let plane = |width, height, data| mineseal_picture::LumaPlane::new(width, height, width, data).unwrap();
    let chroma = [
        plane(width / 2, height / 2, &grey),
        plane(width / 2, height / 2, &grey),
    ];
    let mut costs = Vec::new();
    for tens in 0..(BEFORE + MEASURED) / 10 {
        let began = Instant::now();
        for one in 0..10 {
            let number = tens * 10 + one;
            let luma = &noise[(number * 91 % 1_000) as usize..];
            meter.measure_all(
                mineseal_domain::UtcMicros(number * 200_000),
                &plane(width, height, luma),
                Some(&chroma),
            );
        }
        if tens * 10 >= BEFORE {
            costs.push(began.elapsed().as_secs_f64() * 1e3 / 10.0);
        }
    }
    costs.sort_by(f64::total_cmp);
    println!(
        "cost of one picture, ten at a time of {MEASURED}: {:.3} ms in the median, {:.3} ms the quickest",
        costs[costs.len() / 2],
        costs[0],
    );
}

/// Rendered cameras on ordinary days, from camera `from` on.
fn ordinary(first: u64, from: u64, hours: f64) {
    let began = Instant::now();
    let days = (hours / DAY).ceil() as u64;
    let (mut frames, mut wrong) = (0, 0);
    for day in from..from + days {
        let kind = SceneKind::ALL[(day % 4) as usize];
        let mut camera = OrdinaryDay::new(kind, 100 + first * 100 + day, DAY);
        let said = camera.run(|_, _| {});
        frames += camera.frames();
        wrong += said.len();
        if !said.is_empty() {
            println!("    {kind:?} {day}: {said:?}");
        }
        println!(
            "    so far {} camera-hours, {wrong} false alarms ({:.0} s)",
            (day + 1 - from) as f64 * DAY,
            began.elapsed().as_secs_f64(),
        );
    }
    let watched = days as f64 * DAY;
    println!(
        "ordinary: {watched} camera-hours, {frames} pictures of 160 x 90, one a second: {wrong} false alarms, {:.3} per camera-day ({:.0} s)",
        wrong as f64 * 24.0 / watched,
        began.elapsed().as_secs_f64(),
    );
}
