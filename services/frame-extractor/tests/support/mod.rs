//! What the tests of the extractor share: a bus of their own, clips, and collecting frames.
#![allow(dead_code, reason = "not every test file uses all of it")]

pub(crate) mod line;
pub(crate) mod rtsp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mineseal_bus::{Bus, BusSettings, Received, SubscriptionSettings, TopicLayout};
use mineseal_domain::{Analysis, CameraCode, MineCode, PlaceClass, Sampling, UtcMicros};
use mineseal_evidence::EvidenceStore;
use mineseal_frame_extractor::ExtractorError;
use mineseal_schemas::{Camera, Frame, Record, Topic};
use mineseal_settings::{ExtractorSettings, S3Settings};
use mineseal_telemetry::Metrics;
use mineseal_video::{VideoWriter, WriterSettings, decode_jpeg};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const PARTITIONS: i32 = 4;

pub(crate) struct World {
    pub(crate) brokers: String,
    pub(crate) prefix: String,
    pub(crate) bus: Bus,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// Topics of this test alone, on the Kafka that `MINESEAL_TEST_KAFKA` names.
    pub(crate) async fn new() -> Self {
        let brokers =
            std::env::var("MINESEAL_TEST_KAFKA").expect("set MINESEAL_TEST_KAFKA (make test starts one)");
        Self::at(brokers).await
    }

