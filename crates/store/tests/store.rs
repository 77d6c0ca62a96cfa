//! The store against the real engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::net::TcpListener;

use clickhouse::{Client, RowRead};
use mineseal_domain::{AlarmKind, AlarmPhase, Direction, ObjectClass, UtcMicros};
use mineseal_schemas::samples::{AT, Samples, mine_code, samples};
use mineseal_schemas::{Alarm, Crossing, Detections};
use mineseal_store::{
    CrossingRow, Period, RecordPlace, Store, StoreError, StoreSettings, StoredRecord, StoredRow,
    newest_version,
};
use uuid::Uuid;

const MONTH: i64 = 31 * 86_400 * 1_000_000;

fn settings() -> StoreSettings {
    let url = std::env::var("MINESEAL_TEST_CLICKHOUSE")
        .expect("set MINESEAL_TEST_CLICKHOUSE (make test starts one)");
    let database = format!("test_{}", Uuid::now_v7().simple());
    StoreSettings {
        database,
        ..StoreSettings::new(url)
    }
}

/// A migrated database of its own.
async fn store() -> Store {
    let store = Store::connect(settings()).await.unwrap();
    store.migrate().await.unwrap();
    store
}

fn raw(store: &Store) -> Client {
    Client::default()
        .with_url(&store.settings().url)
        .with_database(&store.settings().database)
}

async fn remove(store: Store) {
    let drop = format!("DROP DATABASE {}", store.settings().database);
    raw(&store).query(&drop).execute().await.unwrap();
}

fn place(offset: i64) -> RecordPlace {
    RecordPlace {
        partition: 2,
        offset,
        written_at: AT.plus_micros(70_000),
    }
}

fn around() -> Period {
    Period {
        from: AT,
        to: AT.plus_micros(1),
    }
}

async fn count(store: &Store, table: &str) -> u64 {
    raw(store)
        .query(&format!("SELECT count() FROM {table}"))
        .fetch_one()
        .await
        .unwrap()
}

#[tokio::test]
async fn migrations_are_applied_once_and_watched() {
    let store = Store::connect(settings()).await.unwrap();
    let missing = store.version().await.unwrap_err();
    assert!(matches!(missing, StoreError::NotMigrated { .. }), "{missing:?}");
    let (first, second) = tokio::join!(store.migrate(), store.migrate());
    first.unwrap();
    second.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.version().await.unwrap(), newest_version());

    let client = raw(&store);
    let newer = "INSERT INTO schema_migrations (version, name, checksum) VALUES (99, 'later', '')";
    client.query(newer).execute().await.unwrap();
    let refused = store.migrate().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Newer { found: 99, .. }),
        "{refused:?}"
    );

    client
        .query("DELETE FROM schema_migrations WHERE version = 99")
        .execute()
        .await
        .unwrap();
    store.migrate().await.unwrap();
    let changed = "INSERT INTO schema_migrations (version, name, checksum) VALUES (2, 'alarms', 'other')";
    client.query(changed).execute().await.unwrap();
    let refused = store.migrate().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Changed { version: 2, .. }),
        "{refused:?}"
    );
    assert!(!refused.is_passing());
    remove(store).await;
}

async fn comes_back<R: StoredRecord>(store: &Store, record: R)
where
    R::Row: RowRead + PartialEq + std::fmt::Debug,
{
    let row = record.into_row(place(7));
    store
        .insert_batch(std::slice::from_ref(&row), "one")
        .await
        .unwrap();
    let sql = format!("SELECT ?fields FROM {}", R::Row::TABLE);
    let stored: Vec<R::Row> = raw(store).query(&sql).fetch_all().await.unwrap();
    assert_eq!(stored, [row]);
}

