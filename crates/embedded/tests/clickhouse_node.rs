//! The real ClickHouse, started, killed, stopped and started again.
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

use mineseal_embedded::{
    ClickHouseNode, ClickHouseNodeError, ClickHouseNodeSettings, SuperviseError, free_port,
};
use rustix::process::{Pid, Signal, kill_process};

fn settings(data: &Path) -> ClickHouseNodeSettings {
    let beside_the_build = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let cache = std::env::var_os("MINESEAL_CACHE").map_or_else(beside_the_build, PathBuf::from);
    let mut settings = ClickHouseNodeSettings::new(cache, data);
    settings.port = free_port().unwrap();
    settings
}

async fn query(url: &str, sql: &str) -> String {
    let answer = reqwest::Client::new()
        .post(url)
        .body(sql.to_owned())
        .send()
        .await
        .unwrap();
    answer.text().await.unwrap().trim().to_owned()
}

fn pid(node: &ClickHouseNode) -> Pid {
    Pid::from_raw(node.process_number()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_survive_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let began = Instant::now();
    let mut node = ClickHouseNode::start(settings.clone(), |step| println!("{step}"))
        .await
        .unwrap();
    println!("first start with what it fetched: {:?}", began.elapsed());
    let url = node.url();
    let create = "CREATE TABLE kept (number UInt64) ENGINE = MergeTree ORDER BY number";
    assert_eq!(query(&url, create).await, "");
    assert_eq!(
        query(&url, "INSERT INTO kept SELECT number FROM numbers(1000)").await,
        ""
    );

    kill_process(pid(&node), Signal::KILL).unwrap();
    assert!(!node.ended().await.unwrap().success());
    drop(node);
    let began = Instant::now();
    let node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    println!("start after kill -9: {:?}", began.elapsed());
    assert_eq!(query(&url, "SELECT count() FROM kept").await, "1000");

    let began = Instant::now();
    node.stop().await.unwrap();
    println!("stop: {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10), "it had to be killed");
    let node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    assert_eq!(query(&url, "SELECT count() FROM kept").await, "1000");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_applied_and_there_is_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.memory_mebibytes = 700;
    let node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    let url = node.url();
    let server = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'";
    assert_eq!(query(&url, server).await, (700_u64 << 20).to_string());
    assert_eq!(
        query(&url, "SELECT getSetting('max_memory_usage')").await,
        (420_u64 << 20).to_string()
    );
    assert_eq!(
        query(&url, "SELECT groupArray(name) FROM system.users").await,
        "['default']"
    );
    let logged = std::fs::metadata(folder.path().join("server.log")).unwrap().len();
    assert!(logged < 20_000, "the log is not quiet: {logged} bytes");

    // A server that is told to shut down signals its whole process group: we must not be in it.
    // It may cut the connection before it answers.
    reqwest::Client::new()
        .post(&url)
        .body("SYSTEM SHUTDOWN")
        .send()
        .await
        .ok();
    let mut node = node;
    tokio::time::timeout(Duration::from_secs(20), node.ended())
        .await
        .expect("it runs on")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).unwrap();
    let refused = ClickHouseNode::start(settings.clone(), |_| {}).await;
    assert!(
        matches!(refused, Err(ClickHouseNodeError::PortTaken { port }) if port == settings.port),
        "{refused:?}"
    );
    drop(listener);

    let node = ClickHouseNode::start(settings.clone(), |_| {}).await.unwrap();
    let refused = ClickHouseNode::start(settings.clone(), |_| {}).await;
    let in_use = matches!(
        refused,
        Err(ClickHouseNodeError::Supervise(
            SuperviseError::DataFolderInUse { .. }
        ))
    );
    assert!(in_use, "{refused:?}");
    node.stop().await.unwrap();

    let mut wrong = settings.clone();
    wrong.library = Some("/no/such/libchdb.so".into());
    let refused = ClickHouseNode::start(wrong, |_| {}).await;
    assert!(
        matches!(refused, Err(ClickHouseNodeError::LibraryAbsent { .. })),
        "{refused:?}"
    );

    let mut wrong = settings;
    wrong.program = Some("/no/such/program".into());
    let refused = ClickHouseNode::start(wrong, |_| {}).await;
    assert!(
        matches!(refused, Err(ClickHouseNodeError::ProgramAbsent { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_dies_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let node = ClickHouseNode::start(settings(folder.path()), |_| {})
        .await
        .unwrap();
    let (url, first) = (node.url(), pid(&node));
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(node.keep_running(shutdown.clone()));
    kill_process(first, Signal::KILL).unwrap();
    let ping = format!("{url}/ping");
    let mut answers = 0;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answers += usize::from(reqwest::get(&ping).await.is_ok());
        if answers > 3 {
            break;
        }
    }
    assert!(answers > 3, "it did not come back");
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert!(reqwest::get(&ping).await.is_err(), "it still answers");
}
