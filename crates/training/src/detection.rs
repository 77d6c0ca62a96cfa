//! Evaluation through the product's own detector, from JPEG to box, so that the figures are the product's.

use std::ops::ControlFlow;
use std::path::Path;

use mineseal_detector::{Detector, DetectorSettings, PictureRef, Precision, YoloxDetector};
use mineseal_domain::{BoundingBox, Detection};

use crate::error::TrainingError;
use crate::evaluation::{ClassFigures, Judged, figures};
use crate::layers::CLASSES;
use crate::pictures::{PICTURE_HEIGHT, PICTURE_WIDTH, PictureSet, PictureSettings};

/// Recall and precision are given for detections from this score on.
pub(crate) const SCORE: f32 = 0.5;
/// Boxes from this score on make the curve of precision over recall: `test_conf` of YOLOX's evaluation.
const LOWEST_SCORE: f32 = 0.01;
/// Suppression for that curve: `nmsthre` of YOLOX's evaluation.
const CURVE_OVERLAP: f32 = 0.65;
/// Pictures that are handed to the detector at once.
const TOGETHER: usize = 16;

/// Renders the pictures of `settings` (or takes them from `cache`) and judges the weights on them.
///
/// # Errors
/// Scenes that cannot be rendered, a cache that cannot be used, weights that the detector refuses.
pub fn evaluate(
    weights: &Path,
    precision: Precision,
    settings: PictureSettings,
    cache: &Path,
    threads: usize,
) -> Result<[ClassFigures; CLASSES.len()], TrainingError> {
    evaluate_with(
        weights,
        precision,
        &PictureSet::prepare(settings, cache, threads, &mut |_| ControlFlow::Continue(()))?,
    )
}

/// Judges the weights on a set of pictures, at the size that the weights name. Average precision is taken over all
/// boxes down to [`LOWEST_SCORE`] with suppression at [`CURVE_OVERLAP`], as YOLOX's own evaluation does; recall and
/// precision are those of the product, with the detector's default settings, from [`SCORE`] on.
///
/// # Errors
/// Weights that the detector refuses.
pub fn evaluate_pictures(
    weights: &Path,
    set: &PictureSet,
) -> Result<[ClassFigures; CLASSES.len()], TrainingError> {
    evaluate_with(weights, Precision::Single, set)
}

fn evaluate_with(
    weights: &Path,
    precision: Precision,
    set: &PictureSet,
) -> Result<[ClassFigures; CLASSES.len()], TrainingError> {
    let product = DetectorSettings {
        precision,
        ..DetectorSettings::default()
    };
    let curve = DetectorSettings {
        score_threshold: LOWEST_SCORE,
        nms_iou: CURVE_OVERLAP,
        ..product.clone()
    };
    let mut judged = judge(weights, set, curve)?;
    let of_product = judge(weights, set, product)?;
    for (figures, product) in judged.iter_mut().zip(of_product) {
        figures.recall = product.recall;
        figures.precision = product.precision;
    }
    Ok(judged)
}

fn judge(
    weights: &Path,
    set: &PictureSet,
    settings: DetectorSettings,
) -> Result<[ClassFigures; CLASSES.len()], TrainingError> {
    let refused = |error: mineseal_detector::DetectorError| TrainingError::Detector(error.to_string());
    let mut detector = YoloxDetector::load(weights, settings).map_err(refused)?;
    let mut judged = Vec::with_capacity(set.pictures.len());
    for pictures in set.pictures.chunks(TOGETHER) {
        let frames: Vec<_> = pictures
            .iter()
            .map(|picture| PictureRef::Jpeg(&picture.jpeg))
            .collect();
        let found = detector.detect(&frames).map_err(refused)?;
        for (picture, detections) in pictures.iter().zip(found) {
            let detections = detections.into_iter().filter_map(inside).collect();
            judged.push(Judged {
                detections,
                truths: &picture.truths,
            });
        }
    }
    Ok(figures(&judged, SCORE))
}

/// The part of a detection that lies in the picture, as the truths do.
fn inside(detection: Detection) -> Option<Detection> {
    let b = detection.bounding_box;
    let (left, top) = (b.left.max(0.0), b.top.max(0.0));
    let (right, bottom) = (
        b.right().min(PICTURE_WIDTH as f32),
        b.bottom().min(PICTURE_HEIGHT as f32),
    );
    let bounding_box = BoundingBox {
        left,
        top,
        width: right - left,
        height: bottom - top,
    };
    bounding_box.is_sound().then_some(Detection {
        bounding_box,
        ..detection
    })
}
