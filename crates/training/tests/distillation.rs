//! A distillation begins as its teacher, goes on exactly where it was broken off, and says what it misses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use mineseal_training::{
    DistilSettings, PictureSet, PictureSettings, Progress, RealFrame, TrainSettings, WEIGHTS_FILE, distil,
    distil_frames, train,
};

const TRAINING: PictureSettings = PictureSettings {
    first_seed: 100,
    scenes: 2,
    pictures_per_scene: 2,
};
const HELD_OUT: PictureSettings = PictureSettings {
    first_seed: 200,
    scenes: 1,
    pictures_per_scene: 2,
};

fn settings(folder: &Path, output: &str, teacher: &Path) -> DistilSettings {
    DistilSettings {
        seed: 5,
        steps: 20,
        batch: 4,
        threads: 2,
        learning_rate: 1e-4,
        warm_up: 5,
        average_over: 10.0,
        loyalty: 2.0,
        training: TRAINING,
        held_out: HELD_OUT,
        frames_of_clip: 3,
        teacher: teacher.to_owned(),
        shared: folder.join("shared"),
        cache: folder.join("cache"),
        output: folder.join(output),
        checkpoint_every: Duration::from_secs(3600),
        evaluate_every: 1000,
    }
}

/// A net that has hardly learnt anything.
fn teacher(folder: &Path) -> std::path::PathBuf {
    let settings = TrainSettings {
        seed: 5,
        steps: 1,
        batch: 2,
        threads: 2,
        learning_rate: 1e-3,
        weight_decay: 0.01,
        warm_up: 1,
        average_over: 1.0,
        training: TRAINING,
        held_out: HELD_OUT,
        start_from: None,
        cache: folder.join("cache"),
        output: folder.join("teacher"),
        checkpoint_every: Duration::from_secs(3600),
        evaluate_every: 1000,
    };
    train(&settings, &mut |_| ControlFlow::Continue(()))
        .unwrap()
        .weights
}

/// Pictures that stand for frames of a clip.
fn frames() -> Vec<RealFrame> {
    let settings = PictureSettings {
        first_seed: 300,
        ..TRAINING
    };
    let set = PictureSet::render(settings, 2, &mut |_| ControlFlow::Continue(())).unwrap();
    set.pictures
        .into_iter()
        .enumerate()
        .map(|(index, picture)| RealFrame {
            clip: "a clip".to_owned(),
            index,
            jpeg: picture.jpeg,
        })
        .collect()
}

#[test]
fn a_broken_off_distillation_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = teacher(folder.path());
    let frames = frames();
    let whole = settings(folder.path(), "a", &teacher);
    let mut distances = Vec::new();
    let report = distil_frames(&whole, &frames, &frames[..1], &mut |progress| {
        if let Progress::Step { parts, .. } = progress {
            distances.push(parts.distillation);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((report.steps, distances.len()), (20, 2));
    assert!(
        distances
            .iter()
            .all(|distance| distance.is_finite() && *distance > 0.0),
        "{distances:?}"
    );

    let parts = settings(folder.path(), "b", &teacher);
    let mut stop = |progress: &Progress| match progress {
        Progress::Step { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let first = distil_frames(&parts, &frames, &frames[..1], &mut stop).unwrap();
    assert_eq!(first.steps, 10);
    let second = distil_frames(&parts, &frames, &frames[..1], &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(second.steps, 20);
    let bytes = |settings: &DistilSettings| std::fs::read(settings.output.join(WEIGHTS_FILE)).unwrap();
    assert!(bytes(&whole) == bytes(&parts), "resuming changes nothing");
    assert!(
        bytes(&whole) != std::fs::read(&teacher).unwrap(),
        "something was learnt"
    );
}

#[test]
fn what_is_absent_or_makes_no_sense_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = folder.path().join("teacher.safetensors");
    let refused = |settings: &DistilSettings| {
        distil(settings, &mut |_| ControlFlow::Continue(()))
            .unwrap_err()
            .to_string()
    };
    let good = settings(folder.path(), "a", &teacher);
    assert!(refused(&good).contains("teacher.safetensors"));
    std::fs::write(&teacher, b"something").unwrap();
    let error = refused(&good);
    assert!(
        error.contains("one-by-one-person-detection.mp4") && error.contains("absent"),
        "{error}"
    );
    let odd = DistilSettings {
        batch: 6,
        ..good.clone()
    };
    assert!(refused(&odd).contains("batch"));
    let held_out = PictureSettings {
        first_seed: 101,
        ..HELD_OUT
    };
    assert!(refused(&DistilSettings { held_out, ..good }).contains("overlap"));
}
