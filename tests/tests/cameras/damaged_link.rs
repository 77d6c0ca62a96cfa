//! A camera whose packets are lost on the way: each damaged frame reaches the counter with its mark, is left out of the
//! count there, and is told.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mineseal_system_tests::{Engines, Site, free_port};

/// GStreamer's RTSP server.
struct Camera(Child);

impl Camera {
    fn start(port: u16) -> Option<Self> {
        let there = Command::new("/usr/bin/python3")
            .args(["-c", "import gi; gi.require_version('GstRtspServer', '1.0')"])
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            println!(
                "skipped: an RTSP server needs gir1.2-gst-rtsp-server-1.0 and python3-gi, which are absent"
            );
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/video/tests/rtsp_server.py");
        let mut process = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Some(Self(process))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

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
    let port = free_port().unwrap();
    let Some(camera) = Camera::start(port) else { return };
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
