//! Trains the product's own weights: `train OUTPUT CACHE STEPS [name=value ...]`.
#![allow(clippy::print_stdout)]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mineseal_training::{PictureSettings, TrainSettings, TrainingError, train};

/// Big blocks are kept instead of being given back to the system after every operation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), TrainingError> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments
            .next()
            .ok_or_else(|| TrainingError::Settings(format!("give OUTPUT CACHE STEPS: {what} is missing")))
    };
    let (output, cache) = (PathBuf::from(next("OUTPUT")?), PathBuf::from(next("CACHE")?));
    let number = |text: &str| {
        text.parse::<f64>()
            .map_err(|_| TrainingError::Settings(format!("{text} is not a number")))
    };
    let steps = number(&next("STEPS")?)? as u64;
    let mut settings = TrainSettings {
        seed: 1,
        steps,
        batch: 16,
        threads: 2,
        learning_rate: 2e-3,
        weight_decay: 0.02,
        warm_up: 100,
        average_over: 400.0,
        training: PictureSettings {
            first_seed: 1_000_000,
            scenes: 800,
            pictures_per_scene: 8,
        },
        held_out: PictureSettings {
            first_seed: 9_000_000,
            scenes: 60,
            pictures_per_scene: 5,
        },
        start_from: None,
        cache,
        output,
        checkpoint_every: Duration::from_secs(120),
        evaluate_every: 250,
    };
    for argument in arguments {
        let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
        match name {
            "start_from" => settings.start_from = Some(PathBuf::from(value)),
            "seed" => settings.seed = number(value)? as u64,
            "batch" => settings.batch = number(value)? as usize,
            "threads" => settings.threads = number(value)? as usize,
            "rate" => settings.learning_rate = number(value)? as f32,
            "warm_up" => settings.warm_up = number(value)? as u64,
            "average_over" => settings.average_over = number(value)?,
            "evaluate_every" => settings.evaluate_every = number(value)? as u64,
            "scenes" => settings.training.scenes = number(value)? as u64,
            "pictures_per_scene" => settings.training.pictures_per_scene = number(value)? as u64,
            "held_out_scenes" => settings.held_out.scenes = number(value)? as u64,
            _ => return Err(TrainingError::Settings(format!("unknown setting {argument}"))),
        }
    }
    let started = Instant::now();
    let report = train(&settings, &mut |progress| {
        println!("{:7.1} s  {progress:?}", started.elapsed().as_secs_f64());
        ControlFlow::Continue(())
    })?;
    println!("{report:#?}");
    Ok(())
}
