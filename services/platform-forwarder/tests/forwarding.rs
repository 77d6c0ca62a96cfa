//! What reaches a platform, over a real Kafka: alarms that belong to a mine as a whole, and an outage in between.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mineseal_bus::{Bus, BusSettings, TopicLayout};
use mineseal_domain::{AlarmKind, AlarmPhase, UtcMicros};
use mineseal_platform::{Behaviour, Received, StandIn};
use mineseal_platform_forwarder::run;
use mineseal_schemas::samples::samples;
use mineseal_schemas::{Alarm, DeadLetter};
use mineseal_settings::{ForwarderSettings, PlatformKind, PlatformSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(30);

/// A platform, and a forwarder that tells it what is on a bus of its own.
struct Relay {
    bus: Bus,
    platform: StandIn,
    shutdown: CancellationToken,
    forwarder: JoinHandle<()>,
}

impl Relay {
    async fn start() -> Self {
        let brokers =
            std::env::var("MINESEAL_TEST_KAFKA").expect("set MINESEAL_TEST_KAFKA (make test starts one)");
        let mut settings = BusSettings::new(brokers);
        settings.topic_prefix = format!("test-{}", Uuid::now_v7().simple());
        let bus = Bus::connect(settings).unwrap();
        bus.wait_until_ready(SOON).await.unwrap();
        bus.ensure_topics(TopicLayout {
            mine_partitions: 2,
            camera_partitions: 2,
            replication: 1,
        })
        .await
        .unwrap();
        let shutdown = CancellationToken::new();
        let platform = StandIn::start("127.0.0.1:0".parse().unwrap(), None, shutdown.clone())
            .await
            .unwrap();
        let told = ForwarderSettings {
            platform: vec![PlatformSettings {
                name: "region".to_owned(),
                kind: PlatformKind::CoalJson,
                url: platform.url(),
                client_id: String::new(),
                client_secret_file: PathBuf::new(),
                code_table: PathBuf::new(),
            }],
        };
        bus.publisher()
            .unwrap()
            .publish(&samples().unwrap().camera)
            .await
            .unwrap();
        let forwarder = tokio::spawn({
            let (bus, shutdown) = (Bus::connect(bus.settings().clone()).unwrap(), shutdown.clone());
            async move { run(told, bus, shutdown).await.unwrap() }
        });
        Self {
            bus,
            platform,
            shutdown,
            forwarder,
        }
    }

    async fn raise(&self, alarm: &Alarm) {
        self.bus.publisher().unwrap().publish(alarm).await.unwrap();
    }

    /// Waits for `count` objects at `path`.
    async fn told(&self, path: &str, count: usize) -> Vec<Received> {
        let began = Instant::now();
        loop {
            let mut received = self.platform.received();
            received.retain(|one| one.path == path);
            if received.len() >= count {
                return received;
            }
            assert!(began.elapsed() < SOON, "{path}: {received:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        self.shutdown.cancel();
        tokio::time::timeout(SOON, self.forwarder)
            .await
            .expect("does not drain")
            .unwrap();
        let mut refused = 0;
        self.bus
            .read_history::<DeadLetter, mineseal_bus::BusError>(None, SOON, |_| {
                refused += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(refused, 0, "something was refused");
    }
}

/// 超员 belongs to no camera, and the interface takes nothing without one (`domain.md` 4.4).
fn over_limit(number: i64) -> Alarm {
    Alarm {
        id: Uuid::now_v7(),
        kind: AlarmKind::HeadcountOverLimit,
        phase: AlarmPhase::Raised,
        camera: None,
        frame: None,
        people: number,
        at: UtcMicros(samples().unwrap().alarm.at.0 + number),
        ..samples().unwrap().alarm
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_of_a_whole_mine_goes_up_with_the_camera_of_its_mouth() {
    let relay = Relay::start().await;
    relay.raise(&over_limit(451)).await;
    let told = relay.told("/mine/ai/undergroundCount", 1).await;
    let camera = samples().unwrap().camera.code;
    assert_eq!(told[0].body["cameraCode"], camera.as_str());
    assert_eq!(told[0].body["analysisCase"], "0451");
    // The camera had been introduced before anything was said of it.
    assert_eq!(relay.platform.received()[0].path, "/mine/ai/camera");
    relay.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_platform_is_away_reaches_it_later_and_in_order() {
    let relay = Relay::start().await;
    relay.raise(&over_limit(460)).await;
    relay.told("/mine/ai/undergroundCount", 1).await;
    relay.platform.behave(Behaviour::Unavailable);
    for people in 461..470 {
        relay.raise(&over_limit(people)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(relay.told("/mine/ai/undergroundCount", 1).await.len(), 1);
    relay.platform.behave(Behaviour::Accept);
    let told = relay.told("/mine/ai/undergroundCount", 10).await;
    let people: Vec<&str> = told
        .iter()
        .map(|one| one.body["analysisCase"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (460..470).map(|people| format!("{people:04}")).collect();
    assert_eq!(people, expected);
    relay.end().await;
}