#[tokio::test]
async fn every_record_comes_back_as_it_was_stored() {
    let store = store().await;
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
    comes_back(&store, crossing).await;
    comes_back(&store, headcount).await;
    comes_back(&store, activity).await;
    comes_back(&store, camera_health).await;
    comes_back(&store, alarm).await;
    comes_back(&store, disposition).await;
    comes_back(&store, evidence).await;
    comes_back(&store, receipt).await;
    comes_back(&store, detections).await;
    let sizes = store.table_sizes().await.unwrap();
    let filled: Vec<&str> = sizes
        .iter()
        .filter(|size| size.rows == 1)
        .map(|size| size.table.as_str())
        .collect();
    assert_eq!(
        filled,
        [
            "activity",
            "alarms",
            "camera_health",
            "crossings",
            "dispositions",
            "evidence",
            "frame_latencies",
            "headcounts",
            "receipts"
        ]
    );
    remove(store).await;
}

#[tokio::test]
async fn the_same_token_stores_once_even_over_many_months() {
    let store = store().await;
    let crossing = samples().unwrap().crossing;
    // More months than the server takes in one insert by default.
    let rows = |from: i64| -> Vec<_> {
        let places = (from..from + 150).map(|offset| {
            let captured_at = AT.plus_micros(offset * MONTH);
            Crossing {
                captured_at,
                ..crossing.clone()
            }
            .into_row(place(offset))
        });
        places.collect()
    };
    for _ in 0..3 {
        store.insert_batch(&rows(0), "crossings/2/0/149").await.unwrap();
    }
    assert_eq!(count(&store, "crossings").await, 150);
    // Another range with the same content is another batch.
    store.insert_batch(&rows(0), "crossings/2/150/299").await.unwrap();
    assert_eq!(count(&store, "crossings").await, 300);
    // The rows do not matter: the token does.
    store.insert_batch(&rows(7), "crossings/2/150/299").await.unwrap();
    assert_eq!(
        count(&store, "crossings").await,
        300 + 7,
        "only months that the first batch had not touched"
    );
    store
        .insert_batch::<<Crossing as StoredRecord>::Row>(&[], "empty")
        .await
        .unwrap();
    remove(store).await;
}

/// Rows of `crossings` at these offsets.
fn crossings(offsets: std::ops::Range<i64>) -> Vec<CrossingRow> {
    let crossing = samples().unwrap().crossing;
    offsets
        .map(|offset| crossing.clone().into_row(place(offset)))
        .collect()
}

#[tokio::test]
async fn a_repetition_stores_what_is_missing_and_nothing_else() {
    let store = store().await;
    let rows = crossings(0..50);
    // Nothing is there.
    store.repeat_batch(&rows, "a").await.unwrap();
    assert_eq!(count(&store, "crossings").await, 50);
    // All of it is there, and the server has lost the token.
    store.repeat_batch(&rows, "b").await.unwrap();
    assert_eq!(count(&store, "crossings").await, 50);

    // The server knows the token and has lost some rows, and then all.
    let client = raw(&store);
    for lost in ["record_offset < 20", "1"] {
        client
            .query(&format!("DELETE FROM crossings WHERE {lost}"))
            .execute()
            .await
            .unwrap();
        store.insert_batch(&rows, "a").await.unwrap();
        assert!(
            count(&store, "crossings").await < 50,
            "the token alone stores nothing"
        );
        store.repeat_batch(&rows, "a").await.unwrap();
        assert_eq!(count(&store, "crossings").await, 50);
        store.repeat_batch(&rows, "a").await.unwrap();
        assert_eq!(count(&store, "crossings").await, 50);
    }
    let different = "SELECT uniqExact(record_offset) FROM crossings";
    assert_eq!(client.query(different).fetch_one::<u64>().await.unwrap(), 50);

    // A topic that was made anew has the same places at other times.
    let again: Vec<CrossingRow> = rows
        .iter()
        .map(|row| CrossingRow {
            counted_at: row.counted_at.plus_micros(1_000),
            ..row.clone()
        })
        .collect();
    store.repeat_batch(&again, "c").await.unwrap();
    assert_eq!(count(&store, "crossings").await, 100);
    remove(store).await;
}

