//! Frames in, detections out, over a real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../../../crates/detector/tests/support/weights.rs"]
mod weights;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mineseal_bus::{Bus, BusSettings, SubscriptionSettings, TopicLayout};
use mineseal_detector::InputSize;
use mineseal_domain::{CameraCode, ObjectClass};
use mineseal_inference::{InferenceError, InferenceSettings, run};
use mineseal_schemas::samples::samples;
use mineseal_schemas::{DeadLetter, Detections, Frame, FrameLocation, Record, decode};
use mineseal_telemetry::{Health, Metrics, ServiceState};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

/// Topics of its own, weights of its own.
struct Setting {
    bus: Bus,
    bus_settings: BusSettings,
    folder: TempDir,
}

impl Setting {
    async fn new() -> Self {
        let brokers =
            std::env::var("MINESEAL_TEST_KAFKA").expect("set MINESEAL_TEST_KAFKA (make test starts one)");
        let mut bus_settings = BusSettings::new(brokers);
        bus_settings.topic_prefix = format!("test-{}", Uuid::now_v7().simple());
        let bus = Bus::connect(bus_settings.clone()).unwrap();
        bus.wait_until_ready(SOON).await.unwrap();
        let layout = TopicLayout {
            mine_partitions: 2,
            camera_partitions: 3,
            replication: 1,
        };
        bus.ensure_topics(layout).await.unwrap();
        let folder = TempDir::new().unwrap();
        weights::save(&folder, &weights::tensors(3), &weights::METADATA);
        Self {
            bus,
            bus_settings,
            folder,
        }
    }

    fn weights(&self) -> PathBuf {
        self.folder.path().join("weights.safetensors")
    }

    /// Two detectors of a small input, batches of three.
    fn settings(&self) -> InferenceSettings {
        InferenceSettings {
            input: Some(InputSize {
                width: 64,
                height: 32,
            }),
            workers: 2,
            batch: 3,
            ..InferenceSettings::new(self.weights())
        }
    }

    fn start(&self, settings: InferenceSettings) -> Service {
        let (shutdown, health) = (CancellationToken::new(), Health::default());
        let metrics = Metrics::default();
        let bus = self.bus_settings.clone();
        let running = run(settings, bus, health.clone(), metrics.clone(), shutdown.clone());
        Service {
            shutdown,
            health,
            metrics,
            running: tokio::spawn(running),
        }
    }

    async fn publish(&self, frames: &[Frame]) -> Vec<FrameLocation> {
        let publisher = self.bus.publisher().unwrap();
        let mut deliveries = Vec::new();
        for frame in frames {
            deliveries.push(publisher.enqueue(frame, Default::default()).await.unwrap());
        }
        let mut locations = Vec::new();
        for delivery in deliveries {
            let published = delivery.acknowledged().await.unwrap();
            locations.push(FrameLocation {
                partition: published.partition,
                offset: published.offset,
            });
        }
        locations
    }

    /// Records of a topic from its beginning, until `enough`.
    async fn read<R: Record + Send + 'static>(&self, enough: impl Fn(&[R]) -> bool) -> Vec<R> {
        let group = format!("reader-{}", Uuid::now_v7().simple());
        let mut subscription = self.bus.subscribe::<R>(SubscriptionSettings::new(group)).unwrap();
        let mut records = Vec::new();
        while !enough(&records) {
            let batch = timeout(SOON, subscription.next()).await;
            let batch = batch
                .unwrap_or_else(|_| panic!("only {} records came", records.len()))
                .unwrap();
            records.extend(batch.records.iter().map(|record| decode_again(&record.value)));
            batch.acknowledge();
        }
        records
    }
}

/// Records are not `Clone` for every type: through their own encoding.
fn decode_again<R: Record>(record: &R) -> R {
    decode(&mineseal_schemas::encode(record).unwrap()).unwrap()
}

struct Service {
    shutdown: CancellationToken,
    health: Health,
    metrics: Metrics,
    running: JoinHandle<Result<(), InferenceError>>,
}

