//! The product's own weights find people in scenes that they were not trained on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::path::Path;

use mineseal_detector::Precision;
use mineseal_training::{PictureSettings, evaluate};

const WEIGHTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../config/models/mineseal-yolox-nano.safetensors"
);

#[test]
fn people_are_found_in_scenes_never_seen_before() {
    let folder = tempfile::tempdir().unwrap();
    // These seeds belong neither to the training nor to the held-out pictures that the training was judged by.
    let settings = PictureSettings {
        first_seed: 5_000_000,
        scenes: 20,
        pictures_per_scene: 5,
    };
    let [person, car, truck, _] =
        evaluate(Path::new(WEIGHTS), Precision::Single, settings, folder.path(), 2).unwrap();
    println!("{person:?}\n{car:?}\n{truck:?}");
    assert!(person.objects >= 100, "{person:?}");
    assert!(person.average_precision >= 0.9, "{person:?}");
}

#[test]
fn the_weights_are_small_enough_to_be_committed() {
    let size = std::fs::metadata(WEIGHTS).unwrap().len();
    assert!(size < 6_000_000, "{size} bytes");
}
