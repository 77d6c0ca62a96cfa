//! Every record of a committed transaction is stored once: through kills, replays and rebalances.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Place, crossing};
use mineseal_bus::Bus;
use mineseal_schemas::samples::{Samples, samples};
use mineseal_schemas::{Crossing, DeadLetter, Topic, encode};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::sleep;

const WAIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn kills_in_the_middle_of_inserts_double_nothing_and_lose_nothing() {
    let place = Place::new().await;
    let kills: usize = 25;
    let done = AtomicBool::new(false);
    // Records keep coming, so that something is nearly always on its way.
    let publishing = async {
        let mut next = 0;
        while !done.load(Ordering::Relaxed) {
            place.publish_crossings(next, 60).await;
            next += 60;
            sleep(Duration::from_millis(10)).await;
        }
        next
    };
    let killing = async {
        let mut repeated = 0;
        for round in 0..kills {
            let before = place.counts("crossings").await.unwrap_or_default();
            let sink = place.spawn(round);
            let began = Instant::now();
            while place.counts("crossings").await.unwrap_or_default() == before {
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "nothing is stored: {}",
                    sink.kill()
                );
                sleep(Duration::from_millis(5)).await;
            }
            sleep(Duration::from_millis(u64::try_from(round).unwrap() * 7)).await;
            repeated += sink.kill().matches("is sent once more").count();
        }
        done.store(true, Ordering::Relaxed);
        repeated
    };
    let (total, mut repeated) = tokio::join!(publishing, killing);
    let sink = place.spawn(kills);
    place.expect_tracks(total).await;
    repeated += sink.stop().matches("is sent once more").count();
    println!("{kills} kills, {repeated} ranges were found on their way and sent once more, {total} rows");
    assert!(
        repeated >= 5,
        "only {repeated} ranges were cut: the kills hit nothing"
    );
    place.remove().await;
}

/// Commits `offset` and `metadata` for partition 0 of `crossings` in the sink's group, as no living member of it.
fn commit(bus: &Bus, offset: i64, metadata: &str) {
    let group = group_consumer(bus);
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(&bus.topic_name(Topic::Crossings), 0);
    element.set_offset(Offset::Offset(offset)).unwrap();
    element.set_metadata(metadata);
    group.commit(&list, CommitMode::Sync).unwrap();
}

fn committed(bus: &Bus) -> (Offset, String) {
    let mut list = TopicPartitionList::new();
    list.add_partition(&bus.topic_name(Topic::Crossings), 0);
    let found = group_consumer(bus).committed_offsets(list, WAIT).unwrap();
    let element = &found.elements()[0];
    (element.offset(), element.metadata().to_owned())
}

/// Waits until the sink has committed this offset for partition 0.
async fn wait_for(place: &Place, offset: Offset) {
    for _ in 0..300 {
        if committed(&place.bus) == (offset, String::new()) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?} stays committed", committed(&place.bus));
}

fn group_consumer(bus: &Bus) -> BaseConsumer {
    let mut config = bus.client_config();
    config
        .set("group.id", bus.group_name("clickhouse-sink"))
        .set("enable.auto.commit", "false");
    config.create().unwrap()
}

/// Records of partition 0 with these tracks.
fn produce(place: &Place, tracks: std::ops::Range<i64>) {
    let producer: BaseProducer = place.bus.client_config().create().unwrap();
    send(place, &producer, tracks);
    producer.flush(WAIT).unwrap();
}