#[tokio::test]
async fn any_instant_can_be_stored() {
    let store = store().await;
    let detections = samples().unwrap().detections;
    let instants = [i64::MIN, -1, 0, AT.0, i64::MAX];
    let rows: Vec<_> = instants
        .iter()
        .map(|instant| {
            Detections {
                captured_at: UtcMicros(*instant),
                ..detections.clone()
            }
            .into_row(place(*instant))
        })
        .collect();
    store.insert_batch(&rows, "wrong clocks").await.unwrap();
    assert_eq!(count(&store, "frame_latencies").await, 5);
    remove(store).await;
}

#[tokio::test]
async fn open_alarms_are_those_whose_last_step_does_not_end_them() {
    let store = store().await;
    let sample = samples().unwrap().alarm;
    let step = |id: u128, revision: i32, phase: AlarmPhase| {
        let at = AT.plus_micros(i64::from(revision));
        let alarm = Alarm {
            id: Uuid::from_u128(id),
            revision,
            phase,
            at,
            ..sample.clone()
        };
        alarm.into_row(place(i64::from(revision)))
    };
    let rows = [
        step(1, 0, AlarmPhase::Raised),
        step(1, 1, AlarmPhase::Updated),
        step(2, 0, AlarmPhase::Raised),
        step(2, 1, AlarmPhase::Cleared),
        step(3, 0, AlarmPhase::Raised),
    ];
    store.insert_batch(&rows, "alarms").await.unwrap();
    let open = store.open_alarms(None).await.unwrap();
    let found: Vec<(u128, i32)> = open.iter().map(|row| (row.id.as_u128(), row.revision)).collect();
    assert_eq!(found, [(1, 1), (3, 0)]);
    assert_eq!(open[0].phase(), Some(AlarmPhase::Updated));
    assert_eq!(open[0].kind(), Some(sample.kind));
    assert_ne!(open[0].kind(), Some(AlarmKind::CameraOffline));
    assert_eq!(
        store
            .open_alarms(Some(&mine_code().unwrap()))
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        store
            .open_alarms(Some(&"000000000000".parse().unwrap()))
            .await
            .unwrap(),
        []
    );
    assert_eq!(store.alarm_steps(Uuid::from_u128(2)).await.unwrap().len(), 2);
    let period = Period {
        from: AT,
        to: AT.plus_micros(1),
    };
    assert_eq!(store.alarms(&sample.mine, period, 10).await.unwrap().len(), 3);
    remove(store).await;
}

#[tokio::test]
async fn questions_of_the_console_are_answered() {
    let store = store().await;
    let Samples {
        crossing,
        headcount,
        disposition,
        evidence,
        ..
    } = samples().unwrap();
    let mine = crossing.mine.clone();
    let of = |direction, offset| {
        let captured_at = AT.plus_micros(offset);
        Crossing {
            direction,
            captured_at,
            ..crossing.clone()
        }
        .into_row(place(offset))
    };
    let rows = [
        of(Direction::In, 0),
        of(Direction::In, 1),
        of(Direction::Out, 2),
        of(Direction::Out, MONTH),
    ];
    store.insert_batch(&rows, "crossings").await.unwrap();
    let period = Period {
        from: AT,
        to: AT.plus_micros(MONTH),
    };
    let newest = store.crossings(&mine, period, 2).await.unwrap();
    assert_eq!(newest, [rows[2].clone(), rows[1].clone()]);
    let counts = store.direction_counts(Some(&mine), period).await.unwrap();
    let found: Vec<_> = counts
        .iter()
        .map(|count| (count.direction().unwrap(), count.count))
        .collect();
    assert_eq!(found, [(Direction::In, 2), (Direction::Out, 1)]);
    assert_eq!(counts[0].class(), Some(crossing.class));
    assert_ne!(counts[0].class(), Some(ObjectClass::Train));
    assert_eq!(store.direction_counts(None, period).await.unwrap(), counts);

    let row = headcount.into_row(place(3));
    store
        .insert_batch(std::slice::from_ref(&row), "headcounts")
        .await
        .unwrap();
    assert_eq!(store.headcounts(&mine, around(), 5).await.unwrap(), [row]);

    let (alarm, cut) = (disposition.alarm, evidence.alarm);
    store
        .insert_batch(&[disposition.into_row(place(0))], "dispositions")
        .await
        .unwrap();
    store
        .insert_batch(&[evidence.into_row(place(0))], "evidence")
        .await
        .unwrap();
    assert_eq!(store.dispositions(alarm).await.unwrap().len(), 1);
    assert_eq!(store.evidence(cut).await.unwrap().len(), 1);
    remove(store).await;
}

