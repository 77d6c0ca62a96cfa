//! A clip of evidence plays in a real browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::ClientBuilder;
use mineseal_system_tests::free_port;
use mineseal_video::{Excerpt, Source, VideoWriter, WriterSettings};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_plays_from_its_key_frame_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    // What a camera would have given, in another container than the clip's.
    let recorded = folder.path().join("camera.mkv");
    let mut writer = VideoWriter::create(&recorded, 320, 240, 25.0, &WriterSettings::default()).unwrap();
    for number in 0..250_usize {
        let level = (number % 200) as u8;
        writer.write_rgb(&vec![level; 320 * 240 * 3]).unwrap();
    }
    writer.finish().unwrap();
    // Key frames lie two seconds apart at most: the clip begins at one between the seconds 1 and 3.
    let excerpt = Excerpt::of_file(
        &Source::File(recorded),
        5_000_000,
        Duration::from_secs(2),
        Duration::from_secs(1),
    )
    .unwrap()
    .unwrap();
    excerpt.write_mp4(&folder.path().join("clip.mp4")).unwrap();
    std::fs::write(
        folder.path().join("page.html"),
        "<video id=clip src=clip.mp4 muted></video>",
    )
    .unwrap();

    let port = free_port().unwrap();
    let mut driver = Command::new("chromedriver")
        .arg(format!("--port={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver: scripts/setup.sh test installs it");
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--autoplay-policy=no-user-gesture-required",
        &format!("--user-data-dir={}", folder.path().join("profile").display()),
    ];
    let mut capabilities = serde_json::Map::new();
    capabilities.insert("goog:chromeOptions".into(), json!({ "args": arguments }));
    let began = Instant::now();
    let client = loop {
        match ClientBuilder::rustls()
            .unwrap()
            .capabilities(capabilities.clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
        {
            Ok(client) => break client,
            Err(error) if began.elapsed() > Duration::from_secs(60) => panic!("no browser: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    };
    client
        .goto(&format!("file://{}/page.html", folder.path().display()))
        .await
        .unwrap();
    client
        .execute("document.getElementById('clip').play()", vec![])
        .await
        .unwrap();
    let began = Instant::now();
    let state = loop {
        let script = "const v = document.getElementById('clip'); return {ended: v.ended, duration: v.duration, \
             width: v.videoWidth, error: v.error ? v.error.message : null, \
             shown: v.getVideoPlaybackQuality().totalVideoFrames}";
        let state = client.execute(script, vec![]).await.unwrap();
        if state["ended"] == true || !state["error"].is_null() || began.elapsed() > Duration::from_secs(60) {
            break state;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    client.close().await.unwrap();
    driver.kill().unwrap();
    driver.wait().unwrap();
    assert_eq!(state["error"], json!(null), "{state}");
    assert_eq!(
        (&state["ended"], &state["width"]),
        (&json!(true), &json!(320)),
        "{state}"
    );
    // To second 6, its picture with it.
    let duration = state["duration"].as_f64().unwrap();
    assert!((3.03..=5.05).contains(&duration), "{state}");
    assert!(state["shown"].as_i64().unwrap() > 50, "{state}");
}
