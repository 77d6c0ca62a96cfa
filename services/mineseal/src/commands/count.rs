use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use mineseal_count::{CountError, CountSettings, count_video, parse_line};
use mineseal_domain::{Anchor, ObjectGroup};

use super::detect;
use crate::cli::{AnchorName, Classes, CountArguments};
use crate::commands::Failure;
use crate::output::line;

pub(crate) fn run(arguments: &CountArguments) -> Result<(), Failure> {
    let group = match arguments.classes {
        Classes::Person => ObjectGroup::Person,
        Classes::Vehicle => ObjectGroup::Vehicle,
    };
    let counting_line = parse_line(&arguments.line)?;
    let weights = detect::weights(&arguments.detector)?;
    let mut settings = CountSettings::new(arguments.video.clone(), counting_line, group, weights);
    settings.input = detect::settings(&arguments.detector)?.input;
    settings.device = arguments.detector.device;
    settings.draw.clone_from(&arguments.draw);
    if let Some(rate) = arguments.fps {
        settings.frames_per_second = rate;
    }
    if let Some(anchor) = arguments.anchor {
        settings.anchor = match anchor {
            AnchorName::Foot => Anchor::Foot,
            AnchorName::Centre => Anchor::Centre,
        };
    }
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(0)
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} s")?);
    let mut failed = Ok(());
    let summary = count_video(
        &settings,
        |crossing| {
            if failed.is_ok() {
                failed = serde_json::to_string(crossing)
                    .map_err(std::io::Error::from)
                    .and_then(line);
            }
        },
        |progress| {
            bar.set_length(progress.of_seconds.unwrap_or(progress.seconds) as u64);
            bar.set_position(progress.seconds as u64);
        },
    )
    .map_err(|error| match error {
        CountError::Detector(error) => detect::explained(error),
        other => other.into(),
    })?;
    bar.finish_and_clear();
    failed?;
    line(serde_json::to_string(&summary)?)?;
    Ok(())
}
