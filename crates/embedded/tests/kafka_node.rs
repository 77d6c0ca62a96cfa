//! The real Kafka, started, killed, stopped and started again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mineseal_embedded::{KafkaNode, KafkaNodeError, KafkaNodeSettings, SuperviseError, free_port};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};

fn settings(data: &Path) -> KafkaNodeSettings {
    let cache = std::env::var_os("MINESEAL_CACHE").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        PathBuf::from,
    );
    let mut settings = KafkaNodeSettings::new(cache, data);
    (settings.port, settings.controller_port) = (free_port().unwrap(), free_port().unwrap());
    settings
}

async fn publish(brokers: &str, count: usize) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("acks", "all");
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let topic = NewTopic::new("kept", 1, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    let producer: FutureProducer = config.create().unwrap();
    let sends = (0..count).map(|number| {
        let payload = number.to_string();
        let producer = producer.clone();
        async move {
            let record = FutureRecord::to("kept").key("k").payload(&payload);
            producer.send(record, Duration::from_secs(10)).await.unwrap();
        }
    });
    for send in sends {
        send.await;
    }
}

fn records(brokers: &str) -> i64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    consumer
        .fetch_watermarks("kept", 0, Duration::from_secs(10))
        .unwrap()
        .1
}

/// Resident memory of a process, MiB.
fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let began = Instant::now();
    let mut node = KafkaNode::start(settings.clone(), |step| println!("{step}"))
        .await
        .unwrap();
    println!(
        "first start: {:?}, resident {} MiB",
        began.elapsed(),
        resident(node.process_number())
    );
    publish(&node.brokers(), 100).await;
    println!(
        "after 100 records: resident {} MiB",
        resident(node.process_number())
    );

    let killed = std::process::Command::new("kill")
        .args(["-9", &node.process_number().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert!(!node.ended().await.unwrap().success());
    drop(node);

    let began = Instant::now();
    let node = KafkaNode::start(settings.clone(), |_| {}).await.unwrap();
    println!("start after kill -9: {:?}", began.elapsed());
    assert_eq!(records(&node.brokers()), 100);

    let second = KafkaNode::start(settings.clone(), |_| {}).await;
    let refused = matches!(
        second,
        Err(KafkaNodeError::Supervise(SuperviseError::DataFolderInUse { .. }))
    );
    assert!(refused, "a second node on the same data: {second:?}");

    let began = Instant::now();
    node.stop().await.unwrap();
    println!("stop: {:?}", began.elapsed());

    for (port, role) in [
        (settings.port, "clients"),
        (settings.controller_port, "controller"),
    ] {
        let squatter = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let error = KafkaNode::start(settings.clone(), |_| {}).await.unwrap_err();
        assert!(
            matches!(error, KafkaNodeError::PortTaken { role: taken, .. } if taken == role),
            "{error}"
        );
        drop(squatter);
    }

    let began = Instant::now();
    let node = KafkaNode::start(settings, |_| {}).await.unwrap();
    println!("start after stop: {:?}", began.elapsed());
    assert_eq!(records(&node.brokers()), 100);
    node.stop().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let _squatter = TcpListener::bind(("127.0.0.1", settings.port)).unwrap();
    let error = KafkaNode::start(settings.clone(), |_| {}).await.unwrap_err();
    assert!(
        matches!(error, KafkaNodeError::PortTaken { role: "clients", .. }),
        "{error}"
    );
    assert!(error.to_string().contains(&settings.port.to_string()), "{error}");
}
