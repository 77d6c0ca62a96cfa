//! A training that is broken off and goes on gives the same weights as one that is not.
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

use mineseal_training::{PictureSettings, Progress, TrainSettings, WEIGHTS_FILE, train};

fn settings(cache: &Path, output: &Path) -> TrainSettings {
    TrainSettings {
        seed: 5,
        steps: 20,
        batch: 2,
        threads: 2,
        learning_rate: 1e-3,
        weight_decay: 0.01,
        warm_up: 5,
        average_over: 10.0,
        training: PictureSettings {
            first_seed: 100,
            scenes: 3,
            pictures_per_scene: 3,
        },
        held_out: PictureSettings {
            first_seed: 200,
            scenes: 1,
            pictures_per_scene: 2,
        },
        start_from: None,
        cache: cache.to_owned(),
        output: output.to_owned(),
        checkpoint_every: Duration::from_secs(3600),
        evaluate_every: 1000,
    }
}

#[test]
fn a_broken_off_training_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, whole, parts) = (
        folder.path().join("cache"),
        folder.path().join("a"),
        folder.path().join("b"),
    );
    let mut losses = Vec::new();
    let report = train(&settings(&cache, &whole), &mut |progress| {
        if let Progress::Step { loss, .. } = progress {
            losses.push(*loss);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((report.steps, losses.len()), (20, 2));
    assert!(losses[1] < losses[0], "the loss falls: {losses:?}");

    let mut stop = |progress: &Progress| match progress {
        Progress::Step { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let first = train(&settings(&cache, &parts), &mut stop).unwrap();
    assert_eq!(first.steps, 10);
    let other = TrainSettings {
        seed: 6,
        ..settings(&cache, &parts)
    };
    let error = train(&other, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("other settings"), "{error}");
    let second = train(&settings(&cache, &parts), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(second.steps, 20);
    let bytes = |folder: &Path| std::fs::read(folder.join(WEIGHTS_FILE)).unwrap();
    assert!(bytes(&whole) == bytes(&parts), "resuming changes nothing");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = settings(folder.path(), folder.path());
    let refused = |settings: TrainSettings| {
        train(&settings, &mut |_| ControlFlow::Continue(()))
            .unwrap_err()
            .to_string()
    };
    let held_out = PictureSettings {
        first_seed: 102,
        ..good.held_out
    };
    assert!(
        refused(TrainSettings {
            held_out,
            ..good.clone()
        })
        .contains("overlap")
    );
    assert!(
        refused(TrainSettings {
            batch: 1,
            ..good.clone()
        })
        .contains("batch")
    );
    assert!(refused(TrainSettings { steps: 0, ..good }).contains("steps"));
}