    /// The same on another Kafka.
    pub(crate) async fn at(brokers: String) -> Self {
        let prefix = format!("test-{}", Uuid::now_v7().simple());
        let bus = connect(&brokers, &prefix);
        let layout = TopicLayout {
            mine_partitions: PARTITIONS,
            camera_partitions: PARTITIONS,
            replication: 1,
        };
        bus.ensure_topics(layout).await.unwrap();
        Self {
            brokers,
            prefix,
            bus,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An extractor in this process.
    pub(crate) fn extractor(&self, settings: ExtractorSettings) -> Extractor {
        self.extractor_through(&self.brokers, settings)
    }

    /// An extractor in this process that finds Kafka at `brokers`.
    pub(crate) fn extractor_through(&self, brokers: &str, settings: ExtractorSettings) -> Extractor {
        let folder = self.path("evidence");
        let store = EvidenceStore::open(folder.to_str().unwrap(), &S3Settings::default()).unwrap();
        self.extractor_into(store, brokers, settings)
    }

    /// An extractor in this process that keeps evidence in `store`.
    pub(crate) fn extractor_into(
        &self,
        store: EvidenceStore,
        brokers: &str,
        settings: ExtractorSettings,
    ) -> Extractor {
        let (shutdown, metrics) = (CancellationToken::new(), Metrics::default());
        let bus = connect(brokers, &self.prefix);
        let (stop, counted) = (shutdown.clone(), metrics.clone());
        let task =
            tokio::spawn(
                async move { mineseal_frame_extractor::run(settings, store, bus, counted, stop).await },
            );
        Extractor {
            task,
            shutdown,
            metrics,
        }
    }

    pub(crate) async fn register(&self, camera: &Camera) {
        self.bus.publisher().unwrap().publish(camera).await.unwrap();
    }

    /// The first frame of this number, where it lies on the bus.
    pub(crate) async fn frame(&self, sequence: i64) -> Received<Frame> {
        let group = SubscriptionSettings::new("find");
        let mut subscription = self.bus.subscribe::<Frame>(group).unwrap();
        loop {
            let batch = tokio::time::timeout(Duration::from_secs(60), subscription.next())
                .await
                .unwrap()
                .unwrap();
            let is_it = |received: &&Received<Frame>| received.value.sequence == sequence;
            let found = batch.records.iter().find(is_it).cloned();
            batch.acknowledge();
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Everything that ever was published on a topic, until `enough` of it or the deadline.
    pub(crate) async fn collect<R: Record + Send + 'static>(
        &self,
        deadline: Duration,
        mut enough: impl FnMut(&[R]) -> bool,
    ) -> Vec<R> {
        let group = format!("collect-{}", Uuid::now_v7().simple());
        let mut subscription = self.bus.subscribe::<R>(SubscriptionSettings::new(group)).unwrap();
        let mut all = Vec::new();
        let collecting = async {
            while !enough(&all) {
                let batch = subscription.next().await.unwrap();
                let (records, mut ticket) = batch.split();
                all.extend(records.into_iter().map(|received| received.value));
                ticket.acknowledge();
            }
        };
        // What came until then is what the caller judges.
        tokio::time::timeout(deadline, collecting).await.ok();
        all
    }

    /// What Kafka does when the frames' time is over.
    pub(crate) async fn delete_frames(&self) {
        let admin: AdminClient<DefaultClientContext> = self.bus.client_config().create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(&self.bus.topic_name(Topic::Frames), partition, Offset::End)
                .unwrap();
        }
        let deleted = admin.delete_records(&all, &AdminOptions::new()).await.unwrap();
        assert!(
            deleted
                .elements()
                .iter()
                .all(|partition| partition.error().is_ok())
        );
    }

    pub(crate) async fn frames(&self, seconds: u64, count: usize) -> Vec<Frame> {
        self.collect(Duration::from_secs(seconds), |frames: &[Frame]| {
            frames.len() >= count
        })
        .await
    }
}

pub(crate) fn connect(brokers: &str, prefix: &str) -> Bus {
    let settings = BusSettings {
        topic_prefix: prefix.to_owned(),
        ..BusSettings::new(brokers)
    };
    Bus::connect(settings).unwrap()
}

pub(crate) struct Extractor {
    pub(crate) task: JoinHandle<Result<(), ExtractorError>>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) metrics: Metrics,
}

impl Extractor {
    /// See [`metric`].
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        metric(&self.metrics, name, label)
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

/// The sum of a metric's series whose labels hold `label`.
pub(crate) fn metric(metrics: &Metrics, name: &str, label: &str) -> f64 {
    let text = metrics.text();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series
        .filter_map(|line| {
            let (labels, value) = line.split_once(&format!("{name}{{"))?.1.split_once("} ")?;
            labels
                .contains(label)
                .then(|| value.trim().parse::<f64>().unwrap())
        })
        .sum()
}

/// As fast as possible, or in real time.
pub(crate) fn settings(fast: bool) -> ExtractorSettings {
    ExtractorSettings {
        as_fast_as_possible: fast,
        stall_seconds: 3.0,
        ..ExtractorSettings::default()
    }
}

pub(crate) fn camera(number: u32, source: &Path, rate: f64) -> Camera {
    Camera {
        code: code(number),
        mine: mine(),
        name: format!("camera {number}"),
        place: PlaceClass::MAIN_SHAFT,
        source: source.to_str().unwrap().to_owned(),
        credential: None,
        repeat: false,
        sampling: Sampling {
            frames_per_second: rate,
            key_frames_only: false,
        },
        analyses: vec![Analysis::PersonCrossing],
        lines: vec![],
        regions: vec![],
        changed_at: UtcMicros(1),
    }
}

pub(crate) fn code(number: u32) -> CameraCode {
    format!("1506020078664201{number:08}").parse().unwrap()
}

pub(crate) fn mine() -> MineCode {
    "150602007866".parse().unwrap()
}

/// The grey level of a clip's picture.
pub(crate) fn grey(number: i64) -> u8 {
    (40 + number * 7 % 180) as u8
}

/// Writes a clip whose pictures' grey levels tell their numbers.
pub(crate) fn write_clip(path: &Path, pictures: i64, rate: f64) {
    let mut writer = VideoWriter::create(path, 320, 240, rate, &WriterSettings::default()).unwrap();
    for number in 0..pictures {
        writer.write_rgb(&vec![grey(number); 320 * 240 * 3]).unwrap();
    }
    writer.finish().unwrap();
}

/// Frames by camera without what a later extractor published once more; as the counter sees them.
pub(crate) fn once(frames: &[Frame]) -> BTreeMap<CameraCode, Vec<Frame>> {
    let mut by_camera: BTreeMap<CameraCode, Vec<Frame>> = BTreeMap::new();
    for frame in frames {
        let seen = by_camera.entry(frame.camera.clone()).or_default();
        if seen
            .last()
            .is_none_or(|last| (last.session, last.sequence) < (frame.session, frame.sequence))
        {
            seen.push(frame.clone());
        }
    }
    by_camera
}

/// One session without a gap: sequences from 0, media and capture times by the clip's rate, pictures in order.
pub(crate) fn assert_whole(frames: &[Frame], count: usize, step_micros: i64, pictures_a_step: i64) {
    assert_eq!(frames.len(), count);
    for (index, frame) in frames.iter().enumerate() {
        let at = index as i64;
        assert_eq!(frame.sequence, at);
        assert_eq!(frame.session, frames[0].session, "frame {at}");
        assert_eq!(frame.media_time_micros, at * step_micros, "frame {at}");
        assert_eq!(
            frame.captured_at.micros_since(frames[0].captured_at),
            at * step_micros,
            "frame {at}"
        );
        let picture = decode_jpeg(&frame.jpeg).unwrap();
        assert_eq!(
            (picture.width() as i32, picture.height() as i32),
            (frame.width, frame.height)
        );
        let (got, wanted) = (picture.pixels()[3 * 5000], grey(at * pictures_a_step));
        assert!(
            got.abs_diff(wanted) <= 4,
            "frame {at} is {got}, should be {wanted}"
        );
    }
}
