//! A bus of its own (topic prefix), a database of its own, and a sink as task or as process.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clickhouse::Client;
use mineseal_bus::{Bus, BusSettings, TopicLayout};
use mineseal_clickhouse_sink::{SinkError, SinkSettings};
use mineseal_schemas::samples::samples;
use mineseal_schemas::{Crossing, Topic};
use mineseal_store::StoreSettings;
use mineseal_telemetry::{Health, Metrics};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const PARTITIONS: i32 = 3;

pub(crate) struct Place {
    pub(crate) bus: Bus,
    pub(crate) store: StoreSettings,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name} (make test starts one)"))
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::at(
            &variable("MINESEAL_TEST_KAFKA"),
            &variable("MINESEAL_TEST_CLICKHOUSE"),
        )
        .await
    }

    pub(crate) async fn at(kafka: &str, clickhouse: &str) -> Self {
        let name = format!("test_sink_{}", Uuid::now_v7().simple());
        let bus = Bus::connect(BusSettings {
            topic_prefix: name.clone(),
            ..BusSettings::new(kafka)
        })
        .unwrap();
        let layout = TopicLayout {
            mine_partitions: PARTITIONS,
            camera_partitions: PARTITIONS,
            replication: 1,
        };
        bus.ensure_topics(layout).await.unwrap();
        let store = StoreSettings {
            database: name,
            ..StoreSettings::new(clickhouse)
        };
        Self {
            bus,
            store,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn settings(&self) -> SinkSettings {
        SinkSettings {
            batch_interval: Duration::from_millis(50),
            session_timeout: Duration::from_secs(6),
            ..SinkSettings::new(self.store.clone())
        }
    }

    /// A sink as a task of ours.
    pub(crate) fn start(&self) -> Running {
        self.start_with(self.settings())
    }

    pub(crate) fn start_with(&self, settings: SinkSettings) -> Running {
        let shutdown = CancellationToken::new();
        let bus = Bus::connect(self.bus.settings().clone()).unwrap();
        let health = Health::default();
        let run = mineseal_clickhouse_sink::run(
            settings,
            bus,
            health.clone(),
            Metrics::default(),
            shutdown.clone(),
        );
        Running {
            task: tokio::spawn(run),
            shutdown,
            health,
        }
    }

    /// A sink as a process; its log goes to a file.
    pub(crate) fn spawn(&self, number: usize) -> Process {
        let config = self.folder.path().join("sink.toml");
        let settings = self.bus.settings();
        let text = format!(
            "[kafka]\nbrokers = {:?}\ntopic_prefix = {:?}\n[kafka.properties]\n\"group.instance.id\" = \"only\"\n\
             [clickhouse]\nurl = {:?}\ndatabase = {:?}\n\
             [sink]\nbatch_interval_milliseconds = 20\nbatch_rows = 400\n[telemetry]\nlisten = \"127.0.0.1:0\"\n",
            settings.brokers, settings.topic_prefix, self.store.url, self.store.database
        );
        std::fs::write(&config, text).unwrap();
        let log = self.folder.path().join(format!("sink-{number}.log"));
        let output = std::fs::File::create(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mineseal-clickhouse-sink"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap())
            .stdout(output)
            .spawn()
            .unwrap();
        Process { child, log }
    }

    pub(crate) fn client(&self) -> Client {
        Client::default()
            .with_url(&self.store.url)
            .with_database(&self.store.database)
    }

    /// Rows, and different places on the bus among them; nothing while the server or the table is away.
    pub(crate) async fn counts(&self, table: &str) -> Option<(u64, u64)> {
        let sql = format!("SELECT count(), uniqExact(record_partition, record_offset) FROM {table}");
        self.client().query(&sql).fetch_one().await.ok()
    }

    /// Waits until the table holds `expected` rows, and then a little longer for rows that are too many.
    pub(crate) async fn expect_rows(&self, table: &str, expected: u64) {
        let began = Instant::now();
        loop {
            let found = self.counts(table).await;
            if found.is_some_and(|(rows, _)| rows >= expected) {
                break;
            }
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "{table}: {found:?} of {expected} rows"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            self.counts(table).await,
            Some((expected, expected)),
            "{table}: rows and different places"
        );
    }

    /// Publishes crossings of several mines, `track` counting from `from`; waits for the last one.
    pub(crate) async fn publish_crossings(&self, from: i64, count: i64) {
        let publisher = self.bus.publisher().unwrap();
        let mut deliveries = Vec::new();
        for track in from..from + count {
            let delivery = publisher
                .enqueue(&crossing(track), Default::default())
                .await
                .unwrap();
            deliveries.push(delivery);
        }
        for delivery in deliveries {
            delivery.acknowledged().await.unwrap();
        }
    }

    /// Every track from 0 to `count` is there once.
    pub(crate) async fn expect_tracks(&self, count: i64) {
        self.expect_rows("crossings", u64::try_from(count).unwrap()).await;
        let sql = "SELECT uniqExact(track), min(track), max(track) FROM crossings";
        let found: (u64, i64, i64) = self.client().query(sql).fetch_one().await.unwrap();
        assert_eq!(found, (u64::try_from(count).unwrap(), 0, count - 1));
    }

    pub(crate) fn topic(&self, topic: Topic) -> String {
        self.bus.topic_name(topic)
    }

    pub(crate) async fn remove(self) {
        let sql = format!("DROP DATABASE IF EXISTS {}", self.store.database);
        Client::default()
            .with_url(&self.store.url)
            .query(&sql)
            .execute()
            .await
            .unwrap();
    }
}

/// A crossing whose mine, and so whose partition, hangs on its number.
pub(crate) fn crossing(track: i64) -> Crossing {
    let sample = samples().unwrap().crossing;
    let mine = format!("{:012}", track.rem_euclid(11)).parse().unwrap();
    Crossing {
        track,
        mine,
        id: Uuid::from_u128(track.unsigned_abs().into()),
        ..sample
    }
}

pub(crate) struct Running {
    task: JoinHandle<Result<(), SinkError>>,
    shutdown: CancellationToken,
    pub(crate) health: Health,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn ended(self) -> Result<(), SinkError> {
        self.task.await.unwrap()
    }
}

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// `kill -9`; returns what it had logged.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// SIGTERM; returns what it had logged.
    pub(crate) fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
    }
}
