//! A clip on disk: video and truth belong together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use mineseal_scene::{DemoCourse, RgbPicture, Scene, SceneError, SceneKind, SceneScript, Truth, write_video};
use mineseal_video::{OpenSettings, Source, VideoReader};

fn small_scene() -> Scene {
    let script = SceneScript::demo(SceneKind::ShaftMouth, 21, 4.0, DemoCourse::Stopped);
    Scene::new(SceneScript {
        width: 320,
        height: 180,
        ..script
    })
    .expect("a scene")
}

#[test]
fn the_clip_shows_what_was_rendered_and_its_truth_lies_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mouth.mp4");
    let scene = small_scene();
    let mut told = Vec::new();
    write_video(&scene, &path, |done, all| told.push((done, all))).expect("a clip");
    assert_eq!(told.len(), 40);
    assert_eq!(told.last(), Some(&(40, 40)));

    let truth = Truth::read(&Truth::path_of(&path)).expect("its truth");
    assert_eq!(&truth.header.script, scene.script());
    assert_eq!(truth.header.lines, scene.lines());
    assert_eq!(truth.frames.len(), 40);
    assert_eq!(truth.frames[17], scene.truth(17));
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");

    let mut reader =
        VideoReader::open(&Source::File(path), &OpenSettings::default()).expect("the clip opens");
    let mut rendered = RgbPicture::default();
    let mut index = 0;
    while let Some(decoded) = reader.next().expect("a picture") {
        assert_eq!(decoded.media_time_micros, scene.script().media_time_micros(index));
        scene.render(index, &mut rendered);
        let shown = decoded.rgb24().expect("pixels");
        assert_eq!((shown.width(), shown.height()), (320, 180));
        let sum: u64 = shown
            .pixels()
            .iter()
            .zip(&rendered.data)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        let apart = sum as f64 / rendered.data.len() as f64;
        assert!(
            apart < 8.0,
            "picture {index} is {apart} grey levels from what was rendered"
        );
        index += 1;
    }
    assert_eq!(index, 40);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = write_video(
        &small_scene(),
        std::path::Path::new("/nonexistent/folder/clip.mp4"),
        |_, _| {},
    )
    .expect_err("no such folder");
    assert!(
        error.to_string().contains("/nonexistent/folder/clip.mp4"),
        "{error}"
    );
}

#[test]
fn damaged_truth_is_refused_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("clip.mp4");
    write_video(&small_scene(), &path, |_, _| {}).expect("a clip");
    let truth_path = Truth::path_of(&path);
    let whole = std::fs::read_to_string(&truth_path).unwrap();
    let lines: Vec<_> = whole.lines().collect();

    std::fs::write(&truth_path, lines[..20].join("\n")).unwrap();
    let error = Truth::read(&truth_path).expect_err("pictures are missing");
    assert!(error.to_string().contains("19 pictures where 40"), "{error}");

    let mut swapped = lines.clone();
    swapped.swap(5, 6);
    std::fs::write(&truth_path, swapped.join("\n")).unwrap();
    let error = Truth::read(&truth_path).expect_err("out of order");
    assert!(matches!(error, SceneError::Truth { line: 6, .. }), "{error}");
}

#[test]
fn wrong_scripts_are_refused_by_the_field() {
    let good = || SceneScript::demo(SceneKind::ShaftMouth, 1, 30.0, DemoCourse::default());
    let refused = |script: SceneScript, word: &str| {
        let error = Scene::new(script).expect_err("a wrong script");
        assert!(error.to_string().contains(word), "{error}");
    };
    refused(SceneScript { width: 641, ..good() }, "width 641");
    refused(
        SceneScript {
            frames_per_second: f64::NAN,
            ..good()
        },
        "frames_per_second",
    );
    refused(
        SceneScript {
            seconds: 0.0,
            ..good()
        },
        "seconds",
    );
    let mut script = good();
    script.actors[1].id = script.actors[0].id;
    refused(script, "appears twice");
    let mut script = good();
    script.actors[0].way.reverse();
    refused(script, "must rise");
    let mut script = good();
    script.look.camera_height = f32::INFINITY;
    refused(script, "camera_height");
}

#[test]
fn random_scripts_are_sound_and_differ() {
    for kind in SceneKind::ALL {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let script = SceneScript::random(kind, seed, 416, 256, 20.0);
            script
                .validate()
                .unwrap_or_else(|error| panic!("{kind:?} {seed}: {error}"));
            let text = serde_json::to_string(&script).expect("json");
            let back: SceneScript = serde_json::from_str(&text).expect("reads again");
            assert_eq!(back, script);
            seen.insert(text);
        }
        assert_eq!(seen.len(), 200);
    }
}
