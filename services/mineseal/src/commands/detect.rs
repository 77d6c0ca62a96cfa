use std::path::PathBuf;

use anyhow::anyhow;
use mineseal_detector::{DetectorSettings, InputSize, YoloxDetector, detect_image_file, own_weights};
use serde_json::json;

use crate::cli::{DetectArguments, DetectorArguments};
use crate::commands::Failure;
use crate::output::line;

pub(crate) fn run(arguments: &DetectArguments) -> Result<(), Failure> {
    let mut settings = settings(&arguments.detector)?;
    settings.score_threshold = arguments.score;
    let mut detector = YoloxDetector::load(&weights(&arguments.detector)?, settings)?;
    for picture in &arguments.pictures {
        let found = detect_image_file(&mut detector, picture)?;
        for detection in found.detections {
            let area = detection.bounding_box;
            line(json!({
                "image": picture.display().to_string(),
                "class": detection.class.name(),
                "score": detection.score,
                "left": area.left,
                "top": area.top,
                "width": area.width,
                "height": area.height,
            }))?;
        }
    }
    Ok(())
}

pub(crate) fn settings(arguments: &DetectorArguments) -> Result<DetectorSettings, Failure> {
    Ok(DetectorSettings {
        input: input(arguments.input.as_deref())?,
        ..DetectorSettings::default()
    })
}

/// `--input`, if it was given.
pub(crate) fn input(text: Option<&str>) -> Result<Option<InputSize>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let size = text.split_once('x').and_then(|(width, height)| {
        Some(InputSize {
            width: width.parse().ok()?,
            height: height.parse().ok()?,
        })
    });
    let size = size.ok_or_else(|| anyhow!("--input {text:?} is not WIDTHxHEIGHT, such as 640x384"))?;
    Ok(Some(size))
}

/// The weights that were named, or the product's own.
pub(crate) fn weights(arguments: &DetectorArguments) -> Result<PathBuf, Failure> {
    match &arguments.weights {
        Some(file) => Ok(file.clone()),
        None => own_weights().map_err(|error| {
            anyhow!("cannot write the product's own weights to the folder for temporary files: {error}")
                .into()
        }),
    }
}
