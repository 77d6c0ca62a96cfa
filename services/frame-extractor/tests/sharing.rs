//! Three extractor processes share the cameras: each camera has one reader, whoever comes, goes or is killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mineseal_domain::{MineState, UtcMicros};
use mineseal_schemas::{Mine, Topic};
use support::{World, camera, code, mine, write_clip};

const CAMERAS: u32 = 12;

/// One extractor, as a process of its own.
struct Process {
    child: Child,
    metrics: String,
}

impl Process {
    fn start(world: &World) -> Self {
        let metrics = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_mineseal-frame-extractor"))
            .env("MINESEAL_KAFKA__BROKERS", &world.brokers)
            .env("MINESEAL_KAFKA__TOPIC_PREFIX", &world.prefix)
            .env("MINESEAL_TELEMETRY__LISTEN", &metrics)
            .env("MINESEAL_EVIDENCE__LOCATION", world.path("evidence"))
            .env("MINESEAL_EXTRACTOR__PICTURE_WIDTH", "160")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, metrics }
    }

    fn signal(&mut self, name: &str) {
        let status = Command::new("kill")
            .arg(name)
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
    }

    /// The cameras that it reads; none where it does not answer.
    fn reads(&self) -> Vec<String> {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.metrics)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        let text = ask().unwrap_or_default();
        let connected = text.lines().filter_map(|line| {
            let (labels, value) = line.split_once("camera_connected{")?.1.split_once("} ")?;
            let code = labels.split('"').nth(1)?;
            (value.trim().parse::<f64>().ok()? > 0.0).then(|| code.to_owned())
        });
        connected.collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until each of `wanted` has one reader and nothing else is read; says how long that took.
async fn settled(what: &str, processes: &[&Process], wanted: &[u32]) {
    let begun = Instant::now();
    let wanted: BTreeMap<String, usize> = wanted
        .iter()
        .map(|number| (code(*number).to_string(), 1))
        .collect();
    loop {
        let mut readers: BTreeMap<String, usize> = BTreeMap::new();
        for process in processes {
            for camera in process.reads() {
                *readers.entry(camera).or_default() += 1;
            }
        }
        if readers == wanted {
            println!("{what}: settled after {:.1} s", begun.elapsed().as_secs_f64());
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "{what}: {readers:?} instead of {wanted:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_camera_has_one_reader_whoever_comes_goes_or_is_killed() {
    let world = World::new().await;
    let clip = world.path("clip.mp4");
    write_clip(&clip, 50, 5.0);
    let of = |number: u32| {
        let mut camera = camera(number, &clip, 2.0);
        camera.repeat = true;
        camera
    };
    for number in 1..=CAMERAS {
        world.register(&of(number)).await;
    }
    let all: Vec<u32> = (1..=CAMERAS).collect();
    let first = Process::start(&world);
    settled("the first starts", &[&first], &all).await;
    let mut second = Process::start(&world);
    let mut third = Process::start(&world);
    let three = || async {
        let begun = Instant::now();
        while [&first, &second, &third]
            .iter()
            .any(|process| process.reads().is_empty())
        {
            assert!(
                begun.elapsed() < Duration::from_secs(90),
                "one of three reads nothing"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    three().await;
    settled("two join", &[&first, &second, &third], &all).await;
    second.signal("-KILL");
    settled("one is killed", &[&first, &third], &all).await;
    third.signal("-TERM");
    settled("one leaves", &[&first], &all).await;

    let publisher = world.bus.publisher().unwrap();
    world.register(&of(CAMERAS + 1)).await;
    publisher.remove(Topic::Cameras, code(1).as_str()).await.unwrap();
    let changed: Vec<u32> = (2..=CAMERAS + 1).collect();
    settled("one is added and one removed", &[&first], &changed).await;
    let registered = |paused: bool| Mine {
        code: mine(),
        name: "mine".to_owned(),
        state: MineState::Producing,
        headcount_limit: 100,
        shifts: Vec::new(),
        watch_ordered: false,
        paused,
        changed_at: UtcMicros(1 + i64::from(paused)),
        changed_by: "test".to_owned(),
    };
    publisher.publish(&registered(true)).await.unwrap();
    settled("the mine is paused", &[&first], &[]).await;
    publisher.publish(&registered(false)).await.unwrap();
    settled("the mine goes on", &[&first], &changed).await;
}
