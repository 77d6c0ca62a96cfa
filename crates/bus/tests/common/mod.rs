//! What every test of this crate needs.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use mineseal_bus::{Bus, BusSettings, Subscription, TopicLayout};
use mineseal_schemas::samples::{Samples, samples};
use mineseal_schemas::{Crossing, Topic};
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) fn brokers() -> String {
    std::env::var("MINESEAL_TEST_KAFKA").expect("set MINESEAL_TEST_KAFKA (make test starts one)")
}

/// A bus with topics of its own.
pub(crate) async fn fresh_bus() -> Bus {
    let mut settings = BusSettings::new(brokers());
    settings.topic_prefix = format!("test-{}", Uuid::now_v7().simple());
    let bus = Bus::connect(settings).unwrap();
    bus.wait_until_ready(SOON).await.unwrap();
    bus.ensure_topics(layout()).await.unwrap();
    bus
}

/// As another process would have it: same names, other clients.
pub(crate) fn another(bus: &Bus) -> Bus {
    Bus::connect(bus.settings().clone()).unwrap()
}

pub(crate) fn layout() -> TopicLayout {
    TopicLayout {
        mine_partitions: 4,
        camera_partitions: 3,
        replication: 1,
    }
}

pub(crate) fn sample() -> Samples {
    samples().unwrap()
}

/// The crossing with this track number, in one of twenty mines.
pub(crate) fn crossing(number: i64) -> Crossing {
    Crossing {
        mine: format!("1506020078{:02}", number % 20).parse().unwrap(),
        track: number,
        ..sample().crossing
    }
}

pub(crate) async fn publish_crossings(bus: &Bus, numbers: std::ops::Range<i64>) {
    let publisher = bus.publisher().unwrap();
    let mut deliveries = Vec::new();
    for number in numbers {
        deliveries.push(
            publisher
                .enqueue(&crossing(number), Default::default())
                .await
                .unwrap(),
        );
    }
    for delivery in deliveries {
        delivery.acknowledged().await.unwrap();
    }
}

/// Writes bytes as they are.
pub(crate) async fn publish_raw(bus: &Bus, topic: Topic, key: &str, value: &[u8]) -> (i32, i64) {
    let producer: FutureProducer = bus
        .client_config()
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    let name = bus.topic_name(topic);
    let delivery = producer
        .send(FutureRecord::to(&name).key(key).payload(value), SOON)
        .await
        .unwrap();
    (delivery.partition, delivery.offset)
}

/// Track numbers of the next `count` crossings, each batch acknowledged.
pub(crate) async fn read_tracks(subscription: &mut Subscription<Crossing>, count: usize) -> Vec<i64> {
    let mut tracks = Vec::new();
    while tracks.len() < count {
        let batch = tokio::time::timeout(SOON, subscription.next())
            .await
            .expect("no batch in time")
            .unwrap();
        tracks.extend(batch.records.iter().map(|record| record.value.track));
        batch.acknowledge();
    }
    tracks
}
