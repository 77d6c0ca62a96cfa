use std::io::Write;

use mineseal_count::track_mot_file;
use mineseal_tracking::TrackerSettings;

use crate::cli::TrackArguments;
use crate::commands::Failure;

pub(crate) fn run(arguments: &TrackArguments) -> Result<(), Failure> {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    track_mot_file(
        &arguments.detections,
        arguments.fps,
        TrackerSettings::default(),
        &mut output,
    )?;
    output.flush()?;
    Ok(())
}
