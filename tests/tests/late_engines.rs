//! Kafka and ClickHouse that are not there at the start are waited for, aloud.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mineseal_system_tests::{Engines, Site, free_port};
use tokio::net::{TcpListener, TcpStream};

/// Listens on `port` from now on and hands everything on to `target`, as an engine that has come up would.
async fn come_up(port: u16, target: String) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(target).await {
                    // Either side may hang up.
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                }
            });
        }
    });
}

/// A file with one mine and no camera.
fn mines(site: &Site) -> PathBuf {
    let path = site.path("mines.toml");
    let text = "[[mine]]\ncode = \"150602999104\"\nname = \"迟到\"\nheadcount_limit = 5\n";
    std::fs::write(&path, text).unwrap();
    path
}

async fn until_said(site: &Site, words: &str) {
    let began = Instant::now();
    while !site.log().contains(words) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nothing of {words:?} in:\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_come_late_are_waited_for() {
    let mut site = Site::new(Engines::Shared).unwrap();
    let (kafka, clickhouse) = (free_port().unwrap(), free_port().unwrap());
    let real_kafka = std::env::var("MINESEAL_TEST_KAFKA").unwrap();
    let real_clickhouse = std::env::var("MINESEAL_TEST_CLICKHOUSE").unwrap();
    site.set("KAFKA_BROKERS", &format!("127.0.0.1:{kafka}"));
    site.set("CLICKHOUSE_URL", &format!("http://127.0.0.1:{clickhouse}"));
    let mines = mines(&site);
    site.start(Some(&mines)).unwrap();

    until_said(&site, &format!("等待 Kafka at 127.0.0.1:{kafka}")).await;
    come_up(kafka, real_kafka).await;
    until_said(
        &site,
        &format!("等待 ClickHouse at http://127.0.0.1:{clickhouse}"),
    )
    .await;
    come_up(
        clickhouse,
        real_clickhouse.trim_start_matches("http://").to_owned(),
    )
    .await;

    site.until_ready(Duration::from_secs(60)).await.unwrap();
    let began = Instant::now();
    loop {
        let shown = site.shown().await.unwrap();
        if shown["mines"]["150602999104"].is_object() {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{shown:#}\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(site.stop().unwrap().success(), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_it_is_told_to_stop() {
    let mut site = Site::new(Engines::Shared).unwrap();
    site.set("KAFKA_BROKERS", &format!("127.0.0.1:{}", free_port().unwrap()));
    let mines = mines(&site);
    site.start(Some(&mines)).unwrap();
    until_said(&site, "等待 Kafka").await;
    assert!(site.stop().unwrap().success(), "{}", site.log());
}
