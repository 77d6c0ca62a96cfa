//! What one 1080p25 camera costs at five frames a second, beside FFmpeg's own command in the same run.
//!
//! `make bench-extractor`; needs `ffmpeg`, and a Kafka at `MINESEAL_TEST_KAFKA`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mineseal_bus::{Bus, BusSettings, TopicLayout, TraceContext};
use mineseal_domain::UtcMicros;
use mineseal_picture::{HealthMeter, LumaPlane};
use mineseal_schemas::{Frame, Topic, encode};
use mineseal_video::{JpegEncoder, OpenSettings, Sampler, Scaler, Source, VideoReader, YuvPicture};
use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use uuid::Uuid;

/// Length of the clip, seconds.
const SECONDS: f64 = 40.0;
const ROUNDS: usize = 5;
const RATE: f64 = 5.0;
/// How often all frames are sent with each compression.
const COMPRESSION_ROUNDS: usize = 10;

/// Processor seconds of this process and of those that it has waited for.
fn processor_seconds() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    // Fields 14 to 17 of proc(5), in hundredths of a second; the first two words are cut off here.
    ((ticks(11) + ticks(12)) / 100.0, (ticks(13) + ticks(14)) / 100.0)
}

fn ffmpeg(arguments: &[&str]) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .expect("ffmpeg");
    assert!(status.success());
}

fn decoded(clip: &Path) -> Vec<(i64, YuvPicture)> {
    let mut reader = VideoReader::open(&Source::File(clip.to_path_buf()), &OpenSettings::default()).unwrap();
    let mut sampler = Sampler::new(RATE, reader.facts().frames_per_second).unwrap();
    let mut scaler = Scaler::to_width(640);
    let mut pictures = Vec::new();
    while let Some(picture) = reader.next().unwrap() {
        if sampler.take(picture.media_time_micros) {
            pictures.push((picture.media_time_micros, scaler.scale(&picture).unwrap()));
        }
    }
    pictures
}

/// Measures and encodes as the extractor does; the frames.
fn frames(pictures: &[(i64, YuvPicture)]) -> Vec<Frame> {
    let mut meter = HealthMeter::new(&[]);
    let mut encoder = JpegEncoder::new(75).unwrap();
    let session = Uuid::now_v7();
    let framed = pictures
        .iter()
        .enumerate()
        .map(|(sequence, (media_time, small))| {
            let (width, height) = (small.width() as usize, small.height() as usize);
            let plane = |index: usize| {
                let length = small.row_length(index);
                let rows = if index == 0 { height } else { height.div_ceil(2) };
                LumaPlane::new(length, rows, length, &small.planes()[index]).unwrap()
            };
            let captured_at = UtcMicros(1_800_000_000_000_000 + media_time);
            let (health, view) = meter.measure_all(captured_at, &plane(0), Some(&[plane(1), plane(2)]));
            Frame {
                camera: "150602004199960078664301".parse().unwrap(),
                mine: "150602007866".parse().unwrap(),
                place: mineseal_domain::PlaceClass::MAIN_SHAFT,
                session,
                sequence: sequence as i64,
                captured_at,
                published_at: captured_at,
                media_time_micros: *media_time,
                width: width as i32,
                height: height as i32,
                source_width: 1_920,
                source_height: 1_080,
                corrupt: false,
                detect: true,
                clock_suspect: false,
                health,
                view,
                jpeg: encoder.encode(small).unwrap(),
            }
        });
    framed.collect()
}

/// Keeps how often a producer has told, and how many bytes it has sent to its brokers.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<(u64, u64)>>);

impl ClientContext for Sent {
    fn stats(&self, statistics: Statistics) {
        let mut told = self.0.lock().unwrap();
        *told = (
            told.0 + 1,
            statistics.brokers.values().map(|broker| broker.txbytes).sum(),
        );
    }
}

