//! The service `inference` as it stands in the cluster, from a real Kafka to a real Kafka: how many frames one process
//! looks at in a second when as many wait as it can take. `make bench-inference`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use mineseal_benches::load::Resources;
use mineseal_bus::{Bus, BusSettings, SubscriptionSettings, TopicLayout};
use mineseal_domain::{CameraCode, UtcMicros};
use mineseal_schemas::samples::samples;
use mineseal_schemas::{Detections, Frame};
use tokio::process::{Child, Command};
use uuid::Uuid;

/// Prints one JSON object as its last line.
#[derive(Parser)]
#[command(about = "Frames a second of the service inference, from Kafka to Kafka")]
struct Arguments {
    /// The service's program.
    #[arg(long)]
    program: PathBuf,
    /// Folder of JPEG files, taken in turns.
    #[arg(long)]
    pictures: PathBuf,
    /// `host:port` of Kafka.
    #[arg(long, env = "MINESEAL_TEST_KAFKA")]
    kafka: String,
    /// Where the net runs.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Single-threaded detectors; 0 for half of the cores.
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Most pictures in a batch.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Cameras that the frames come from.
    #[arg(long, default_value_t = 200)]
    cameras: usize,
    /// Frames of all cameras together.
    #[arg(long, default_value_t = 4000)]
    frames: usize,
    /// Partitions of the frames.
    #[arg(long, default_value_t = 12)]
    partitions: i32,
}

/// How long the next detections may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.frames > 0 && arguments.cameras > 0,
        "there has to be a frame and a camera"
    );
    let jpegs = pictures(&arguments.pictures)?;
    let mut bus_settings = BusSettings::new(arguments.kafka.clone());
    bus_settings.topic_prefix = format!("inference-load-{}", Uuid::now_v7().simple());
    let prefix = bus_settings.topic_prefix.clone();
    let bus = Bus::connect(bus_settings)?;
    bus.wait_until_ready(PATIENCE).await?;
    bus.ensure_topics(TopicLayout {
        mine_partitions: 4,
        camera_partitions: arguments.partitions,
        replication: 1,
    })
    .await?;
    let bytes = publish(&bus, &arguments, &jpegs).await?;
    tell(&format!(
        "{} frames of {} cameras wait, {:.1} MB",
        arguments.frames,
        arguments.cameras,
        bytes as f64 / 1e6
    ));
    let mut service = start(&arguments, &prefix)?;
    let process = service.id().context("the service ended at once")?;
    let measured = tokio::select! {
        measured = measure(&bus, process, arguments.frames) => measured?,
        ended = service.wait() => bail!("the service ended with {}", ended?),
    };
    stop(&mut service).await?;
    print(&format!(
        "{{\"device\": \"{}\", \"workers\": {}, \"batch\": {}, \"cameras\": {}, \"frames\": {}, \"bytes_per_frame\": {}, \
         \"seconds\": {:.3}, \"frames_per_second\": {:.1}, \"processor_milliseconds_per_frame\": {:.3}, \
         \"boxes\": {}, \"repeated\": {}, \"unusable\": {}}}",
        arguments.device,
        arguments.workers,
        arguments.batch,
        arguments.cameras,
        arguments.frames,
        bytes / arguments.frames,
        measured.seconds,
        measured.counted as f64 / measured.seconds,
        measured.processor_seconds * 1e3 / measured.counted as f64,
        measured.boxes,
        measured.repeated,
        measured.unusable,
    ));
    Ok(())
}

fn pictures(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "jpg" || end == "jpeg"))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "there is no JPEG file in {}", folder.display());
    files.iter().map(|file| Ok(std::fs::read(file)?)).collect()
}