impl Service {
    async fn stop(self) {
        self.shutdown.cancel();
        timeout(SOON, self.running)
            .await
            .expect("the service did not stop")
            .unwrap()
            .unwrap();
        assert!(
            self.health
                .report()
                .iter()
                .all(|one| one.state == ServiceState::Stopped)
        );
    }
}

fn camera(number: usize) -> CameraCode {
    format!("1506020041999600786643{number:02}").parse().unwrap()
}

fn jpeg() -> Vec<u8> {
    let (width, height) = (64, 36);
    let pixels: Vec<u8> = (0..width * height * 3).map(|n| (n * 31 % 256) as u8).collect();
    let image = turbojpeg::Image {
        pixels: pixels.as_slice(),
        width,
        pitch: width * 3,
        height,
        format: turbojpeg::PixelFormat::RGB,
    };
    turbojpeg::compress(image, 80, turbojpeg::Subsamp::Sub2x2)
        .unwrap()
        .to_vec()
}

fn flat(
    width: usize,
    height: usize,
    format: turbojpeg::PixelFormat,
    subsampling: turbojpeg::Subsamp,
) -> Vec<u8> {
    let pixels = vec![90; width * height * format.size()];
    let image = turbojpeg::Image {
        pixels: pixels.as_slice(),
        width,
        pitch: width * format.size(),
        height,
        format,
    };
    turbojpeg::compress(image, 80, subsampling).unwrap().to_vec()
}

/// `count` frames of each camera, the cameras in turn.
fn frames(cameras: usize, count: usize) -> Vec<Frame> {
    let (sample, jpeg) = (samples().unwrap().frame, jpeg());
    let session = Uuid::now_v7();
    let frame = |sequence: usize, number: usize| Frame {
        camera: camera(number),
        session,
        sequence: sequence as i64,
        detect: true,
        corrupt: false,
        jpeg: jpeg.clone(),
        ..sample.clone()
    };
    (0..count)
        .flat_map(|sequence| (0..cameras).map(move |number| (sequence, number)))
        .map(|(s, n)| frame(s, n))
        .collect()
}