fn send(place: &Place, producer: &BaseProducer, tracks: std::ops::Range<i64>) {
    let topic = place.topic(Topic::Crossings);
    for track in tracks {
        let value = encode(&crossing(track)).unwrap();
        let record = BaseRecord::to(&topic).key("k").partition(0).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_on_its_way_is_sent_again_exactly_and_stored_once() {
    let place = Place::new().await;
    produce(&place, 0..30);
    // Whoever came before us announced 0 to 19, and sent nothing.
    let first = place.bus.fetch_one::<Crossing>(0, 0, WAIT).await.unwrap();
    let announced = format!("sending 0..=19 of {}", first.timestamp_millis);
    commit(&place.bus, 0, &announced);
    let sink = place.start();
    place.expect_tracks(30).await;
    sink.stop().await;
    assert_eq!(committed(&place.bus), (Offset::Offset(30), String::new()));

    // The same range again, and once more: it is stored already.
    for _ in 0..2 {
        commit(&place.bus, 0, &announced);
        let sink = place.start();
        wait_for(&place, Offset::Offset(30)).await;
        sink.stop().await;
        // What lies behind the range is cut anew, and so may come again: only this test commits backwards.
        let sql = "SELECT countIf(track < 20), uniqExact(track) FROM crossings";
        let stored: (u64, u64) = place.client().query(sql).fetch_one().await.unwrap();
        assert_eq!(stored, (20, 30));
    }

    // The engine knows the token and has lost the rows, as after a kill between both.
    place
        .client()
        .query("DELETE FROM crossings WHERE 1")
        .execute()
        .await
        .unwrap();
    commit(&place.bus, 0, &announced);
    let sink = place.start();
    wait_for(&place, Offset::Offset(30)).await;
    sink.stop().await;
    let sql = "SELECT countIf(track < 20) FROM crossings";
    assert_eq!(place.client().query(sql).fetch_one::<u64>().await.unwrap(), 20);
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_records_are_never_stored() {
    let place = Place::new().await;
    let mut config = place.bus.client_config();
    config.set("transactional.id", place.bus.group_name("writer"));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(WAIT).unwrap();
    let sink = place.start();
    let mut next = 0;
    for round in 0..12 {
        producer.begin_transaction().unwrap();
        if round % 3 == 1 {
            send(&place, &producer, 1_000_000..1_000_010);
            producer.flush(WAIT).unwrap();
            sleep(Duration::from_millis(120)).await;
            producer.abort_transaction(WAIT).unwrap();
        } else {
            send(&place, &producer, next..next + 25);
            producer.commit_transaction(WAIT).unwrap();
            next += 25;
        }
    }
    // Left open: nobody may see it.
    producer.begin_transaction().unwrap();
    send(&place, &producer, 2_000_000..2_000_010);
    producer.flush(WAIT).unwrap();
    place.expect_tracks(next).await;
    producer.abort_transaction(WAIT).unwrap();
    sleep(Duration::from_millis(500)).await;
    sink.stop().await;

    // The whole way once more from a range that reaches over aborted records: the same rows.
    let (Offset::Offset(end), _) = committed(&place.bus) else {
        panic!("nothing was committed")
    };
    let last: i64 = place
        .client()
        .query("SELECT max(record_offset) FROM crossings")
        .fetch_one()
        .await
        .unwrap();
    assert!(end > last);
    place
        .client()
        .query("TRUNCATE TABLE crossings")
        .execute()
        .await
        .unwrap();
    let first = place.bus.fetch_one::<Crossing>(0, 0, WAIT).await.unwrap();
    commit(
        &place.bus,
        0,
        &format!("sending 0..={last} of {}", first.timestamp_millis),
    );
    let sink = place.start();
    place.expect_tracks(next).await;
    sink.stop().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_goes_to_dead_letters_and_the_stream_goes_on() {
    let place = Place::new().await;
    produce(&place, 0..5);
    let producer: BaseProducer = place.bus.client_config().create().unwrap();
    let topic = place.topic(Topic::Crossings);
    let record = BaseRecord::to(&topic).key("k").partition(0).payload("no avro");
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(WAIT).unwrap();
    produce(&place, 5..10);
    let sink = place.start();
    place.expect_tracks(10).await;
    let letter = place.bus.fetch_one::<DeadLetter>(0, 0, WAIT).await.unwrap().value;
    assert_eq!((letter.topic, letter.partition, letter.offset), (topic, 0, 5));
    assert_eq!(letter.value, b"no avro");
    assert!(!letter.reason.is_empty());
    sink.stop().await;
    assert_eq!(committed(&place.bus).0, Offset::Offset(11));
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_without_loss_or_doubles() {
    let place = Place::new().await;
    let first = place.start();
    place.publish_crossings(0, 2_000).await;
    let second = place.start();
    for part in 1..5 {
        place.publish_crossings(part * 2_000, 2_000).await;
        sleep(Duration::from_millis(400)).await;
    }
    let third = place.start();
    place.publish_crossings(10_000, 2_000).await;
    first.stop().await;
    place.publish_crossings(12_000, 2_000).await;
    third.stop().await;
    place.publish_crossings(14_000, 2_000).await;
    place.expect_tracks(16_000).await;
    second.stop().await;
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_has_its_table() {
    let place = Place::new().await;
    let Samples {
        crossing,
        headcount,
        activity,
        camera_health,
        alarm,
        disposition,
        evidence,
        receipt,
        detections,
        ..
    } = samples().unwrap();
    let publisher = place.bus.publisher().unwrap();
    publisher.publish(&crossing).await.unwrap();
    publisher.publish(&headcount).await.unwrap();
    publisher.publish(&activity).await.unwrap();
    publisher.publish(&camera_health).await.unwrap();
    publisher.publish(&alarm).await.unwrap();
    publisher.publish(&disposition).await.unwrap();
    publisher.publish(&evidence).await.unwrap();
    publisher.publish(&receipt).await.unwrap();
    publisher.publish(&detections).await.unwrap();
    // A tombstone is no row.
    publisher.remove(Topic::Headcounts, "150602007866").await.unwrap();
    let sink = place.start();
    let tables = [
        "crossings",
        "headcounts",
        "activity",
        "camera_health",
        "alarms",
        "dispositions",
        "evidence",
        "receipts",
        "frame_latencies",
    ];
    for table in tables {
        place.expect_rows(table, 1).await;
    }
    sink.stop().await;
    place.remove().await;
}