/// Cameras in turn, each with its own session and sequence. Returns the bytes of all pictures.
async fn publish(bus: &Bus, arguments: &Arguments, jpegs: &[Vec<u8>]) -> Result<usize> {
    let sample = samples()?.frame;
    let publisher = bus.publisher()?;
    let session = Uuid::now_v7();
    let mut bytes = 0;
    let mut deliveries = Vec::new();
    for number in 0..arguments.frames {
        let jpeg = jpegs[number % jpegs.len()].clone();
        bytes += jpeg.len();
        let camera: CameraCode = format!("150602004199960078{:06}", number % arguments.cameras).parse()?;
        let frame = Frame {
            camera,
            session,
            sequence: (number / arguments.cameras) as i64,
            captured_at: UtcMicros(sample.captured_at.0 + (number / arguments.cameras) as i64 * 200_000),
            detect: true,
            corrupt: false,
            jpeg,
            ..sample.clone()
        };
        deliveries.push(publisher.enqueue(&frame, Default::default()).await?);
        if deliveries.len() >= 1000 {
            for delivery in deliveries.drain(..) {
                delivery.acknowledged().await?;
            }
        }
    }
    for delivery in deliveries {
        delivery.acknowledged().await?;
    }
    Ok(bytes)
}

fn start(arguments: &Arguments, prefix: &str) -> Result<Child> {
    Command::new(&arguments.program)
        .env("KAFKA_BROKERS", &arguments.kafka)
        .env("MINESEAL_KAFKA__TOPIC_PREFIX", prefix)
        .env("MINESEAL_INFERENCE__DEVICE", &arguments.device)
        .env("MINESEAL_INFERENCE__WORKERS", arguments.workers.to_string())
        .env("MINESEAL_INFERENCE__BATCH", arguments.batch.to_string())
        .env("MINESEAL_TELEMETRY__LISTEN", "127.0.0.1:0")
        // Of the scripts beside this program; services refuse settings that they do not know.
        .env_remove("MINESEAL_PICTURES")
        .env_remove("MINESEAL_CACHE")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", arguments.program.display()))
}

struct Measured {
    /// From the first detections that were seen to the last ones.
    seconds: f64,
    /// Detections that came in that time.
    counted: usize,
    processor_seconds: f64,
    boxes: usize,
    repeated: usize,
    unusable: usize,
}

/// The clock begins with the first detections, so that loading weights and joining the group stay out.
async fn measure(bus: &Bus, process: u32, frames: usize) -> Result<Measured> {
    let mut reading = SubscriptionSettings::new("inference-load");
    reading.max_records = 2000;
    let mut subscription = bus.subscribe::<Detections>(reading)?;
    let mut seen = HashSet::new();
    let mut began: Option<(Instant, Resources, usize)> = None;
    let (mut boxes, mut repeated, mut unusable) = (0, 0, 0);
    while seen.len() < frames {
        let Ok(batch) = tokio::time::timeout(PATIENCE, subscription.next()).await else {
            bail!(
                "only {} of {frames} frames came out within {} s",
                seen.len(),
                PATIENCE.as_secs()
            );
        };
        let batch = batch.context("the reader ended")?;
        for record in &batch.records {
            let detections = &record.value;
            if seen.insert((detections.camera.clone(), detections.sequence)) {
                boxes += detections.boxes.len();
                unusable += usize::from(detections.corrupt);
            } else {
                repeated += 1;
            }
        }
        batch.acknowledge();
        began.get_or_insert_with(|| {
            (
                Instant::now(),
                Resources::of(process).unwrap_or_default(),
                seen.len(),
            )
        });
    }
    let (moment, before, first) = began.context("no detections came")?;
    let after = Resources::of(process).context("the service ended")?;
    ensure!(
        seen.len() > first,
        "all came in one batch: more frames are needed"
    );
    Ok(Measured {
        seconds: moment.elapsed().as_secs_f64(),
        counted: seen.len() - first,
        processor_seconds: after.processor_seconds - before.processor_seconds,
        boxes,
        repeated,
        unusable,
    })
}

async fn stop(service: &mut Child) -> Result<()> {
    if let Some(process) = service.id() {
        Command::new("kill").arg(process.to_string()).status().await?;
    }
    let status = tokio::time::timeout(PATIENCE, service.wait()).await??;
    ensure!(status.success(), "the service ended with {status}");
    Ok(())
}

#[allow(clippy::print_stderr)]
fn tell(text: &str) {
    eprintln!("{text}");
}

#[allow(clippy::print_stdout)]
fn print(text: &str) {
    println!("{text}");
}
