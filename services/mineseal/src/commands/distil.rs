use std::ops::ControlFlow;
use std::time::Instant;

use mineseal_training::{DistilSettings, PictureSettings, distil};

use super::train::{CHECKPOINT_EVERY, HELD_OUT_PICTURES, HELD_OUT_SEED, TRAINING_SEED};
use crate::cli::DistilArguments;
use crate::commands::Failure;
use crate::output::note;

pub(crate) fn run(arguments: &DistilArguments) -> Result<(), Failure> {
    let open_weights = || arguments.shared.join("models/yolox_nano.safetensors");
    let settings = DistilSettings {
        seed: arguments.seed,
        steps: arguments.steps,
        batch: arguments.batch,
        threads: arguments.threads,
        learning_rate: arguments.rate,
        warm_up: arguments.warm_up,
        average_over: arguments.average_over,
        loyalty: arguments.loyalty,
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
        frames_of_clip: arguments.frames_per_clip,
        teacher: arguments.teacher.clone().unwrap_or_else(open_weights),
        shared: arguments.shared.clone(),
        cache: arguments.folder.join("pictures"),
        output: arguments.folder.clone(),
        checkpoint_every: CHECKPOINT_EVERY,
        evaluate_every: arguments.evaluate_every,
    };
    let began = Instant::now();
    let report = distil(&settings, &mut |progress| {
        note(format!("[{:>6.0} s] {progress:?}", began.elapsed().as_secs_f64()));
        ControlFlow::Continue(())
    })?;
    note(format!("{report:#?}"));
    Ok(())
}
