use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use mineseal_training::{PictureSettings, TrainSettings, train};

use crate::cli::TrainArguments;
use crate::commands::Failure;
use crate::output::note;

/// Seeds of scenes to learn from and of scenes to judge by lie far apart.
pub(super) const TRAINING_SEED: u64 = 1_000_000;
pub(super) const HELD_OUT_SEED: u64 = 9_000_000;
pub(super) const HELD_OUT_PICTURES: u64 = 5;
const EVALUATE_EVERY: u64 = 250;
pub(super) const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &TrainArguments) -> Result<(), Failure> {
    let settings = TrainSettings {
        seed: arguments.seed,
        steps: arguments.steps,
        batch: arguments.batch,
        threads: arguments.threads,
        learning_rate: arguments.rate,
        weight_decay: 0.02,
        warm_up: arguments.warm_up,
        average_over: arguments.average_over,
        training: PictureSettings {
            first_seed: TRAINING_SEED,
            scenes: arguments.scenes,
            pictures_per_scene: arguments.pictures_per_scene,
        },
        held_out: PictureSettings {
            first_seed: HELD_OUT_SEED,
            scenes: arguments.held_out_scenes,
            pictures_per_scene: HELD_OUT_PICTURES,
        },
        start_from: arguments.start_from.clone(),
        cache: arguments.folder.join("pictures"),
        output: arguments.folder.clone(),
        checkpoint_every: CHECKPOINT_EVERY,
        evaluate_every: EVALUATE_EVERY,
    };
    let began = Instant::now();
    let report = train(&settings, &mut |progress| {
        note(format!("[{:>6.0} s] {progress:?}", began.elapsed().as_secs_f64()));
        ControlFlow::Continue(())
    })?;
    note(format!("{report:#?}"));
    Ok(())
}
