//! Milliseconds for one picture of 640x384 on one thread with every size of YOLOX, Nano to X, with random weights: the
//! sizes in turns, so that other work on the machine disturbs all alike.
//!
//! `cargo run --release -p mineseal-detector --example time_sizes -- [ROUNDS]`
#![allow(clippy::print_stdout)]

#[path = "../tests/support/weights.rs"]
#[allow(clippy::unwrap_used, reason = "it is made for tests")]
mod weights;

use std::error::Error;
use std::time::Instant;

use mineseal_detector::{Detector, DetectorSettings, InputSize, PictureRef, YoloxDetector};
use weights::{SIZES, save};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(11), |text| text.parse())?;
    let mut detectors = Vec::new();
    for (name, size) in SIZES {
        let tensors = size.random();
        let parameters: usize = tensors.values().map(|(_, numbers)| numbers.len()).sum();
        let folder = tempfile::tempdir()?;
        let metadata = size.metadata();
        let path = save(
            &folder,
            &tensors,
            &metadata.each_ref().map(|(key, value)| (*key, value.as_str())),
        );
        drop(tensors);
        let settings = DetectorSettings {
            input: Some(InputSize::DEFAULT),
            max_batch: 1,
            // Random weights see something everywhere: suppression would be timed and not the net.
            score_threshold: 0.999,
            ..DetectorSettings::default()
        };
        detectors.push((name, parameters, YoloxDetector::load(&path, settings)?));
    }
    let InputSize { width, height } = InputSize::DEFAULT;
    let data: Vec<u8> = (0..width * height * 3)
        .map(|n| ((n * 2_654_435_761) >> 7) as u8)
        .collect();
    let picture = PictureRef::Rgb {
        data: &data,
        width,
        height,
    };
    let mut times = vec![Vec::with_capacity(rounds); detectors.len()];
    // The first round fills memory and is not counted.
    for round in 0..=rounds {
        for ((_, _, detector), times) in detectors.iter_mut().zip(&mut times) {
            let (start, before) = (Instant::now(), processor_milliseconds()?);
            detector.detect(&[picture])?;
            if round > 0 {
                let used = processor_milliseconds()? - before;
                times.push((used, start.elapsed().as_secs_f64() * 1e3));
            }
        }
    }
    println!("| size | parameters, million | processor ms, least | median | clock ms, least |");
    println!("| --- | --- | --- | --- | --- |");
    for ((name, parameters, _), times) in detectors.iter().zip(&mut times) {
        times.sort_by(|one, other| one.0.total_cmp(&other.0));
        let clock = times
            .iter()
            .map(|(_, clock)| *clock)
            .fold(f64::INFINITY, f64::min);
        println!(
            "| {name} | {:.2} | {:.1} | {:.1} | {clock:.1} |",
            *parameters as f64 / 1e6,
            times[0].0,
            times[times.len() / 2].0
        );
    }
    Ok(())
}

/// What this thread has used so far, as Linux counts it.
fn processor_milliseconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text
        .split_whitespace()
        .next()
        .ok_or("schedstat is empty")?
        .parse()?;
    Ok(nanoseconds / 1e6)
}
