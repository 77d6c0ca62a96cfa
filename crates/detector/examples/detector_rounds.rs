//! The detector as the bench drives it (benches/detector/bench.py): it reads commands from the standard input and
//! answers each with one line of JSON, so that its rounds can stand between those of other programs.
//!
//! `detector_rounds single|bytes WEIGHTS FRAMES WIDTH HEIGHT [JPEG...]`: `FRAMES` holds frames of the net's input size, bytes red,
//! green, blue.
//!
//! - `net BATCH COUNT`: finds the objects of `COUNT` batches; milliseconds for a picture on the clock and of the
//!   processor's time, and page faults for a picture.
//! - `jpeg COUNT`: milliseconds from a JPEG file to the net's input.
//! - `boxes FRAME`: the objects of a frame.
//! - `outputs FRAME`: what the net says of every cell.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use mineseal_detector::{Detector, DetectorSettings, InputSize, PictureRef, Precision, YoloxDetector};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [precision, weights, frames, width, height, jpegs @ ..] = arguments.as_slice() else {
        return Err("detector_rounds single|bytes WEIGHTS FRAMES WIDTH HEIGHT [JPEG...]".into());
    };
    let (width, height) = (width.parse()?, height.parse()?);
    let settings = DetectorSettings {
        input: Some(InputSize { width, height }),
        max_batch: 8,
        precision: match precision.as_str() {
            "single" => Precision::Single,
            "bytes" => Precision::Bytes,
            _ => return Err("single or bytes?".into()),
        },
        ..DetectorSettings::default()
    };
    let mut detector = YoloxDetector::load(Path::new(weights), settings)?;
    let bytes = std::fs::read(frames)?;
    let frames: Vec<PictureRef<'_>> = bytes
        .chunks_exact(width * height * 3)
        .map(|data| PictureRef::Rgb { data, width, height })
        .collect();
    if frames.is_empty() {
        return Err("there is no frame".into());
    }
    let jpegs = jpegs.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    let mut turn = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["net", batch, count] => {
                let (batch, count): (usize, usize) = (batch.parse()?, count.parse()?);
                let mut answer = Answer::default();
                for _ in 0..count {
                    let pictures: Vec<_> = (0..batch).map(|n| frames[(turn + n) % frames.len()]).collect();
                    turn += batch;
                    let (faults, processor, clock) =
                        (page_faults()?, processor_milliseconds()?, Instant::now());
                    detector.detect(&pictures)?;
                    answer
                        .clock
                        .push(clock.elapsed().as_secs_f64() * 1e3 / batch as f64);
                    answer
                        .processor
                        .push((processor_milliseconds()? - processor) / batch as f64);
                    answer.faults.push((page_faults()? - faults) / batch as f64);
                }
                answer.print();
            }
            ["jpeg", count] => {
                let mut answer = Answer::default();
                for index in 0..count.parse()? {
                    let jpeg = PictureRef::Jpeg(jpegs.get(index % jpegs.len().max(1)).ok_or("no JPEG")?);
                    detector.detect(&[jpeg])?;
                    answer.clock.push(detector.timings().pictures.as_secs_f64() * 1e3);
                }
                answer.print();
            }
            ["boxes", frame] => {
                let frame = frames.get(frame.parse::<usize>()?).ok_or("no such frame")?;
                let found = detector.detect(&[*frame])?.remove(0);
                let boxes: Vec<String> = found
                    .iter()
                    .map(|one| {
                        let b = one.bounding_box;
                        let sides = [one.score, b.left, b.top, b.right(), b.bottom()];
                        format!(
                            r#"{{"class": "{}", "numbers": {}}}"#,
                            one.class.name(),
                            list(&sides)
                        )
                    })
                    .collect();
                println!("[{}]", boxes.join(", "));
            }
            ["outputs", frame] => {
                let frame = frames.get(frame.parse::<usize>()?).ok_or("no such frame")?;
                println!("{}", list(&detector.raw_outputs(frame)?));
            }
            _ => return Err(format!("what is {line:?}?").into()),
        }
    }
    Ok(())
}

#[derive(Default)]
struct Answer {
    clock: Vec<f64>,
    processor: Vec<f64>,
    faults: Vec<f64>,
}

impl Answer {
    fn print(&self) {
        println!(
            r#"{{"clock_ms": {}, "processor_ms": {}, "faults": {}}}"#,
            list(&self.clock),
            list(&self.processor),
            list(&self.faults)
        );
    }
}

fn list<N: ToString>(numbers: &[N]) -> String {
    let numbers: Vec<String> = numbers.iter().map(N::to_string).collect();
    format!("[{}]", numbers.join(", "))
}

/// What this thread has used so far, as Linux counts it.
fn processor_milliseconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("schedstat is empty")?;
    Ok(nanoseconds.parse::<f64>()? / 1e6)
}

/// Of this process so far, with and without reading from the disk.
fn page_faults() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // After the name, which stands in brackets: state, ..., minor faults as the 8th field, major ones as the 10th.
    let (_, after) = text.rsplit_once(')').ok_or("stat has no name")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let (minor, major) = (
        fields.get(7).ok_or("short stat")?,
        fields.get(9).ok_or("short stat")?,
    );
    Ok(minor.parse::<f64>()? + major.parse::<f64>()?)
}
