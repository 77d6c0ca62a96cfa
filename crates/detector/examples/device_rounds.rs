//! The detector on a device as the bench drives it (benches/detector/bench_gpu.py): it reads commands from the standard
//! input and answers each with one line of JSON, so that its rounds can stand between those of other programs.
//!
//! `device_rounds DEVICE WEIGHTS WIDTH HEIGHT JPEG...`
//!
//! - `net BATCH TIMES`: the net alone, by the device's clock; seconds for all batches together.
//! - `whole BATCH TIMES`: from decoded pictures of the input's size to boxes, on one thread; seconds.
//! - `profile BATCH TIMES`: microseconds of each launch, run over and over.
//! - `decoded BATCH THREADS SECONDS`: from JPEG files to boxes, on several threads, each with a stream; pictures a second.
#![allow(clippy::print_stdout)]

#[cfg(not(feature = "cuda"))]
fn main() {
    println!("built without the feature cuda");
}

#[cfg(feature = "cuda")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    rounds::run()
}

#[cfg(feature = "cuda")]
mod rounds {
    use std::error::Error;
    use std::io::BufRead;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use mineseal_detector::{Detector, DetectorSettings, InputSize, PictureRef, YoloxDetector};

    #[global_allocator]
    static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

    const MOST: usize = 64;

    pub(crate) fn run() -> Result<(), Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [device, weights, width, height, jpegs @ ..] = arguments.as_slice() else {
            return Err("device_rounds DEVICE WEIGHTS WIDTH HEIGHT JPEG...".into());
        };
        let (width, height) = (width.parse()?, height.parse()?);
        let started = Instant::now();
        let settings = DetectorSettings {
            input: Some(InputSize { width, height }),
            max_batch: MOST,
            device: device.parse()?,
            ..DetectorSettings::default()
        };
        let mut detector = YoloxDetector::load(Path::new(weights), settings)?;
        let jpegs = jpegs.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        if jpegs.is_empty() {
            return Err("there is no picture".into());
        }
        println!(
            "{{\"device\": {:?}, \"load_seconds\": {:.3}}}",
            detector.device_name().unwrap_or("cpu"),
            started.elapsed().as_secs_f64()
        );
        // Noise stands for pictures: the net's time does not hang on what it sees.
        let pixels: Vec<u8> = (0..MOST * width * height * 3)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let pictures: Vec<PictureRef<'_>> = pixels
            .chunks_exact(width * height * 3)
            .map(|data| PictureRef::Rgb { data, width, height })
            .collect();
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["net", batch, times] => {
                    let (batch, times) = (batch.parse()?, times.parse()?);
                    detector.detect(&pictures[..batch])?;
                    let seconds = detector.repeat_on_device(batch, times)?.as_secs_f64();
                    println!("{{\"seconds\": {seconds:.9}}}");
                }
                ["whole", batch, times] => {
                    let (batch, times): (usize, usize) = (batch.parse()?, times.parse()?);
                    let (mut drawn, mut net, mut boxes) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
                    for _ in 0..times {
                        detector.detect(&pictures[..batch])?;
                        let timings = detector.timings();
                        drawn += timings.pictures;
                        net += timings.net;
                        boxes += timings.boxes;
                    }
                    println!(
                        "{{\"draw\": {:.9}, \"upload_net_download\": {:.9}, \"boxes\": {:.9}}}",
                        drawn.as_secs_f64(),
                        net.as_secs_f64(),
                        boxes.as_secs_f64()
                    );
                }
                ["profile", batch, times] => {
                    let (batch, times): (usize, u32) = (batch.parse()?, times.parse()?);
                    let profile = detector.profile_on_device(batch, times as usize)?;
                    let lines: Vec<String> = profile
                        .iter()
                        .map(|(label, taken)| {
                            format!("[{label:?}, {:.3}]", 1e6 * taken.as_secs_f64() / f64::from(times))
                        })
                        .collect();
                    println!("{{\"launches\": [{}]}}", lines.join(", "));
                }
                ["decoded", batch, threads, seconds] => {
                    let rate = decoded(
                        &detector,
                        &jpegs,
                        batch.parse()?,
                        threads.parse()?,
                        seconds.parse()?,
                    )?;
                    println!("{{\"pictures_per_second\": {rate:.1}}}");
                }
                _ => return Err(format!("unknown command {line:?}").into()),
            }
        }
        Ok(())
    }

    /// Pictures a second of several detectors, each with its own stream of the same device.
    fn decoded(
        detector: &YoloxDetector,
        jpegs: &[Vec<u8>],
        batch: usize,
        threads: usize,
        seconds: f64,
    ) -> Result<f64, Box<dyn Error>> {
        let mut detectors = (0..threads)
            .map(|_| detector.another())
            .collect::<Result<Vec<_>, _>>()?;
        let pictures: Vec<PictureRef<'_>> = (0..batch)
            .map(|n| PictureRef::Jpeg(&jpegs[n % jpegs.len()]))
            .collect();
        for detector in &mut detectors {
            detector.detect(&pictures)?;
        }
        let started = Instant::now();
        let enough = Duration::from_secs_f64(seconds);
        let counts: Result<Vec<usize>, String> = std::thread::scope(|scope| {
            let threads: Vec<_> = detectors
                .iter_mut()
                .map(|detector| {
                    let pictures = &pictures;
                    scope.spawn(move || {
                        let mut count = 0;
                        while started.elapsed() < enough {
                            detector.detect(pictures).map_err(|error| error.to_string())?;
                            count += pictures.len();
                        }
                        Ok(count)
                    })
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|count| count.unwrap_or_else(|_| Err("a thread was lost".to_owned())))
                .collect()
        });
        Ok(counts?.iter().sum::<usize>() as f64 / started.elapsed().as_secs_f64())
    }
}
