//! Topics, tables, single records, shares, traces: against the real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;

use std::time::Duration;

use common::*;
use mineseal_bus::{Bus, BusError, BusSettings, SubscriptionSettings, TopicLayout, TraceContext};
use mineseal_schemas::{Crossing, Frame, Mine, Topic};
use opentelemetry::trace::TracerProvider as _;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use tokio::time::timeout;
use tracing::Instrument as _;
use tracing_subscriber::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_with_their_settings() {
    let bus = fresh_bus().await;
    let more = TopicLayout {
        mine_partitions: 16,
        ..layout()
    };
    assert_eq!(
        bus.ensure_topics(more).await.unwrap(),
        layout(),
        "existing topics stay as they are"
    );

    let admin: AdminClient<DefaultClientContext> = bus.client_config().create().unwrap();
    let wanted = [
        (Topic::Frames, "retention.ms", "600000"),
        (Topic::Frames, "retention.bytes", "1073741824"),
        (Topic::Frames, "max.message.bytes", "8388608"),
        (Topic::Detections, "cleanup.policy", "delete"),
        (Topic::Mines, "cleanup.policy", "compact"),
        (Topic::CounterState, "cleanup.policy", "compact"),
    ];
    for (topic, setting, value) in wanted {
        let name = bus.topic_name(topic);
        let asked = [ResourceSpecifier::Topic(&name)];
        let answer = admin
            .describe_configs(&asked, &AdminOptions::new())
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        assert_eq!(
            answer.get(setting).unwrap().value.as_deref(),
            Some(value),
            "{topic} {setting}"
        );
    }

    let gone = [bus.topic_name(Topic::Alarms)];
    let names: Vec<&str> = gone.iter().map(String::as_str).collect();
    admin.delete_topics(&names, &AdminOptions::new()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Made again with another number than its kin: refused, because a mine's records would part.
    let error = bus.ensure_topics(more).await.unwrap_err().to_string();
    assert!(
        error.contains("alarms") && error.contains("16") && error.contains('4'),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_restored_and_follows() {
    let bus = fresh_bus().await;
    let publisher = bus.publisher().unwrap();
    let mine = |number: i32, name: &str| Mine {
        code: format!("1506020078{number:02}").parse().unwrap(),
        name: name.to_owned(),
        ..sample().mine
    };
    for number in 0..20 {
        publisher.publish(&mine(number, "old")).await.unwrap();
        publisher.publish(&mine(number, "new")).await.unwrap();
    }
    publisher.remove(Topic::Mines, "150602007807").await.unwrap();
    publish_raw(&bus, Topic::Mines, "150602007808", b"not a mine").await;

    let mut table = timeout(SOON, bus.table::<Mine>()).await.unwrap().unwrap();
    assert_eq!(table.snapshot().len(), 19);
    assert!(table.snapshot().values().all(|entry| entry.value.name == "new"));
    assert!(table.get("150602007807").is_none());

    publisher.publish(&mine(3, "newer")).await.unwrap();
    let changed = timeout(SOON, table.changed()).await.unwrap().unwrap();
    assert_eq!(changed["150602007803"].value.name, "newer");
    publisher.remove(Topic::Mines, "150602007803").await.unwrap();
    let changed = timeout(SOON, table.changed()).await.unwrap().unwrap();
    assert_eq!(changed.len(), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_is_ready_at_once() {
    let bus = fresh_bus().await;
    let table = timeout(SOON, bus.table::<Mine>()).await.unwrap().unwrap();
    assert!(table.snapshot().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_is_read_by_its_place() {
    let bus = fresh_bus().await;
    let publisher = bus.publisher().unwrap();
    let mut frame = sample().frame;
    frame.jpeg = (0..3_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut places = Vec::new();
    for sequence in 0..5 {
        frame.sequence = sequence;
        places.push(publisher.publish(&frame).await.unwrap());
    }
    let place = places[3];
    let found = bus
        .fetch_one::<Frame>(place.partition, place.offset, SOON)
        .await
        .unwrap();
    assert_eq!((found.offset, found.value.sequence), (place.offset, 3));
    assert_eq!(found.value.jpeg.len(), 3_000_000);

    let brief = Duration::from_secs(2);
    let later = bus
        .fetch_one::<Frame>(place.partition, place.offset + 100, brief)
        .await
        .unwrap_err();
    assert!(matches!(later, BusError::Absent { .. }), "{later}");
    let nowhere = bus.fetch_one::<Frame>(99, 0, brief).await.unwrap_err();
    assert!(matches!(nowhere, BusError::Absent { .. }), "{nowhere}");

    frame.jpeg = vec![7; 9 << 20];
    let error = publisher.publish(&frame).await.unwrap_err();
    assert!(matches!(error, BusError::Publish { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_the_partitions() {
    let bus = fresh_bus().await;
    let mut first = bus.join(Topic::Cameras, "extractors").unwrap();
    while timeout(SOON, first.changed()).await.unwrap().unwrap().len() < 3 {}
    let second = another(&bus).join(Topic::Cameras, "extractors").unwrap();
    while timeout(SOON, first.changed()).await.unwrap().unwrap().len() == 3 {}
    for _ in 0..100 {
        if first.partitions().len() + second.partitions().len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(first.partitions().is_disjoint(&second.partitions()));
    assert_eq!(first.partitions().len() + second.partitions().len(), 3);
    drop(second);
    while first.partitions().len() < 3 {
        timeout(SOON, first.changed()).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_with_the_record() {
    opentelemetry::global::set_text_map_propagator(
        opentelemetry_sdk::propagation::TraceContextPropagator::new(),
    );
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let _guard = tracing::subscriber::set_default(subscriber);

    let bus = fresh_bus().await;
    let publisher = bus.publisher().unwrap();
    let span = tracing::info_span!("a frame's way");
    let ours = async { TraceContext::current() }.instrument(span.clone()).await;
    publisher.publish(&crossing(1)).instrument(span).await.unwrap();
    publisher.publish(&crossing(1)).await.unwrap();

    let mut subscription = bus
        .subscribe::<Crossing>(SubscriptionSettings::new("traces"))
        .unwrap();
    let mut traces = Vec::new();
    while traces.len() < 2 {
        let batch = timeout(SOON, subscription.next()).await.unwrap().unwrap();
        traces.extend(batch.records.iter().map(|record| record.trace.clone()));
        batch.acknowledge();
    }
    assert!(ours.trace_parent.is_some());
    assert_eq!(traces[0], ours);
    assert_eq!(traces[1].trace_parent, None);

    let next = tracing::info_span!("the next step");
    traces[0].adopt(&next);
    let of_next = async { TraceContext::current() }
        .instrument(next)
        .await
        .trace_parent
        .unwrap();
    let trace_id = |trace_parent: &str| trace_parent.split('-').nth(1).unwrap().to_owned();
    assert_eq!(
        trace_id(&of_next),
        trace_id(ours.trace_parent.as_deref().unwrap())
    );
}

#[tokio::test]
async fn an_absent_broker_is_named() {
    let bus = Bus::connect(BusSettings::new("127.0.0.1:9")).unwrap();
    let error = bus
        .wait_until_ready(Duration::from_secs(1))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("127.0.0.1:9"), "{error}");

    let mut settings = BusSettings::new(brokers());
    settings
        .properties
        .insert("sasl.mechanisms.typo".to_owned(), "secret".to_owned());
    let error = Bus::connect(settings).unwrap_err().to_string();
    assert!(error.contains("sasl.mechanisms.typo"), "{error}");
}
