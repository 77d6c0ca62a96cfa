use std::path::PathBuf;

use anyhow::anyhow;
use mineseal_detector::{
    DetectorError, DetectorSettings, InputSize, YoloxDetector, detect_image_file, own_weights,
};
use mineseal_settings::SettingsProblem;
use serde_json::json;

use crate::cli::{DetectArguments, DetectorArguments};
use crate::commands::Failure;
use crate::output::line;

pub(crate) fn run(arguments: &DetectArguments) -> Result<(), Failure> {
    let mut settings = settings(&arguments.detector)?;
    settings.score_threshold = arguments.score;
    let loaded = YoloxDetector::load(&weights(&arguments.detector)?, settings);
    let mut detector = loaded.map_err(explained)?;
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
        device: arguments.device,
        ..DetectorSettings::default()
    })
}

/// A device that cannot be used is a wrong choice of the person at the terminal.
pub(crate) fn explained(error: DetectorError) -> Failure {
    match error {
        DetectorError::Device { device, reason } => Box::new(SettingsProblem::Value {
            file: "command line".to_owned(),
            key: "--device".to_owned(),
            what: format!("检测器无法在 {device} 上运行 / the detector cannot run there: {reason}"),
            help:
                "没有可用的 NVIDIA 显卡时请用 --device cpu / without a usable NVIDIA device take --device cpu"
                    .to_owned(),
        }),
        other => other.into(),
    }
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
