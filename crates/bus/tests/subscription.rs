//! Reading as a member of a group, against the real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::*;
use mineseal_bus::{Batch, SubscriptionSettings};
use mineseal_schemas::{Crossing, DeadLetter, Topic, encode};
use tokio::time::timeout;

fn settings() -> SubscriptionSettings {
    SubscriptionSettings::new("readers")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_in_the_order_of_its_key_and_stays_read() {
    let bus = fresh_bus().await;
    publish_crossings(&bus, 0..1000).await;
    let mut subscription = bus.subscribe::<Crossing>(settings()).unwrap();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut partitions: BTreeMap<String, i32> = BTreeMap::new();
    let mut count = 0;
    while count < 1000 {
        let batch = timeout(SOON, subscription.next()).await.unwrap().unwrap();
        assert!(batch.records.len() <= settings().max_records);
        for record in &batch.records {
            let mine = record.value.mine.to_string();
            let before = last.insert(mine.clone(), record.value.track);
            assert!(
                before.is_none_or(|before| before < record.value.track),
                "order of {mine}"
            );
            assert_eq!(
                *partitions.entry(mine).or_insert(record.partition),
                record.partition
            );
            assert_eq!(record.topic, Topic::Crossings);
            assert!(record.timestamp_millis > 0);
            let inside = |span: &mineseal_bus::Span| {
                span.partition == record.partition
                    && (span.first_offset..span.next_offset).contains(&record.offset)
            };
            assert!(batch.spans.iter().any(inside));
        }
        count += batch.records.len();
        batch.acknowledge();
    }
    assert_eq!(count, 1000);
    assert_eq!(subscription.assigned().len(), 4);
    subscription.drain(SOON).await.unwrap();

    publish_crossings(&bus, 1000..1010).await;
    let mut again = another(&bus).subscribe::<Crossing>(settings()).unwrap();
    let tracks = read_tracks(&mut again, 10).await;
    assert_eq!(
        tracks.into_iter().collect::<BTreeSet<_>>(),
        (1000..1010).collect()
    );
    let counters = bus.statistics().snapshot();
    let crossings = counters
        .topics
        .iter()
        .find(|topic| topic.topic == Topic::Crossings)
        .unwrap();
    assert_eq!((crossings.published, crossings.received), (1010, 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let bus = fresh_bus().await;
    let good = encode(&crossing(0)).unwrap();
    let mut unknown = good.clone();
    unknown[5] ^= 0xFF;
    let truncated = &good[..good.len() / 2];
    publish_crossings(&bus, 0..5).await;
    let mut places = BTreeMap::new();
    for (value, reason) in [
        (&unknown[..], "fingerprint"),
        (truncated, "cut off"),
        (&[][..], "too short"),
    ] {
        places.insert(
            publish_raw(&bus, Topic::Crossings, "150602007800", value).await,
            reason,
        );
    }
    publish_crossings(&bus, 5..10).await;

    let mut subscription = bus.subscribe::<Crossing>(settings()).unwrap();
    let tracks = read_tracks(&mut subscription, 10).await;
    assert_eq!(tracks.into_iter().collect::<BTreeSet<_>>(), (0..10).collect());
    subscription.drain(SOON).await.unwrap();

    let mut letters = bus
        .subscribe::<DeadLetter>(SubscriptionSettings::new("letters"))
        .unwrap();
    let mut found = BTreeMap::new();
    while found.len() < 3 {
        let batch = timeout(SOON, letters.next()).await.unwrap().unwrap();
        for record in &batch.records {
            let letter = record.value.clone();
            assert_eq!(letter.topic, bus.topic_name(Topic::Crossings));
            assert_eq!(letter.key, b"150602007800");
            found.insert((letter.partition, letter.offset), letter);
        }
        batch.acknowledge();
    }
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        places.keys().collect::<Vec<_>>()
    );
    for (place, letter) in &found {
        assert!(
            letter.reason.contains(places[place]),
            "{} for {}",
            letter.reason,
            places[place]
        );
    }
    let counters = bus.statistics().snapshot();
    assert_eq!(
        counters
            .topics
            .iter()
            .map(|topic| topic.dead_letters)
            .sum::<u64>(),
        3
    );

    // They were committed past: the next member sees none of them again.
    let mut again = another(&bus).subscribe::<Crossing>(settings()).unwrap();
    publish_crossings(&bus, 10..11).await;
    assert_eq!(read_tracks(&mut again, 1).await, [10]);
    assert_eq!(
        bus.statistics()
            .snapshot()
            .topics
            .iter()
            .map(|topic| topic.dead_letters)
            .sum::<u64>(),
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_given_back_comes_again() {
    let bus = fresh_bus().await;
    publish_crossings(&bus, 0..100).await;
    let mut reading = settings();
    reading.max_records = 10;
    let mut subscription = bus.subscribe::<Crossing>(reading).unwrap();
    let mut handled = BTreeSet::new();
    let mut failures = 0;
    while handled.len() < 100 {
        let batch = timeout(SOON, subscription.next()).await.unwrap().unwrap();
        // Every fourth batch fails, five times in all.
        if failures < 5 && handled.len() % 40 == 30 {
            failures += 1;
            drop(batch);
            // What was delivered meanwhile comes again too; its acknowledgement must not hide the failed one.
            if let Ok(Some(next)) = timeout(Duration::from_millis(100), subscription.next()).await {
                next.acknowledge();
            }
            continue;
        }
        handled.extend(batch.records.iter().map(|record| record.value.track));
        batch.acknowledge();
    }
    assert_eq!(failures, 5);
    assert_eq!(handled, (0..100).collect());
    assert!(bus.statistics().snapshot().redeliveries >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crashed_member_did_not_acknowledge_goes_to_the_next() {
    let bus = fresh_bus().await;
    publish_crossings(&bus, 0..200).await;
    let mut reading = settings();
    reading.max_records = 20;
    let mut first = another(&bus).subscribe::<Crossing>(reading.clone()).unwrap();
    let mut handled: Vec<i64> = Vec::new();
    let batch = timeout(SOON, first.next()).await.unwrap().unwrap();
    handled.extend(batch.records.iter().map(|record| record.value.track));
    batch.acknowledge();
    let unhandled: Batch<Crossing> = timeout(SOON, first.next()).await.unwrap().unwrap();
    assert!(!unhandled.records.is_empty());
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(first);
    // Acknowledged by a ghost, after its membership has ended: counts for nothing.
    tokio::time::sleep(Duration::from_millis(500)).await;
    unhandled.acknowledge();

    let mut second = bus.subscribe::<Crossing>(reading).unwrap();
    let rest = read_tracks(&mut second, 200 - handled.len()).await;
    assert_eq!(
        rest.len(),
        200 - handled.len(),
        "the acknowledged batch came again"
    );
    handled.extend(rest);
    assert_eq!(handled.into_iter().collect::<BTreeSet<_>>(), (0..200).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_may_come_in_any_order_and_during_the_drain() {
    let bus = fresh_bus().await;
    publish_crossings(&bus, 0..60).await;
    let mut reading = settings();
    reading.max_records = 10;
    reading.max_in_flight = 3;
    let mut subscription = bus.subscribe::<Crossing>(reading.clone()).unwrap();
    let mut tickets = Vec::new();
    let mut handled = BTreeSet::new();
    for _ in 0..3 {
        let (records, ticket) = timeout(SOON, subscription.next()).await.unwrap().unwrap().split();
        handled.extend(records.iter().map(|record| record.value.track));
        tickets.push(ticket);
    }
    assert!(
        timeout(Duration::from_millis(300), subscription.next())
            .await
            .is_err(),
        "more than three in flight"
    );
    let draining = tokio::spawn(subscription.drain(SOON));
    tokio::time::sleep(Duration::from_millis(300)).await;
    for mut ticket in tickets.into_iter().rev() {
        ticket.acknowledge();
    }
    draining.await.unwrap().unwrap();

    let mut next = another(&bus).subscribe::<Crossing>(reading).unwrap();
    let rest: BTreeSet<i64> = read_tracks(&mut next, 60 - handled.len())
        .await
        .into_iter()
        .collect();
    assert!(handled.is_disjoint(&rest), "acknowledged records came again");
    assert_eq!(handled.union(&rest).count(), 60);
}

type Tracks = tokio::sync::mpsc::UnboundedSender<i64>;
type Stop = tokio::sync::oneshot::Sender<()>;

/// A member that hands on what it reads, until it is told to leave in good order.
fn member(bus: mineseal_bus::Bus, tracks: Tracks) -> (Stop, tokio::task::JoinHandle<()>) {
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let mut reading = settings();
    reading.max_records = 50;
    let mut subscription = bus.subscribe::<Crossing>(reading).unwrap();
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                batch = subscription.next() => {
                    let batch = batch.unwrap();
                    // Some work, so that partitions are taken away while batches are in flight.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    for record in &batch.records {
                        tracks.send(record.value.track).unwrap();
                    }
                    batch.acknowledge();
                }
            }
        }
        subscription.drain(SOON).await.unwrap();
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_lose_nothing() {
    let bus = fresh_bus().await;
    let (sender, mut tracks) = tokio::sync::mpsc::unbounded_channel();
    let read = |bus: mineseal_bus::Bus| member(bus, sender.clone());
    let publishing = tokio::spawn({
        let bus = bus.clone();
        async move {
            for chunk in 0..50 {
                publish_crossings(&bus, chunk * 100..(chunk + 1) * 100).await;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        }
    });
    let first = read(another(&bus));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = read(another(&bus));
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.0.send(()).unwrap();
    first.1.await.unwrap();
    let third = read(another(&bus));
    publishing.await.unwrap();

    let mut seen = BTreeMap::new();
    while seen.len() < 5000 {
        let track = timeout(SOON, tracks.recv()).await;
        let track = track
            .unwrap_or_else(|_| panic!("only {} of 5000 came", seen.len()))
            .unwrap();
        *seen.entry(track).or_insert(0) += 1;
    }
    assert_eq!(
        seen.keys().copied().collect::<Vec<_>>(),
        (0..5000).collect::<Vec<_>>()
    );
    let repeated = seen.values().filter(|times| **times > 1).count();
    println!("delivered more than once: {repeated} of 5000");
    // Everything was acknowledged in time and all members left in order: nothing had to come twice.
    assert_eq!(repeated, 0);
    for (stop, task) in [second, third] {
        stop.send(()).unwrap();
        task.await.unwrap();
    }
}

/// While members join, the coordinator refuses commits for a moment. One that leaves just then has to commit again:
/// what it had acknowledged came twice otherwise. Several groups at once, as what is refused, and why, depends on how
/// answers cross.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_others_join_leaves_nothing_to_be_read_twice() {
    let groups = (0..4).map(|_| tokio::spawn(members_leave_while_others_join()));
    for group in groups.collect::<Vec<_>>() {
        group.await.unwrap();
    }
}

async fn members_leave_while_others_join() {
    let bus = fresh_bus().await;
    let (sender, mut tracks) = tokio::sync::mpsc::unbounded_channel();
    let publishing = tokio::spawn({
        let bus = bus.clone();
        async move {
            for chunk in 0..100 {
                publish_crossings(&bus, chunk * 50..(chunk + 1) * 50).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let mut present = vec![member(another(&bus), sender.clone())];
    for round in 0..12 {
        present.push(member(another(&bus), sender.clone()));
        tokio::time::sleep(Duration::from_millis(700 + 40 * round)).await;
        present.push(member(another(&bus), sender.clone()));
        for (stop, left) in present.drain(..present.len() - 1) {
            stop.send(()).unwrap();
            left.await.unwrap();
        }
    }
    publishing.await.unwrap();

    let mut seen = BTreeMap::new();
    while seen.len() < 5000 {
        let track = timeout(SOON, tracks.recv()).await;
        let track = track.unwrap_or_else(|_| panic!("only {} of 5000 came", seen.len()));
        *seen.entry(track.unwrap()).or_insert(0) += 1;
    }
    let repeated = seen.values().filter(|times| **times > 1).count();
    assert_eq!(repeated, 0, "of 5000 came more than once");
    for (stop, task) in present {
        stop.send(()).unwrap();
        task.await.unwrap();
    }
}

/// Who has no room stops the flow of its partitions. Those must flow again although others came to it meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn who_had_no_room_while_partitions_came_reads_all_of_them_afterwards() {
    let bus = fresh_bus().await;
    let mut reading = settings();
    reading.max_records = 10;
    reading.max_in_flight = 1;
    let mut slow = another(&bus).subscribe::<Crossing>(reading.clone()).unwrap();
    let other = another(&bus).subscribe::<Crossing>(reading).unwrap();
    let both = async {
        while (slow.assigned().len(), other.assigned().len()) != (2, 2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, both).await.unwrap();
    publish_crossings(&bus, 0..1000).await;
    let held = timeout(SOON, slow.next()).await.unwrap().unwrap();
    // Longer than it waits for room before it stops the flow, which nothing tells of.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    other.drain(SOON).await.unwrap();
    let all = async {
        while slow.assigned().len() != 4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, all).await.unwrap();

    let mut seen: BTreeSet<i64> = held.records.iter().map(|record| record.value.track).collect();
    held.acknowledge();
    while seen.len() < 1000 {
        let batch = timeout(SOON, slow.next()).await;
        let batch = batch.unwrap_or_else(|_| panic!("only {} of 1000 came", seen.len()));
        let batch = batch.unwrap();
        seen.extend(batch.records.iter().map(|record| record.value.track));
        batch.acknowledge();
    }
    slow.drain(SOON).await.unwrap();
}
