use std::io::Write;

use mineseal_count::{ScoreScale, track_mot_file};
use mineseal_tracking::TrackerSettings;

use crate::cli::TrackArguments;
use crate::commands::Failure;

pub(crate) fn run(arguments: &TrackArguments) -> Result<(), Failure> {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let summary = track_mot_file(
        &arguments.detections,
        arguments.fps,
        TrackerSettings::default(),
        &mut output,
    )?;
    output.flush()?;
    let note = match summary.scores {
        ScoreScale::Share => return Ok(()),
        ScoreScale::Margin => "scores outside 0 to 1 are taken as margins: 1/(1+exp(-score))",
        ScoreScale::Same => "every row has the same score, outside 0 to 1: all are taken as 1",
    };
    // The rows stay clean for whoever reads them.
    writeln!(std::io::stderr(), "{}: {note}", arguments.detections.display())?;
    Ok(())
}
