//! Rendered scenes and a real clip through the whole system: what ClickHouse holds equals what was there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mineseal_scene::{DemoCourse, Scene, SceneKind, SceneScript, write_video};
use mineseal_system_tests::{Engines, Expected, Site, Tally};

const MINES: [&str; 2] = ["150602999101", "150602999102"];

fn shaft_camera(mine: usize) -> String {
    format!("1506020041999699910{}4201", mine + 1)
}

/// A shaft mouth whose people go in and come out, with its truth beside it.
fn render(folder: &Path, seed: u64, seconds: f64) -> PathBuf {
    let script = SceneScript::demo(
        SceneKind::ShaftMouth,
        seed,
        seconds,
        DemoCourse::Working { peak_people: 4 },
    );
    let path = folder.join(format!("shaft-{seed}.mp4"));
    write_video(&Scene::new(script).unwrap(), &path, |_, _| {}).unwrap();
    path
}

fn mines_file(folder: &Path, clips: &[PathBuf], limit: i32) -> PathBuf {
    let mut text = String::new();
    for (index, clip) in clips.iter().enumerate() {
        let truth = mineseal_scene::Truth::read(&mineseal_scene::Truth::path_of(clip)).unwrap();
        let line = truth.header.lines[0].line;
        write!(
            text,
            r#"
[[mine]]
code = "{}"
name = "测试{index}号煤矿"
headcount_limit = {limit}
[[mine.camera]]
code = "{}"
name = "主井口"
place = 42
source = "{}"
frames_per_second = 5
analyses = ["person_crossing"]
[[mine.camera.line]]
name = "mouth"
from = [{}, {}]
to = [{}, {}]
"#,
            MINES[index],
            shaft_camera(index),
            clip.display(),
            line.from.x,
            line.from.y,
            line.to.x,
            line.to.y
        )
        .unwrap();
    }
    let path = folder.join("mines.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn expected(clips: &[PathBuf]) -> Expected {
    clips
        .iter()
        .enumerate()
        .map(|(index, clip)| (shaft_camera(index), Tally::of_clip(clip).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn crossings_in_clickhouse_equal_the_ground_truth() {
    let mut site = Site::new(Engines::Shared).unwrap();
    site.set("MINESEAL_EXTRACTOR__AS_FAST_AS_POSSIBLE", "true");
    let clips = [render(&site.path(""), 11, 60.0), render(&site.path(""), 12, 60.0)];
    let mines = mines_file(&site.path(""), &clips, 2);
    let expected = expected(&clips);
    println!("ground truth: {expected:?}");
    assert!(
        expected
            .values()
            .all(|tally| tally.entered >= 3 && tally.left >= 3),
        "scenes with people in them"
    );

    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(60)).await.unwrap();
    site.until_counted(&expected, Duration::from_secs(120))
        .await
        .unwrap();

    // Everybody who went in came out.
    let rows = site
        .query("SELECT mine, argMax(people, at) FROM headcounts GROUP BY mine ORDER BY mine")
        .await
        .unwrap();
    assert_eq!(rows, [[MINES[0], "0"], [MINES[1], "0"]]);
    // Four people are more than two: the alarm was raised, and cleared when they left.
    let alarms = site
        .query("SELECT phase, count() FROM alarms WHERE kind = 'headcount_over_limit' GROUP BY phase ORDER BY phase")
        .await
        .unwrap();
    let phases: Vec<&str> = alarms.iter().map(|row| row[0].as_str()).collect();
    assert!(
        phases.contains(&"raised") && phases.contains(&"cleared"),
        "{alarms:?}"
    );
    // The upper platform was told the same headcounts.
    let told = std::fs::read_to_string(site.path("data/stand-in-platform.jsonl")).unwrap();
    let last: serde_json::Value = told
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .rfind(|told| told["path"] == "/mine/ai/undergroundCount" && told["body"]["mineCode"] == MINES[0])
        .unwrap();
    assert_eq!(last["body"]["analysisCase"], "0000");
    let latencies = site.query("SELECT count() FROM frame_latencies").await.unwrap();
    assert_eq!(latencies, [["600"]], "60 s of two cameras at 5 frames a second");
    assert!(site.stop().unwrap().success(), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_run_and_started_again_nothing_is_lost_or_doubled() {
    let mut site = Site::new(Engines::Own).unwrap();
    let clips = [render(&site.path(""), 21, 40.0)];
    let mines = mines_file(&site.path(""), &clips, 50);
    let expected = expected(&clips);
    println!("ground truth: {expected:?}");
    // In real time, so that the kills fall into the middle.
    for seconds_until_killed in [12, 9] {
        site.start(Some(&mines)).unwrap();
        site.until_ready(Duration::from_secs(120)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(seconds_until_killed)).await;
        site.kill().unwrap();
    }
    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(120)).await.unwrap();
    site.until_counted(&expected, Duration::from_secs(120))
        .await
        .unwrap();
    // The clip goes on after its last crossing: 40 s at 5 frames a second, all in one session.
    let began = std::time::Instant::now();
    loop {
        let frames = site
            .query("SELECT uniqExact(session, sequence), max(sequence) + 1 FROM frame_latencies")
            .await
            .unwrap();
        if frames == [["200", "200"]] {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{frames:?}\n{}",
            site.log()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(site.stop().unwrap().success(), "{}", site.log());

    // Stopped and started once more: the counts are still there, and the clip is not played again.
    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(120)).await.unwrap();
    site.until_counted(&expected, Duration::from_secs(30))
        .await
        .unwrap();
    let shown = site.shown().await.unwrap();
    assert_eq!(shown["mines"][MINES[0]]["people"], 0);
    assert_eq!(
        shown["mines"][MINES[0]]["entered"],
        expected[&shaft_camera(0)].entered
    );
    assert!(site.stop().unwrap().success(), "{}", site.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_clip_is_counted_within_ten_per_cent() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let (clip, weights) = (
        shared.join("data/video/vtest_480x360.mp4"),
        shared.join("models/yolox_nano.safetensors"),
    );
    if !clip.exists() || !weights.exists() {
        println!("skipped: the real clip needs ../shared/data and ../shared/models, which are absent");
        return;
    }
    let mut site = Site::new(Engines::Shared).unwrap();
    site.set("MINESEAL_EXTRACTOR__AS_FAST_AS_POSSIBLE", "true");
    site.set("MINESEAL_INFERENCE__WEIGHTS", &weights.display().to_string());
    let camera = "150602004199969991034301";
    let text = format!(
        r#"
[[mine]]
code = "150602999103"
name = "实拍"
headcount_limit = 500
[[mine.camera]]
code = "{camera}"
name = "路口"
place = 43
source = "{}"
frames_per_second = 5
analyses = ["person_crossing"]
[[mine.camera.line]]
name = "line"
from = [0.4166667, 0.0]
to = [0.4166667, 1.0]
"#,
        clip.display()
    );
    let mines = site.path("mines.toml");
    std::fs::write(&mines, text).unwrap();
    site.start(Some(&mines)).unwrap();
    site.until_ready(Duration::from_secs(60)).await.unwrap();
    let began = std::time::Instant::now();
    let mut frames = String::new();
    while began.elapsed() < Duration::from_secs(240) && frames != "398" {
        tokio::time::sleep(Duration::from_secs(1)).await;
        frames.clone_from(&site.query("SELECT count() FROM frame_latencies").await.unwrap()[0][0]);
    }
    assert_eq!(frames, "398", "every second frame of 795\n{}", site.log());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let counted = site.crossings().await.unwrap()[camera];
    println!("hand-checked: 18 in, 14 out; counted: {counted:?}");
    assert!(
        (16..=20).contains(&counted.entered) && (13..=15).contains(&counted.left),
        "{counted:?}"
    );
    assert!(site.stop().unwrap().success(), "{}", site.log());
}
