//! A camera whose packets are lost on the way: each damaged frame reaches the counter with its mark, is left out of the
//! count there, and is told.

use std::time::{Duration, Instant};

use mineseal_system_tests::{Engines, Site, free_port};

use crate::rtsp::{Server, can_serve};

/// The sum of a metric's series whose labels hold `label`.
async fn metric(site: &Site, name: &str, label: &str) -> u64 {
    let text = site.metrics().await.unwrap_or_default();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let values = series.filter_map(|line| {
        let (labels, value) = line.split_once(&format!("{name}{{"))?.1.split_once("} ")?;
        labels
            .contains(label)
            .then(|| value.trim().parse::<f64>().unwrap() as u64)
    });
    values.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damaged_frame_is_left_out_of_the_count_and_told() {
    if !can_serve() {
        return;
    }
    let port = free_port().unwrap();
    let camera = Server::start(port, []);
    let mut site = Site::new(Engines::Shared).unwrap();
    let mines = site.path("mines.toml");
    let text = format!(
        "[[mine]]\ncode = \"150602999106\"\nname = \"丢包\"\nheadcount_limit = 5\n[[mine.camera]]\n\
         code = \"150602004199969991064201\"\nname = \"主井口\"\nplace = 42\nsource = \"rtspu://127.0.0.1:{port}/drops\"\n\
         frames_per_second = 5\nanalyses = [\"person_crossing\"]\n[[mine.camera.line]]\nname = \"mouth\"\n\
         from = [0.9, 0.6]\nto = [0.1, 0.6]\n"
    );
    std::fs::write(&mines, text).unwrap();
    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(60)).await.unwrap();
    let began = Instant::now();
    while metric(&site, "counter_inputs_total", "\"corrupt\"").await < 20 {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", site.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(camera);
    // Nothing comes any more: what was marked is what the counter left out, and no frame was lost on the way.
    let began = Instant::now();
    loop {
        let sent = (
            metric(&site, "frames_published_total", "").await,
            metric(&site, "frames_corrupt_total", "").await,
        );
        let taken = (
            metric(&site, "counter_inputs_total", "\"frames\"").await,
            metric(&site, "counter_inputs_total", "\"corrupt\"").await,
        );
        if sent == taken {
            println!("{} of {} frames were damaged", taken.1, taken.0);
            assert!(taken.1 < taken.0, "whole frames come too");
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "sent {sent:?}, taken {taken:?}\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(site.stop().unwrap().success(), "{}", site.log());
}
