//! `mineseal camera accept`: a camera that was turned is a fault, until somebody says that it may look where it does.

use std::path::Path;
use std::time::{Duration, Instant};

use mineseal_system_tests::{Engines, Site};
use mineseal_video::{VideoWriter, WriterSettings};

const CAMERA: &str = "150602004199969991054201";
const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const RATE: usize = 5;
/// Long enough for a view to be learnt.
const FIRST_VIEW_SECONDS: usize = 18;
/// Long enough for the fault, for the new view to be learnt, and for a second fault if it were to come.
const SECOND_VIEW_SECONDS: usize = 75;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Walls, doors and boxes of a place.
fn view(seed: u64) -> Vec<[u8; 3]> {
    let mut numbers = Numbers(seed);
    let mut pixels = vec![[90, 100, 95]; WIDTH * HEIGHT];
    for _ in 0..140 {
        let (left, top) = (numbers.below(WIDTH), numbers.below(HEIGHT));
        let (width, height) = (12 + numbers.below(90), 12 + numbers.below(70));
        let colour = [0; 3].map(|_: u8| 40 + numbers.below(160) as u8);
        for y in top..(top + height).min(HEIGHT) {
            for x in left..(left + width).min(WIDTH) {
                pixels[y * WIDTH + x] = colour;
            }
        }
    }
    pixels
}

/// A clip of a camera that shows one place and then another, with a sensor's noise and somebody who walks about.
fn write_turned_camera(path: &Path) {
    let settings = WriterSettings {
        quality: 16,
        ..WriterSettings::default()
    };
    let mut writer = VideoWriter::create(path, WIDTH as u32, HEIGHT as u32, RATE as f64, &settings).unwrap();
    let mut numbers = Numbers(7);
    let (mut x, mut y) = (300_usize, 150_usize);
    for (seed, seconds) in [(1, FIRST_VIEW_SECONDS), (2, SECOND_VIEW_SECONDS)] {
        let place = view(seed);
        for _ in 0..seconds * RATE {
            x = (x + numbers.below(25)).saturating_sub(12).min(WIDTH - 40);
            y = (y + numbers.below(17)).saturating_sub(8).min(HEIGHT - 90);
            let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * 3);
            for (index, colour) in place.iter().enumerate() {
                let walker = (x..x + 40).contains(&(index % WIDTH)) && (y..y + 90).contains(&(index / WIDTH));
                let colour = if walker { &[25, 30, 160] } else { colour };
                let noise = numbers.below(13) as u8;
                pixels.extend(colour.map(|level| level + noise));
            }
            writer.write_rgb(&pixels).unwrap();
        }
    }
    writer.finish().unwrap();
}

/// The conditions that the camera went through.
async fn conditions(site: &Site) -> Vec<String> {
    let rows = site
        .query(&format!(
            "SELECT condition FROM camera_health WHERE camera = '{CAMERA}' ORDER BY at, record_offset"
        ))
        .await
        .unwrap_or_default();
    let mut conditions: Vec<String> = rows.into_iter().map(|row| row[0].clone()).collect();
    conditions.dedup();
    conditions
}

async fn until_conditions(site: &Site, wanted: &[&str]) {
    let began = Instant::now();
    loop {
        let seen = conditions(site).await;
        if seen == wanted {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{seen:?} instead of {wanted:?}\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turned_camera_is_accepted_as_it_stands() {
    let mut site = Site::new(Engines::Shared).unwrap();
    let clip = site.path("turned.mp4");
    write_turned_camera(&clip);
    let mines = site.path("mines.toml");
    let text = format!(
        "[[mine]]\ncode = \"150602999105\"\nname = \"转向\"\nheadcount_limit = 5\n[[mine.camera]]\ncode = \"{CAMERA}\"\n\
         name = \"主井口\"\nplace = 42\nsource = \"{}\"\nframes_per_second = 5\nanalyses = []\n",
        clip.display()
    );
    std::fs::write(&mines, text).unwrap();
    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(60)).await.unwrap();
    until_conditions(&site, &["normal", "moved"]).await;

    let unknown = site
        .command(&["camera", "accept", "150602004199969991054299"])
        .unwrap();
    let output = tokio::process::Command::from(unknown).output().await.unwrap();
    assert!(!output.status.success());
    let accepting = site.command(&["camera", "accept", CAMERA]).unwrap();
    let output = tokio::process::Command::from(accepting).output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    until_conditions(&site, &["normal", "moved", "normal"]).await;
    // And so it stays until the clip's end: the second view is the reference now.
    let began = Instant::now();
    while !site.log().contains("played to its end") {
        assert!(began.elapsed() < Duration::from_secs(180), "{}", site.log());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(conditions(&site).await, ["normal", "moved", "normal"]);
    assert!(site.stop().unwrap().success(), "{}", site.log());
}
