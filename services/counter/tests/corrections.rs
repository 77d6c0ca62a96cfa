//! Corrections of headcounts on the bus: signed ones are applied once and noted, others are refused and noted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::collections::BTreeMap;

use common::*;
use mineseal_bus::Bus;
use mineseal_counter::{CorrectionKeys, CounterError, CounterSettings, SigningKey, run_counted};
use mineseal_schemas::{Correction, Detections, Headcount};
use mineseal_telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn frame(second: i64) -> Detections {
    let base = sample().detections;
    let captured_at = base.captured_at.plus_micros(second * 1_000_000);
    Detections {
        sequence: second,
        captured_at,
        published_at: captured_at.plus_micros(40_000),
        boxes: Vec::new(),
        ..base
    }
}

fn order(number: u128, second: i64, people: i64, by: &str) -> Correction {
    Correction {
        id: Uuid::from_u128(number),
        people,
        by: by.to_owned(),
        at: sample().detections.captured_at.plus_micros(second * 1_000_000),
        outcome: None,
        ..sample().correction
    }
}

/// What stands on the topic in the end, by identity.
async fn decided(bus: &Bus) -> BTreeMap<Uuid, Correction> {
    read_all::<Correction>(bus)
        .await
        .into_iter()
        .map(|correction| (correction.id, correction))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_by_whom_it_names_changes_the_headcount() {
    let bus = fresh_bus().await;
    let publisher = bus.publisher().unwrap();
    publisher.publish(&sample().mine).await.unwrap();
    publisher.publish(&sample().camera).await.unwrap();
    let (officer, _) = SigningKey::generate().unwrap();
    let (stranger, kept) = SigningKey::generate().unwrap();
    assert_eq!(SigningKey::read(&kept).unwrap().public(), stranger.public());
    let mut signed = order(1, 10, 7, "officer");
    officer.sign(&mut signed);
    let mut changed = order(2, 11, 8, "officer");
    officer.sign(&mut changed);
    changed.people = 0;
    let mut foreign = order(3, 12, 9, "officer");
    stranger.sign(&mut foreign);
    let mut unknown = order(4, 13, 10, "stranger");
    stranger.sign(&mut unknown);
    let mut second = order(5, 20, 12, "officer");
    officer.sign(&mut second);
    for correction in [&signed, &changed, &foreign, &unknown, &second] {
        publisher.publish(correction).await.unwrap();
    }
    for number in 0..15 {
        publisher.publish(&frame(number)).await.unwrap();
    }
    publisher.publish(&frame(14)).await.unwrap();

    let metrics = Metrics::default();
    for part in [15..19, 19..30] {
        let settings = CounterSettings {
            correction_keys: CorrectionKeys::default().with("officer", &officer.public()),
            ..settings(None)
        };
        let shutdown = CancellationToken::new();
        let own = Bus::connect(bus.settings().clone()).unwrap();
        let counter = tokio::spawn(run_counted(settings, own, metrics.clone(), shutdown.clone()));
        for number in part {
            publisher.publish(&frame(number)).await.unwrap();
        }
        wait_until_counted(&bus, SOON).await;
        shutdown.cancel();
        counter.await.unwrap().unwrap();
    }

    let decided = decided(&bus).await;
    let outcome = |number| decided[&Uuid::from_u128(number)].outcome.clone().unwrap();
    assert_eq!(
        (outcome(1).applied, outcome(1).before, outcome(1).change),
        (true, 0, 7)
    );
    assert_eq!(
        (outcome(5).applied, outcome(5).before, outcome(5).change),
        (true, 7, 5)
    );
    for (number, why) in [
        (2, "not that of officer"),
        (3, "not that of officer"),
        (4, "no key of stranger"),
    ] {
        assert!(
            !outcome(number).applied && outcome(number).refusal.contains(why),
            "{:?}",
            outcome(number)
        );
    }
    let people: Vec<i64> = read_all::<Headcount>(&bus)
        .await
        .iter()
        .map(|headcount| headcount.people)
        .collect();
    assert_eq!(people, [0, 7, 12]);
    // Each decided once, also by the counter that was started again: five orders, five outcomes.
    assert_eq!(read_all::<Correction>(&bus).await.len(), 10);
    let text = metrics.text();
    assert!(
        text.contains("mineseal_counter_inputs_total{fate=\"frames\"} 31"),
        "{text}"
    );
    assert!(
        text.contains("mineseal_counter_inputs_total{fate=\"repeated\"} 1"),
        "{text}"
    );
}

#[test]
fn a_folder_of_keys_is_read_and_a_broken_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        CorrectionKeys::read(&folder.path().join("absent")).unwrap(),
        CorrectionKeys::default()
    );
    let (key, _) = SigningKey::generate().unwrap();
    std::fs::write(folder.path().join("officer.pub"), key.public_text() + "\n").unwrap();
    std::fs::write(folder.path().join("officer.key"), "not looked at").unwrap();
    assert_eq!(
        CorrectionKeys::read(folder.path()).unwrap(),
        CorrectionKeys::default().with("officer", &key.public())
    );
    std::fs::write(folder.path().join("other.pub"), "AAAA").unwrap();
    let error = CorrectionKeys::read(folder.path()).unwrap_err();
    assert!(
        matches!(&error, CounterError::Key { path, .. } if path.ends_with("other.pub")),
        "{error}"
    );
}
