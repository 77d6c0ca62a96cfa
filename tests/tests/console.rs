//! The console in a real browser: Chinese, and moving by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use mineseal_system_tests::{Engines, Site, free_port};
use serde_json::json;

struct Browser {
    driver: Child,
    client: Client,
}

impl Browser {
    async fn open(profile: &std::path::Path) -> Self {
        let port = free_port().unwrap();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: scripts/setup.sh test installs it");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1500,1100",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".into(), json!({ "args": arguments }));
        let began = Instant::now();
        loop {
            match ClientBuilder::rustls()
                .unwrap()
                .capabilities(capabilities.clone())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
            {
                Ok(client) => return Self { driver, client },
                Err(error) if began.elapsed() > Duration::from_secs(60) => panic!("no browser: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    /// The text of the first element that fits, in one step: the page replaces its elements all the time.
    async fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0]).innerText";
        let text = self.client.execute(script, vec![json!(selector)]).await.unwrap();
        text.as_str().unwrap().to_owned()
    }

    async fn close(mut self) {
        self.client.close().await.unwrap();
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_mines_in_chinese_and_moves_by_itself() {
    let mut site = Site::new(Engines::Shared).unwrap();
    site.start(None).unwrap();
    site.until_ready(Duration::from_secs(240)).await.unwrap();
    let browser = Browser::open(&site.path("profile")).await;
    browser
        .client
        .goto(&format!("http://{}/", site.console))
        .await
        .unwrap();

    let began = Instant::now();
    loop {
        let shown = site.shown().await.unwrap();
        let mines = shown["mines"].as_object().unwrap();
        let entered: i64 = mines.values().map(|mine| mine["entered"].as_i64().unwrap()).sum();
        let alarms: i64 = mines
            .values()
            .map(|mine| mine["open_alarms"].as_i64().unwrap())
            .sum();
        if entered >= 3 && alarms >= 1 {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(150),
            "{shown:#}\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let page = browser.text("main").await;
    for word in [
        "井下人数",
        "未解除报警",
        "最近进出",
        "摄像仪",
        "示例一号煤矿",
        "停产停建",
        "人员入井",
    ] {
        assert!(page.contains(word), "{word} is not on the page:\n{page}");
    }
    assert_eq!(browser.text("#link").await, "实时");
    let stated = browser.text("#count-error summary").await;
    assert!(stated.contains("计数误差"), "{stated}");

    let now = browser.text(".now").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_ne!(
        browser.text(".now").await,
        now,
        "the page moves without being loaded again"
    );

    // An open alarm has its picture, and the picture is one.
    let began = Instant::now();
    loop {
        let script = "return [...document.querySelectorAll('.alarm img')].filter(i => i.complete && i.naturalWidth > 100).length";
        let pictures = browser
            .client
            .execute(script, vec![])
            .await
            .unwrap()
            .as_i64()
            .unwrap_or(0);
        if pictures >= 1 {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no alarm with a picture\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    if let Some(file) = std::env::var_os("MINESEAL_SCREENSHOT") {
        std::fs::write(file, browser.client.screenshot().await.unwrap()).unwrap();
    }
    browser.close().await;
    assert!(site.stop().unwrap().success(), "{}", site.log());
}