#[tokio::test]
async fn latencies_are_measured_stage_by_stage() {
    let store = store().await;
    let empty = store.latencies(10).await.unwrap();
    assert_eq!(
        (
            empty.frames,
            empty.frame_stages.len(),
            empty.crossing_stages.len()
        ),
        (0, 0, 0)
    );

    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = UtcMicros(now.as_micros() as i64);
    let sample = samples().unwrap().detections;
    let rows: Vec<_> = (1..=100)
        .map(|number| {
            let captured_at = now.plus_micros(-1_000_000);
            let published_at = captured_at.plus_micros(number * 1_000);
            let inferred_at = published_at.plus_micros(20_000);
            let frame = Detections {
                captured_at,
                published_at,
                inferred_at,
                ..sample.clone()
            };
            frame.into_row(place(number))
        })
        .collect();
    store.insert_batch(&rows, "frames").await.unwrap();
    let report = store.latencies(10).await.unwrap();
    assert_eq!((report.frames, report.crossings), (100, 0));
    let names: Vec<&str> = report.frame_stages.iter().map(|stage| stage.stage).collect();
    let expected = [
        "captured_to_published",
        "published_to_inferred",
        "inferred_to_stored",
        "captured_to_stored",
    ];
    assert_eq!(names, expected);
    let published = report.frame_stages[0];
    assert!((50_000..=51_000).contains(&published.p50_micros), "{published:?}");
    assert!((95_000..=96_000).contains(&published.p95_micros), "{published:?}");
    assert_eq!(published.max_micros, 100_000);
    assert_eq!(report.frame_stages[1].p50_micros, 20_000);
    let whole = report.frame_stages[3];
    assert!((1_000_000..60_000_000).contains(&whole.p50_micros), "{whole:?}");
    remove(store).await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let good = settings();
    let nobody_there = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = StoreSettings {
        url: format!("http://{nobody_there}"),
        ..good.clone()
    };
    let error = Store::connect(away).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unreachable { .. }) && error.is_passing(),
        "{error:?}"
    );
    assert!(error.to_string().contains("Connection refused"), "{error}");

    let wrong = StoreSettings {
        password: "wrong".into(),
        user: "nobody".into(),
        ..good.clone()
    };
    let error = Store::connect(wrong).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Refused { .. }) && !error.is_passing(),
        "{error:?}"
    );

    let store = Store::connect(good.clone()).await.unwrap();
    let error = store.open_alarms(None).await.unwrap_err();
    assert!(matches!(error, StoreError::NotMigrated { .. }), "{error:?}");
    let crossing = samples().unwrap().crossing.into_row(place(0));
    let error = store.insert_batch(&[crossing], "x").await.unwrap_err();
    assert!(matches!(error, StoreError::NotMigrated { .. }), "{error:?}");

    for (key, settings) in [
        (
            "url",
            StoreSettings {
                url: "127.0.0.1:8123".into(),
                ..good.clone()
            },
        ),
        (
            "database",
            StoreSettings {
                database: "a; DROP".into(),
                ..good.clone()
            },
        ),
    ] {
        let error = Store::connect(settings).await.unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
}
