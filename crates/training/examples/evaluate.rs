//! Judges weights on rendered scenes: `evaluate WEIGHTS CACHE FIRST_SEED SCENES PICTURES_PER_SCENE [single|bytes]`; the last
//! says what the net's 1x1 convolutions multiply.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use mineseal_detector::Precision;
use mineseal_training::{PictureSettings, TrainingError, evaluate};

fn main() -> Result<(), TrainingError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, cache, numbers @ ..] = &arguments[..] else {
        return Err(usage());
    };
    let numbers: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let &[first_seed, scenes, pictures_per_scene] = &numbers[..] else {
        return Err(usage());
    };
    let settings = PictureSettings {
        first_seed,
        scenes,
        pictures_per_scene,
    };
    let precision = match arguments.get(5).map(String::as_str) {
        None | Some("single") => Precision::Single,
        Some("bytes") => Precision::Bytes,
        Some(_) => return Err(usage()),
    };
    for class in evaluate(
        &PathBuf::from(weights),
        precision,
        settings,
        &PathBuf::from(cache),
        2,
    )? {
        println!("{class:?}");
    }
    Ok(())
}

fn usage() -> TrainingError {
    TrainingError::Settings("give WEIGHTS CACHE FIRST_SEED SCENES PICTURES_PER_SCENE [single|bytes]".into())
}
