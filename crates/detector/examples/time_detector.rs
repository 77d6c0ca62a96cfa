//! Milliseconds for one picture on one thread: on the clock, and of the processor's time, which other jobs on the
//! machine disturb less.
//!
//! `cargo run --release -p mineseal-detector --example time_detector -- WEIGHTS PICTURE [ROUNDS]`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use mineseal_detector::{Detector, DetectorSettings, InputSize, PictureRef, YoloxDetector, read_image_file};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let weights = PathBuf::from(arguments.next().ok_or("which weights?")?);
    let picture = read_image_file(&PathBuf::from(arguments.next().ok_or("which picture?")?))?;
    let rounds: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    for (width, height) in [(640, 384), (416, 416), (320, 192)] {
        for batch in [1, 4] {
            let input = Some(InputSize { width, height });
            let settings = DetectorSettings {
                input,
                max_batch: batch,
                ..DetectorSettings::default()
            };
            let mut detector = YoloxDetector::load(&weights, settings)?;
            let (data, side) = (picture.data.as_slice(), (picture.width, picture.height));
            let pictures = vec![
                PictureRef::Rgb {
                    data,
                    width: side.0,
                    height: side.1
                };
                batch
            ];
            let mut found = detector.detect(&pictures)?;
            let mut times = Vec::with_capacity(rounds);
            let used_before = processor_milliseconds()?;
            for _ in 0..rounds {
                let start = Instant::now();
                found = detector.detect(&pictures)?;
                times.push(start.elapsed().as_secs_f64() * 1e3 / batch as f64);
            }
            times.sort_by(f64::total_cmp);
            let (least, middle) = (times[0], times[rounds / 2]);
            let used = (processor_milliseconds()? - used_before) / (rounds * batch) as f64;
            println!(
                "{height}x{width} batch {batch}: least {least:.2} ms, median {middle:.2} ms, processor {used:.2} ms, {} objects",
                found[0].len()
            );
        }
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
