//! Judges weights on real pictures: `real WEIGHTS TEACHER SHARED [WIDTH HEIGHT]`. Agreement with the teacher on frames of clips
//! that nothing is learnt from (boxes of score 0.3 and more, overlap of 0.5), and average precision of persons on the
//! frames of MOT17 in `shared`. Without a size 640 384.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use mineseal_detector::{DetectorSettings, InputSize, YoloxDetector};
use mineseal_training::{
    HELD_OUT_CLIPS, TrainingError, agreement, clip_frames, mot17_mini, person_precision,
};

/// Boxes from this score on are compared.
const SCORE: f32 = 0.3;
/// Frames of each clip.
const FRAMES: usize = 100;

fn main() -> Result<(), TrainingError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, teacher, shared, size @ ..] = &arguments[..] else {
        return Err(TrainingError::Settings(
            "give WEIGHTS TEACHER SHARED [WIDTH HEIGHT]".into(),
        ));
    };
    let (weights, teacher, shared) = (Path::new(weights), Path::new(teacher), PathBuf::from(shared));
    let size: Vec<usize> = size.iter().filter_map(|number| number.parse().ok()).collect();
    let input = match size[..] {
        [] => InputSize::DEFAULT,
        [width, height] => InputSize { width, height },
        _ => return Err(TrainingError::Settings("a size is WIDTH HEIGHT".into())),
    };
    let load = |path: &Path| {
        let settings = DetectorSettings {
            input: Some(input),
            score_threshold: SCORE,
            ..DetectorSettings::default()
        };
        YoloxDetector::load(path, settings).map_err(|error| TrainingError::Detector(error.to_string()))
    };
    for clip in HELD_OUT_CLIPS {
        let frames = clip_frames(&shared, &[clip], FRAMES)?;
        let [person, vehicle] = agreement(&mut load(teacher)?, &mut load(weights)?, &frames)?;
        println!("{clip}, {} frames", frames.len());
        println!("  person: F1 {:.3}, {person:?}", person.f1());
        println!("  vehicle: F1 {:.3}, {vehicle:?}", vehicle.f1());
    }
    let frames = mot17_mini(&shared)?;
    for path in [weights, teacher] {
        let figures = person_precision(path, input, &frames)?;
        println!("MOT17, {} frames, {}: {figures:?}", frames.len(), path.display());
    }
    Ok(())
}
