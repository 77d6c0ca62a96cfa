//! What `make up` shows by itself: whoever passes the mouths and gates of the made-up mines is counted without a mistake, with the
//! weights and settings that a newcomer gets.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mineseal_scene::{DemoCamera, DemoMine, Scene, demo_mines, write_video};
use mineseal_system_tests::{Engines, Expected, Site, Tally};
use serde_json::json;

/// A camera of a mines file that plays `clip` once.
fn entry(camera: &DemoCamera, scene: &Scene, clip: &Path) -> String {
    let mut text = format!(
        "[[mine.camera]]\ncode = \"{}\"\nname = \"{}\"\nplace = {}\nsource = \"{}\"\nframes_per_second = {:?}\n\
         analyses = {}\n",
        camera.code,
        camera.name,
        i32::from(camera.place),
        clip.display(),
        camera.sampling.frames_per_second,
        json!(camera.analyses),
    );
    for counting in scene.lines() {
        let (from, to) = (counting.line.from, counting.line.to);
        writeln!(
            text,
            "[[mine.camera.line]]\nname = \"{}\"\ncounts = {}\nanchor = {}\nfrom = [{}, {}]\nto = [{}, {}]",
            counting.name,
            json!(counting.group),
            json!(counting.anchor),
            from.x,
            from.y,
            to.x,
            to.y
        )
        .unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_made_up_mines_are_counted_without_a_mistake() {
    let mut site = Site::new(Engines::Shared).unwrap();
    site.set("MINESEAL_EXTRACTOR__AS_FAST_AS_POSSIBLE", "true");
    let mines: Vec<DemoMine> = demo_mines().unwrap();
    let mut clips: Vec<(String, Scene, PathBuf)> = Vec::new();
    let mut text = String::new();
    for mine in &mines {
        writeln!(
            text,
            "[[mine]]\ncode = \"{}\"\nname = \"{}\"\nstate = {}\nheadcount_limit = {}",
            mine.code,
            mine.name,
            json!(mine.state),
            mine.headcount_limit
        )
        .unwrap();
        for camera in &mine.cameras {
            let scene = Scene::new(camera.script.clone()).unwrap();
            if !scene.lines().is_empty() {
                let clip = site.path(&format!("{}.mp4", camera.code));
                text.push_str(&entry(camera, &scene, &clip));
                clips.push((camera.code.to_string(), scene, clip));
            }
        }
    }
    std::thread::scope(|scope| {
        for (_, scene, clip) in &clips {
            scope.spawn(move || write_video(scene, clip, |_, _| {}).unwrap());
        }
    });
    let expected: Expected = clips
        .iter()
        .map(|(camera, _, clip)| (camera.clone(), Tally::of_clip(clip).unwrap()))
        // A place that nobody passes has no row.
        .filter(|(_, tally)| *tally != Tally::default())
        .collect();
    println!("ground truth: {expected:?}");
    let passings: u64 = expected.values().map(|tally| tally.entered + tally.left).sum();
    assert!(passings > 40, "people and vehicles pass: {passings}");

    let file = site.path("mines.toml");
    std::fs::write(&file, text).unwrap();
    site.start(Some(&file)).unwrap();
    site.until_ready(Duration::from_secs(60)).await.unwrap();
    site.until_counted(&expected, Duration::from_secs(240))
        .await
        .unwrap();
    // And so it stays when every clip has been seen to its end.
    let frames: f64 = clips
        .iter()
        .map(|(_, scene, _)| scene.script().frame_count() as f64)
        .sum();
    let wanted = frames.to_string();
    let began = std::time::Instant::now();
    loop {
        let rows = site.query("SELECT count() FROM frame_latencies").await.unwrap();
        if rows == [[wanted.clone()]] {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(240),
            "{rows:?} of {wanted}\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    site.until_counted(&expected, Duration::from_secs(10))
        .await
        .unwrap();
    assert!(site.stop().unwrap().success(), "{}", site.log());
}
