//! The JSON adapter against the stand-in platform, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mineseal_domain::{AlarmKind, AlarmPhase, MineState, Severity, UtcMicros};
use mineseal_platform::{
    Behaviour, CoalJson, CoalJsonSettings, Delivery, Outgoing, PlatformAdapter, StandIn,
};
use mineseal_schemas::{Alarm, Headcount, MouthCount};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const MINE: &str = "150602999001";
const CAMERA: &str = "150602004199969990014301";

fn alarm(kind: AlarmKind, phase: AlarmPhase) -> Alarm {
    Alarm {
        id: Uuid::from_u128(7),
        revision: 0,
        mine: MINE.parse().unwrap(),
        camera: Some(CAMERA.parse().unwrap()),
        kind,
        severity: Severity::Critical,
        phase,
        raised_at: UtcMicros(1_719_660_264_000_000),
        at: UtcMicros(1_719_660_264_000_000),
        people: 3,
        mine_state: MineState::Stopped,
        message: "停产煤矿人员入井".into(),
        rule_version: 1,
        frame: None,
    }
}

async fn pair(client: &str) -> (StandIn, CoalJson, CancellationToken) {
    let shutdown = CancellationToken::new();
    let platform = StandIn::start("127.0.0.1:0".parse().unwrap(), None, shutdown.clone())
        .await
        .unwrap();
    // A file of its own: another test that writes the same one empties it for a moment.
    static PAIRS: AtomicU32 = AtomicU32::new(0);
    let number = PAIRS.fetch_add(1, Ordering::Relaxed);
    let secret = std::env::temp_dir().join(format!("mineseal-secret-{}-{number}", std::process::id()));
    std::fs::write(&secret, "s3cret\n").unwrap();
    let adapter = CoalJson::new(CoalJsonSettings {
        url: platform.url(),
        client_id: client.into(),
        client_secret_file: secret,
        code_table: PathBuf::new(),
        timeout: Duration::from_millis(400),
    })
    .unwrap();
    (platform, adapter, shutdown)
}

#[tokio::test]
async fn an_alarm_arrives_with_its_code_its_original_time_and_its_picture() {
    let (platform, adapter, _shutdown) = pair("mine-7").await;
    let outgoing = Outgoing::Alarm(
        alarm(AlarmKind::PersonEnteredStoppedMine, AlarmPhase::Raised),
        Some(vec![1, 2, 3]),
    );
    assert!(matches!(
        adapter.deliver(&outgoing).await,
        Delivery::Accepted { status: 200, .. }
    ));
    let received = platform.received();
    assert_eq!(received[0].path, "/mine/ai/countingRecog");
    let body = &received[0].body;
    assert_eq!(body["mineCode"], MINE);
    assert_eq!(body["cameraCode"], CAMERA);
    assert_eq!(body["analysisType"], "04");
    assert_eq!(body["analysisCase"], "0003");
    assert_eq!(body["dataTime"], "2024-06-29 19:24:24");
    assert_eq!(body["imagesBase64"][0], "4 characters");
}

#[tokio::test]
async fn the_headcount_is_four_digits_and_never_below_zero() {
    let (platform, adapter, _shutdown) = pair("").await;
    let mouth = MouthCount {
        camera: CAMERA.parse().unwrap(),
        line: "mouth".into(),
        entered: 12,
        left: 14,
    };
    let headcount = Headcount {
        mine: MINE.parse().unwrap(),
        people: -2,
        mouths: vec![mouth],
        at: UtcMicros(0),
        partition: 0,
        offset: 1,
        inconsistent: true,
        rule_version: 1,
        corrected: 0,
        non_regular_entered: 0,
        non_regular_left: 0,
        shifts: Vec::new(),
    };
    assert!(matches!(
        adapter.deliver(&Outgoing::Headcount(headcount)).await,
        Delivery::Accepted { .. }
    ));
    assert_eq!(platform.received()[0].body["analysisCase"], "0000");
}

#[tokio::test]
async fn an_alarm_without_a_code_is_refused_and_not_sent() {
    let (platform, adapter, _shutdown) = pair("").await;
    let answer = adapter
        .deliver(&Outgoing::Alarm(
            alarm(AlarmKind::PostEmpty, AlarmPhase::Raised),
            None,
        ))
        .await;
    let Delivery::Refused { status: 0, answer } = answer else {
        panic!("{answer:?}")
    };
    assert!(answer.contains("调度室空岗"), "{answer}");
    assert!(platform.received().is_empty());
}

#[tokio::test]
async fn refusing_stalling_and_being_away_are_told_apart() {
    let (platform, adapter, shutdown) = pair("mine-7").await;
    let outgoing = Outgoing::Alarm(alarm(AlarmKind::CameraOffline, AlarmPhase::Raised), None);
    platform.behave(Behaviour::Refuse);
    assert!(matches!(
        adapter.deliver(&outgoing).await,
        Delivery::Refused { status: 400, .. }
    ));
    for behaviour in [Behaviour::Stall, Behaviour::Unavailable, Behaviour::Unauthorised] {
        platform.behave(behaviour);
        let answer = adapter.deliver(&outgoing).await;
        assert!(
            matches!(answer, Delivery::Unreachable { .. }),
            "{behaviour:?}: {answer:?}"
        );
    }
    platform.behave(Behaviour::Accept);
    assert!(
        matches!(adapter.deliver(&outgoing).await, Delivery::Accepted { .. }),
        "it heals"
    );
    shutdown.cancel();
    drop(platform);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let answer = adapter.deliver(&outgoing).await;
    let Delivery::Unreachable { reason } = answer else {
        panic!("{answer:?}")
    };
    assert!(!reason.contains("s3cret"));
}

#[tokio::test]
async fn the_end_of_an_event_is_told_where_the_interface_has_a_word_for_it() {
    let (platform, adapter, _shutdown) = pair("").await;
    let ended = Outgoing::Alarm(
        alarm(AlarmKind::PersonEnteredStoppedMine, AlarmPhase::Cleared),
        None,
    );
    assert_eq!(adapter.deliver(&ended).await, Delivery::NotNeeded);
    let back = Outgoing::Alarm(alarm(AlarmKind::CameraOffline, AlarmPhase::Cleared), None);
    assert!(matches!(adapter.deliver(&back).await, Delivery::Accepted { .. }));
    assert_eq!(platform.received()[0].body["cameraStatus"], 1);
}
