//! Prints how well faults of a camera's picture are found, and how often one is reported where there is none.
//!
//! `cargo run --release -p mineseal-picture --example picture_table -- [faults] [replays] [hours=N] [clips]`;
//! without words, all of it with 104 camera-hours.
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

use rehearsal::cases::{FAULTS, OrdinaryDay, PERIODS, cases, replays};
use rehearsal::{Case, allowed};

/// Hours of one rendered camera.
const DAY: f64 = 4.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| words.is_empty() || words.iter().any(|word| word == wanted);
    let hours = words
        .iter()
        .find_map(|word| word.strip_prefix("hours=")?.parse::<f64>().ok());
    if has("faults") {
        header("fault");
        let seeds = words
            .iter()
            .find_map(|word| word.strip_prefix("seeds=")?.parse().ok())
            .unwrap_or(2);
        let only = words.iter().find_map(|word| word.strip_prefix("only="));
        for (name, fault) in FAULTS {
            if only.is_some_and(|only| !name.contains(only)) {
                continue;
            }
            row(name, &cases(fault, seeds));
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
            row(&format!("{period} s"), &replays(period));
        }
    }
    if let Some(hours) = hours.or(words.is_empty().then_some(104.0)) {
        ordinary(hours);
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
        match outcome.found_after.filter(|&after| after <= allowed(case.fault)) {
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
        println!(
            "    missed: {:?} {:?} seed {} encoded {:?} {:?}: said {:?}",
            case.kind, case.daylight, case.seed, case.encoded, case.fault, outcome.said
        );
    }
}

/// Rendered cameras on ordinary days.
fn ordinary(hours: f64) {
    let began = Instant::now();
    let days = (hours / DAY).ceil() as u64;
    let (mut frames, mut wrong) = (0, 0);
    for day in 0..days {
        let kind = SceneKind::ALL[(day % 4) as usize];
        let mut camera = OrdinaryDay::new(kind, 100 + day, DAY);
        let said = camera.run(|_, _| {});
        frames += camera.frames();
        wrong += said.len();
        if !said.is_empty() {
            println!("    {kind:?} {day}: {said:?}");
        }
    }
    let watched = days as f64 * DAY;
    println!(
        "ordinary: {watched} camera-hours, {frames} pictures of 160 x 90, one a second: {wrong} false alarms, {:.3} per camera-day ({:.0} s)",
        wrong as f64 * 24.0 / watched,
        began.elapsed().as_secs_f64(),
    );
}
