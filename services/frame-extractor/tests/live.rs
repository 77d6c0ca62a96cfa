//! A camera that goes away and comes back: new sessions, and nothing else is harmed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mineseal_schemas::Frame;
use support::{World, camera, settings};

struct Server(Child);

impl Server {
    fn start(port: u16, login: [&str; 2]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/video/tests/rtsp_server.py");
        let mut process = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(port.to_string())
            .args(login)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Self(process)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_comes_back_begins_a_new_session() {
    let python = Command::new("/usr/bin/python3")
        .args(["-c", "import gi; gi.require_version('GstRtspServer', '1.0')"])
        .stderr(Stdio::null())
        .status();
    if !python.is_ok_and(|status| status.success()) {
        println!("skipped: an RTSP server needs gir1.2-gst-rtsp-server-1.0 and python3-gi, which are absent");
        return;
    }
    let world = World::new().await;
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let login = ["operator", "s3c:ret/1"];
    std::fs::write(world.path("gate"), "operator:s3c:ret/1\n").unwrap();
    let mut registered = camera(1, Path::new("x"), 5.0);
    registered.source = format!("rtsp://127.0.0.1:{port}/live");
    registered.credential = Some("gate".to_owned());
    world.register(&registered).await;
    let mut settings = settings(false);
    settings.credentials_directory = world.folder.path().to_owned();
    let server = Server::start(port, login);
    let extractor = world.extractor(settings);
    let before = world.frames(40, 12).await;
    assert!(before.len() >= 12, "{}", before.len());
    drop(server);
    let server = Server::start(port, login);
    let in_two_sessions = |frames: &[Frame]| {
        frames
            .last()
            .is_some_and(|last| last.session != frames[0].session && last.sequence >= 10)
    };
    let frames = world.collect(Duration::from_secs(60), in_two_sessions).await;
    extractor.stop().await;
    drop(server);
    assert!(in_two_sessions(&frames), "{} frames", frames.len());
    for pair in frames.windows(2) {
        assert!(pair[1].captured_at > pair[0].captured_at);
        if pair[1].session == pair[0].session {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
            let distance = pair[1].media_time_micros - pair[0].media_time_micros;
            assert!(
                (100_000..=400_000).contains(&distance),
                "{distance} µs at 5 frames a second"
            );
        } else {
            assert_eq!(pair[1].sequence, 0);
            assert!(pair[1].session > pair[0].session);
        }
    }
}
