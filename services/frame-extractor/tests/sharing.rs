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

    /// Waits until it has come up, so that what follows is the joining alone.
    async fn until_up(&self) {
        let begun = Instant::now();
        while TcpStream::connect(&self.metrics).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The cameras that it tells of, and whether it reads them; none where it does not answer.
    fn tells(&self) -> Vec<(String, bool)> {
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
            Some((code.to_owned(), value.trim().parse::<f64>().ok()? > 0.0))
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

/// Waits until each of `wanted` has one reader, nothing else is read or told of, and each process that was given any partition
/// reads something; says how long that took since `begun`.
async fn settled(what: &str, begun: Instant, processes: &[&Process], wanted: &[u32]) {
    let wanted: BTreeMap<String, usize> = wanted
        .iter()
        .map(|number| (code(*number).to_string(), 1))
        .collect();
    loop {
        let told: Vec<Vec<(String, bool)>> = processes.iter().map(|process| process.tells()).collect();
        let (mut readers, mut tellers) = (BTreeMap::new(), BTreeMap::new());
        for (camera, connected) in told.iter().flatten() {
            *readers.entry(camera.clone()).or_insert(0_usize) += usize::from(*connected);
            *tellers.entry(camera.clone()).or_insert(0_usize) += 1;
        }
        let reads = |told: &Vec<(String, bool)>| told.iter().any(|(_, connected)| *connected);
        let all_read = wanted.is_empty() || told.iter().all(reads);
        // A camera that is gone is not a camera that is away: its series must end.
        if readers == wanted && tellers == wanted && all_read {
            println!("{what}: settled after {:.1} s", begun.elapsed().as_secs_f64());
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "{what}: {readers:?} read and {tellers:?} told of instead of {wanted:?}"
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
    first.until_up().await;
    settled("the first starts", Instant::now(), &[&first], &all).await;
    let mut second = Process::start(&world);
    second.until_up().await;
    settled("one joins", Instant::now(), &[&first, &second], &all).await;
    let mut third = Process::start(&world);
    third.until_up().await;
    settled("another joins", Instant::now(), &[&first, &second, &third], &all).await;
    let begun = Instant::now();
    second.signal("-KILL");
    settled("one is killed", begun, &[&first, &third], &all).await;
    let begun = Instant::now();
    third.signal("-TERM");
    settled("one leaves", begun, &[&first], &all).await;

    let publisher = world.bus.publisher().unwrap();
    let begun = Instant::now();
    world.register(&of(CAMERAS + 1)).await;
    publisher.remove(Topic::Cameras, code(1).as_str()).await.unwrap();
    let changed: Vec<u32> = (2..=CAMERAS + 1).collect();
    settled("one is added and one removed", begun, &[&first], &changed).await;
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
    let begun = Instant::now();
    publisher.publish(&registered(true)).await.unwrap();
    settled("the mine is paused", begun, &[&first], &[]).await;
    let begun = Instant::now();
    publisher.publish(&registered(false)).await.unwrap();
    settled("the mine goes on", begun, &[&first], &changed).await;
}