fn by_camera(records: &[Detections]) -> BTreeMap<&CameraCode, Vec<i64>> {
    let mut sequences: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for record in records {
        sequences.entry(&record.camera).or_default().push(record.sequence);
    }
    sequences
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_gives_its_detections_in_the_order_of_its_camera() {
    let setting = Setting::new().await;
    let mut frames = frames(5, 60);
    // Every seventh frame passes by.
    for frame in frames.iter_mut().step_by(7) {
        frame.detect = false;
    }
    let service = setting.start(setting.settings());
    let locations = setting.publish(&frames).await;
    let found = setting
        .read::<Detections>(|found| found.len() >= frames.len())
        .await;
    assert_eq!(found.len(), frames.len());
    let sequences = by_camera(&found);
    assert_eq!(sequences.len(), 5);
    assert!(
        sequences.values().all(|one| one.iter().copied().eq(0..60)),
        "{sequences:?}"
    );
    for (frame, location) in frames.iter().zip(&locations) {
        let of_frame = |one: &&Detections| one.camera == frame.camera && one.sequence == frame.sequence;
        let one = found.iter().find(of_frame).unwrap();
        assert_eq!(
            (one.frame, &one.mine, one.captured_at),
            (*location, &frame.mine, frame.captured_at)
        );
        assert_eq!(one.model.is_empty(), !frame.detect);
        assert!(frame.detect || one.boxes.is_empty());
        assert!(!one.corrupt);
    }
    assert!(service.health.is_ready());
    service.stop().await;

    // All of it is committed: a new one has nothing to repeat.
    let service = setting.start(setting.settings());
    setting
        .publish(&[Frame {
            sequence: 60,
            ..frames[1].clone()
        }])
        .await;
    let found = setting
        .read::<Detections>(|found| found.iter().any(|one| one.sequence == 60))
        .await;
    assert_eq!(found.len(), frames.len() + 1);
    service.stop().await;
}

/// Every cell of the net is sure of a box of its own: as many as a picture can have.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_full_of_boxes_goes_on_whole() {
    let setting = Setting::new().await;
    let mut tensors = weights::tensors(3);
    for level in 0..3 {
        for (name, value) in [("obj", 9.0), ("cls", 5.0), ("reg", 0.0)] {
            let path = format!("head.{name}_preds.{level}");
            tensors.get_mut(&format!("{path}.weight")).unwrap().1.fill(0.0);
            tensors.get_mut(&format!("{path}.bias")).unwrap().1.fill(value);
        }
    }
    weights::save(&setting.folder, &tensors, &weights::METADATA);
    let frames = frames(2, 4);
    let settings = InferenceSettings {
        input: Some(InputSize::DEFAULT),
        ..setting.settings()
    };
    let service = setting.start(settings);
    setting.publish(&frames).await;
    let found = setting
        .read::<Detections>(|found| found.len() >= frames.len())
        .await;
    assert!(by_camera(&found).values().all(|one| one.iter().copied().eq(0..4)));
    for one in &found {
        // The picture is 64x36, so that its letterbox leaves cells below it whose boxes lie outside: they stay too.
        assert_eq!(one.boxes.len(), 5_040);
        assert!(!one.corrupt);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_cannot_be_used_does_not_stop_the_stream() {
    let setting = Setting::new().await;
    let mut frames = frames(2, 20);
    let whole = frames[0].jpeg.clone();
    frames[6].jpeg = b"not a picture".to_vec();
    frames[7].jpeg = whole[..whole.len() / 2].to_vec();
    frames[8].jpeg = Vec::new();
    // No camera sends CMYK: it is refused like what is no picture at all. The other odd ones are looked at.
    frames[9].jpeg = flat(64, 36, turbojpeg::PixelFormat::CMYK, turbojpeg::Subsamp::None);
    let odd = [
        flat(1, 1, turbojpeg::PixelFormat::RGB, turbojpeg::Subsamp::Sub2x2),
        flat(64, 36, turbojpeg::PixelFormat::GRAY, turbojpeg::Subsamp::Gray),
        flat(
            8_000,
            8_000,
            turbojpeg::PixelFormat::RGB,
            turbojpeg::Subsamp::Sub2x2,
        ),
    ];
    for (frame, jpeg) in frames[20..].iter_mut().zip(odd) {
        frame.jpeg = jpeg;
    }
    let service = setting.start(setting.settings());
    let locations = setting.publish(&frames).await;
    let found = setting
        .read::<Detections>(|found| found.len() >= frames.len())
        .await;
    assert!(
        by_camera(&found)
            .values()
            .all(|one| one.iter().copied().eq(0..20))
    );
    for (index, (frame, location)) in frames.iter().zip(&locations).enumerate() {
        let one = found.iter().find(|one| one.frame == *location).unwrap();
        assert_eq!(one.corrupt, (6..=9).contains(&index), "frame {index}");
        assert!(!one.corrupt || one.boxes.is_empty());
        assert_eq!(one.sequence, frame.sequence);
    }
    let letters = setting.read::<DeadLetter>(|letters| letters.len() >= 4).await;
    assert_eq!(letters.len(), 4);
    for letter in &letters {
        assert_eq!(letter.topic, setting.bus.topic_name(Frame::TOPIC));
        assert_eq!(letter.service, "inference");
        assert!(letter.reason.contains("not a usable JPEG"), "{}", letter.reason);
        let location = FrameLocation {
            partition: letter.partition,
            offset: letter.offset,
        };
        let index = locations.iter().position(|one| *one == location).unwrap();
        assert_eq!(decode::<Frame>(&letter.value).unwrap(), frames[index]);
    }
    // What a scrape finds of it.
    let text = service.metrics.text();
    let count = |series: &str| -> u64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series))
            .unwrap_or_else(|| panic!("{series}:\n{text}"));
        line.trim().parse().unwrap()
    };
    let looked_at = frames.len() as u64 - 4;
    assert_eq!(count("mineseal_inference_images_total{} "), looked_at);
    assert_eq!(count("mineseal_inference_skipped_total{reason=\"unusable\"} "), 4);
    assert_eq!(
        count("mineseal_inference_skipped_total{reason=\"cancelled\"} "),
        0
    );
    assert_eq!(count("mineseal_inference_frames_total{result=\"unusable\"} "), 4);
    assert_eq!(
        count("mineseal_inference_stage_seconds_count{stage=\"queue\"} "),
        frames.len() as u64
    );
    for stage in ["decode", "net", "nms"] {
        let series = format!("mineseal_inference_stage_seconds_count{{stage=\"{stage}\"}} ");
        assert_eq!(count(&series), looked_at, "{stage}");
    }
    assert_eq!(
        count("mineseal_inference_batch_size_bucket{le=\"4.0\"} "),
        count("mineseal_inference_batch_size_count{} ")
    );
    service.stop().await;
}

