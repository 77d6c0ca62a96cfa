//! The frames of MOT17 that lie in `shared`: evaluation only, nothing is learnt from them.

use std::fs;
use std::path::Path;

use mineseal_detector::{Detector, DetectorSettings, InputSize, PictureRef, YoloxDetector};
use mineseal_domain::BoundingBox;

use crate::error::TrainingError;
use crate::evaluation::{ClassFigures, Judged, figures};
use crate::truth::Truth;

/// Sequences of MOT17 with their first frames.
const SEQUENCES: [&str; 3] = ["MOT17-02", "MOT17-05", "MOT17-09"];
/// Persons with less of them in sight are ignored.
const LEAST_VISIBLE: f32 = 0.3;
/// Boxes from this score on make the curve.
const LOWEST_SCORE: f32 = 0.01;
/// Suppression for it.
const CURVE_OVERLAP: f32 = 0.5;
/// Recall and precision are given from this score on.
const SCORE: f32 = 0.3;
/// What stands in the column of classes for a person on foot.
const PEDESTRIAN: u32 = 1;

/// One frame with its persons.
#[derive(Clone, Debug)]
pub struct MotFrame {
    /// The JPEG file.
    pub jpeg: Vec<u8>,
    /// Persons on foot; those hardly in sight, and everything else that is marked, is ignored.
    pub truths: Vec<Truth>,
}

/// The frames of all sequences.
///
/// # Errors
/// Files that are absent or not what MOTChallenge writes.
pub fn mot17_mini(shared: &Path) -> Result<Vec<MotFrame>, TrainingError> {
    let mut frames = Vec::new();
    for sequence in SEQUENCES {
        let folder = shared.join("data/mot/mot17").join(sequence);
        let file = folder.join("gt.txt");
        let text = fs::read_to_string(&file).map_err(TrainingError::file("read", &file))?;
        for number in 1.. {
            let path = folder.join(format!("img1/{number:06}.jpg"));
            if !path.is_file() {
                break;
            }
            let truths = text.lines().filter_map(|line| truth(line, number)).collect();
            frames.push(MotFrame {
                jpeg: fs::read(&path).map_err(TrainingError::file("read", &path))?,
                truths,
            });
        }
    }
    Ok(frames)
}

/// A line: frame, track, left, top, width, height, whether it counts, class, visible share.
fn truth(line: &str, number: u32) -> Option<Truth> {
    let columns: Vec<f32> = line
        .split(',')
        .filter_map(|text| text.trim().parse().ok())
        .collect();
    let &[frame, _, left, top, width, height, counts, class, visible] = &columns[..] else {
        return None;
    };
    (frame as u32 == number).then_some(Truth {
        class: 0,
        bounding_box: BoundingBox {
            left,
            top,
            width,
            height,
        },
        ignored: counts == 0.0 || class as u32 != PEDESTRIAN || visible < LEAST_VISIBLE,
    })
}

/// How well persons are found on the frames at this input size.
///
/// # Errors
/// Weights or a frame that the detector refuses.
pub fn person_precision(
    weights: &Path,
    input: InputSize,
    frames: &[MotFrame],
) -> Result<ClassFigures, TrainingError> {
    let refused = |error: mineseal_detector::DetectorError| TrainingError::Detector(error.to_string());
    let settings = DetectorSettings {
        input: Some(input),
        score_threshold: LOWEST_SCORE,
        nms_iou: CURVE_OVERLAP,
        ..DetectorSettings::default()
    };
    let mut detector = YoloxDetector::load(weights, settings).map_err(refused)?;
    let mut judged = Vec::with_capacity(frames.len());
    for frame in frames {
        let found = detector
            .detect(&[PictureRef::Jpeg(&frame.jpeg)])
            .map_err(refused)?;
        judged.push(Judged {
            detections: found.into_iter().flatten().collect(),
            truths: &frame.truths,
        });
    }
    let [person, ..] = figures(&judged, SCORE);
    Ok(person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_frames_and_hidden_persons_do_not_count() {
        let line = "3,7,10,20,30,60,1,1,0.9";
        assert!(truth(line, 4).is_none() && truth("3,7,10", 3).is_none());
        assert!(!truth(line, 3).unwrap().ignored);
        for ignored in [
            "3,7,10,20,30,60,0,1,0.9",
            "3,7,10,20,30,60,1,8,0.9",
            "3,7,10,20,30,60,1,1,0.2",
        ] {
            assert!(truth(ignored, 3).unwrap().ignored, "{ignored}");
        }
    }
}