impl ProducerContext for Sent {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Processor seconds and bytes on the wire of one frame when a producer, set as the extractor's, compresses so. The frames
/// come as those of twelve cameras at once do, so that the best is made of each batch.
fn compressed(bus: &Bus, values: &[Vec<u8>], compression: &str) -> (f64, f64) {
    let mut config = bus.client_config();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("message.max.bytes", "16000000")
        .set("statistics.interval.ms", "100")
        .set("compression.type", compression);
    let sent = Sent::default();
    let producer: BaseProducer<Sent> = config.create_with_context(sent.clone()).unwrap();
    let topic = bus.topic_name(Topic::Frames);
    // The first message waits for the broker to be known.
    producer
        .send(BaseRecord::to(&topic).key("first").payload(&values[0]))
        .unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
    let told = || {
        // What is told after the next time is of after what was sent.
        let times = sent.0.lock().unwrap().0 + 2;
        loop {
            producer.poll(Duration::from_millis(100));
            let (now, bytes) = *sent.0.lock().unwrap();
            if now >= times {
                break bytes;
            }
        }
    };
    let (before, begun) = (told(), processor_seconds().0);
    for _ in 0..COMPRESSION_ROUNDS {
        for batch in values.chunks(12) {
            for value in batch {
                producer
                    .send(BaseRecord::to(&topic).key("camera").payload(value))
                    .unwrap();
            }
            producer.flush(Duration::from_secs(30)).unwrap();
        }
    }
    let spent = processor_seconds().0 - begun;
    let count = (COMPRESSION_ROUNDS * values.len()) as f64;
    (spent / count, (told() - before) as f64 / count)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("camera.mp4");
    let source = format!("testsrc2=size=1920x1080:rate=25:duration={SECONDS},noise=alls=5:allf=t");
    let file = clip.to_str().unwrap();
    ffmpeg(&[
        "-f", "lavfi", "-i", &source, "-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-bf", "0",
        "-b:v", "4M", "-pix_fmt", "yuv420p", file,
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let bus = runtime.block_on(async {
        let settings = BusSettings {
            topic_prefix: format!("bench-{}", Uuid::now_v7().simple()),
            ..BusSettings::new(std::env::var("MINESEAL_TEST_KAFKA").expect("MINESEAL_TEST_KAFKA"))
        };
        let bus = Bus::connect(settings).unwrap();
        let layout = TopicLayout {
            mine_partitions: 1,
            camera_partitions: 1,
            replication: 1,
        };
        bus.ensure_topics(layout).await.unwrap();
        bus
    });
    let publisher = bus.publisher().unwrap();
    let (mut peer, mut own, mut rest, mut measuring, mut sending) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut bytes, mut values) = (0.0, Vec::new());
    for _ in 0..ROUNDS {
        let begun = processor_seconds().1;
        ffmpeg(&[
            "-threads",
            "1",
            "-i",
            file,
            "-an",
            "-vf",
            "fps=5,scale=640:360:flags=area",
            "-pix_fmt",
            "yuv420p",
            "-f",
            "null",
            "-",
        ]);
        peer.push(processor_seconds().1 - begun);
        let begun = processor_seconds().0;
        let pictures = decoded(&clip);
        own.push(processor_seconds().0 - begun);
        let begun = processor_seconds().0;
        let made = frames(&pictures);
        values = made.iter().map(|frame| encode(frame).unwrap()).collect();
        let measured = processor_seconds().0;
        bytes = values.iter().map(Vec::len).sum::<usize>() as f64 / made.len() as f64;
        measuring.push((measured - begun) / made.len() as f64);
        runtime.block_on(async {
            for frame in &made {
                let delivery = publisher.enqueue(frame, TraceContext::current()).await.unwrap();
                delivery.acknowledged().await.unwrap();
            }
        });
        let sent = processor_seconds().0;
        sending.push(sent - measured);
        rest.push(sent - begun);
    }
    let share = |seconds: f64| seconds / SECONDS * 100.0;
    let (peer, own, rest) = (median(peer), median(own), median(rest));
    println!(
        "1080p25 H.264 of 4 Mb/s, {RATE} frames a second at 640x360; processor time, medians of {ROUNDS} rounds"
    );
    println!("ffmpeg, decode + fps + scale     {:6.2} % of a core", share(peer));
    println!(
        "here, decode + sample + scale    {:6.2} % of a core, {:.3} of ffmpeg",
        share(own),
        own / peer
    );
    println!("here, measures + JPEG + Kafka    {:6.2} % of a core", share(rest));
    println!(
        "  of it measures, JPEG, Avro     {:6.2} ms a frame",
        median(measuring) * 1e3
    );
    println!(
        "  of it Kafka, with its encoding {:6.2} % of a core",
        share(median(sending))
    );
    println!("bytes of a frame on the bus      {bytes:8.0}");
    println!("cameras of a core                {:6.1}", SECONDS / (own + rest));
    println!("frames on the bus by compression, sent {COMPRESSION_ROUNDS} times, twelve at once:");
    compare(&bus, "the clip above", &values);
    for name in ["car-detection.mp4", "one-by-one-person-detection.mp4"] {
        let clip = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/video")).join(name);
        if clip.exists() {
            let made = frames(&decoded(&clip));
            let values: Vec<Vec<u8>> = made.iter().map(|frame| encode(frame).unwrap()).collect();
            compare(&bus, name, &values);
        } else {
            println!("skipped: ../shared/data/video/{name} is absent");
        }
    }
}

/// Prints what each compression makes of the frames.
fn compare(bus: &Bus, name: &str, values: &[Vec<u8>]) {
    let length = values.iter().map(Vec::len).sum::<usize>() / values.len().max(1);
    println!("  {name}: {} frames of {length} bytes", values.len());
    for compression in ["none", "lz4", "zstd"] {
        let (seconds, sent) = compressed(bus, values, compression);
        println!(
            "    {compression:4} {:7.3} ms a frame, {sent:8.0} bytes on the wire",
            seconds * 1e3
        );
    }
}