/// The service as a process of its own; killed when dropped.
struct Process(Child);

impl Process {
    fn start(setting: &Setting) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mineseal-inference"))
            .env("KAFKA_BROKERS", &setting.bus_settings.brokers)
            .env("MINESEAL_KAFKA__TOPIC_PREFIX", &setting.bus_settings.topic_prefix)
            .env("MINESEAL_INFERENCE__WEIGHTS", setting.weights())
            .env("MINESEAL_INFERENCE__INPUT_WIDTH", "640")
            .env("MINESEAL_INFERENCE__INPUT_HEIGHT", "384")
            .env("MINESEAL_INFERENCE__WORKERS", "1")
            .env("MINESEAL_TELEMETRY__LISTEN", port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_no_frame_is_missing() {
    let setting = Setting::new().await;
    let frames = frames(3, 80);
    setting.publish(&frames).await;
    let killed = Process::start(&setting);
    let before = setting.read::<Detections>(|found| found.len() >= 20).await;
    killed.kill();
    assert!(before.len() < frames.len(), "it was done before it was killed");
    let _second = Process::start(&setting);
    let all_there = |found: &[Detections]| {
        let sequences = by_camera(found);
        sequences.len() == 3
            && sequences
                .values()
                .all(|one| (0..80).all(|sequence| one.contains(&sequence)))
    };
    let found = setting.read::<Detections>(all_there).await;
    println!("{} detections for {} frames", found.len(), frames.len());
    assert!(
        found.len() > frames.len(),
        "what was in hand at the kill was not repeated"
    );
    for mut sequences in by_camera(&found).into_values() {
        // A repetition starts over at the last commit, and goes on in order.
        let backwards = sequences.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(backwards <= 1, "{sequences:?}");
        sequences.sort_unstable();
        sequences.dedup();
        assert!(sequences.into_iter().eq(0..80));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_weights_end_the_service_with_a_reason() {
    let setting = Setting::new().await;
    let weights = setting.folder.path().join("none.safetensors");
    let running = setting.start(InferenceSettings::new(weights)).running;
    let error = timeout(SOON, running)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot read") && error.contains("none.safetensors"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_in_a_real_picture() {
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let weights = shared.join("models/yolox_nano.safetensors");
    if !weights.exists() {
        println!(
            "skipped: people in a real picture need ../shared/models/yolox_nano.safetensors, which is absent"
        );
        return;
    }
    let setting = Setting::new().await;
    let jpeg = std::fs::read(shared.join("data/mot/mot17/MOT17-05/img1/000001.jpg")).unwrap();
    let mut frames = frames(1, 1);
    (frames[0].width, frames[0].height, frames[0].jpeg) = (640, 480, jpeg);
    let service = setting.start(InferenceSettings {
        workers: 1,
        ..InferenceSettings::new(weights)
    });
    setting.publish(&frames).await;
    let found = setting
        .read::<Detections>(|found| !found.is_empty())
        .await
        .remove(0);
    assert_eq!(found.model, "yolox-d766a5f68153");
    let sure = found
        .boxes
        .iter()
        .filter(|one| one.class == ObjectClass::Person && one.score > 0.5)
        .count();
    assert_eq!(sure, 2, "{:?}", found.boxes);
    service.stop().await;
}
