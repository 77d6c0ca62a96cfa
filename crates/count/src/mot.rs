use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use mineseal_domain::{BoundingBox, Detection, ObjectClass, UtcMicros};
use mineseal_tracking::{Tracker, TrackerSettings};

use crate::TrackError;

/// A file that names a later frame than this is taken for damaged: 30 frames a second for a week.
const LAST_FRAME: i64 = 20_000_000;

/// What a file of detections gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackSummary {
    /// Frames from the first named to the last.
    pub frames: i64,
    /// Detections read.
    pub detections: u64,
    /// Rows written.
    pub rows: u64,
    /// Confirmed tracks.
    pub tracks: u64,
    /// What the scores were taken for.
    pub scores: ScoreScale,
}

/// What the scores of a file are, and what becomes of them. The tracker wants 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScoreScale {
    /// All of them lie in 0 to 1 and are taken as they are.
    #[default]
    Share,
    /// Some lie outside, as those of DPM and other detectors that give a margin: each becomes 1/(1+exp(-score)),
    /// so that 0, where such a detector is in doubt, is one half.
    Margin,
    /// Every row says the same number outside 0 to 1 (such as -1), which says nothing: each becomes 1.
    Same,
}

impl ScoreScale {
    fn of(scores: impl Iterator<Item = f32> + Clone) -> Self {
        let first = scores.clone().next();
        if scores.clone().all(|score| (0.0..=1.0).contains(&score)) {
            Self::Share
        } else if scores.clone().all(|score| Some(score) == first) {
            Self::Same
        } else {
            Self::Margin
        }
    }

    fn share(self, score: f32) -> f32 {
        match self {
            Self::Share => score,
            Self::Margin => (1.0 / (1.0 + (-f64::from(score)).exp())) as f32,
            Self::Same => 1.0,
        }
    }
}

/// Tracks the detections of a MOTChallenge file (rows `frame,-1,left,top,width,height,score`, in any order, all
/// of people; a missing score is 1, one outside 0 to 1 is brought there as [`ScoreScale`] says, what stands
/// behind it is not looked at) and writes the confirmed tracks in
/// the same format, with the number of the track in the second column and the tracker's estimate as box. Nothing
/// is looked up in later frames: the rows are what a live camera would have given.
///
/// # Errors
/// [`TrackError`] names the row that is wrong.
pub fn track_mot_file(
    path: &Path,
    frames_per_second: f64,
    settings: TrackerSettings,
    output: &mut impl Write,
) -> Result<TrackSummary, TrackError> {
    if !(frames_per_second > 0.0 && frames_per_second <= 1000.0) {
        return Err(TrackError::Rate { frames_per_second });
    }
    let text = std::fs::read_to_string(path).map_err(|source| TrackError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut frames: BTreeMap<i64, Vec<Detection>> = BTreeMap::new();
    let mut summary = TrackSummary::default();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |reason| TrackError::Row {
            path: path.to_owned(),
            row: index + 1,
            reason,
        };
        let (frame, detection) = parse_row(line).map_err(wrong)?;
        frames.entry(frame).or_default().push(detection);
        summary.detections += 1;
    }
    let (Some(first), Some(last)) = (frames.keys().next().copied(), frames.keys().last().copied()) else {
        return Ok(summary);
    };
    summary.frames = last - first + 1;
    let detections = frames.values().flatten();
    summary.scores = ScoreScale::of(detections.map(|detection| detection.score));
    for detection in frames.values_mut().flatten() {
        detection.score = summary.scores.share(detection.score);
    }
    let mut tracker = Tracker::new(settings);
    let mut tracks = std::collections::BTreeSet::new();
    for frame in first..=last {
        let at = UtcMicros((frame as f64 * 1e6 / frames_per_second).round() as i64);
        let detections = frames.get(&frame).map_or(&[][..], Vec::as_slice);
        for object in tracker
            .update(at, detections)
            .iter()
            .filter(|object| object.confirmed)
        {
            let BoundingBox {
                left,
                top,
                width,
                height,
            } = object.estimate;
            let (track, score) = (object.track, object.detection.score);
            writeln!(
                output,
                "{frame},{track},{left:.2},{top:.2},{width:.2},{height:.2},{score},-1,-1,-1"
            )
            .map_err(TrackError::Write)?;
            tracks.insert(track);
            summary.rows += 1;
        }
    }
    summary.tracks = tracks.len() as u64;
    output.flush().map_err(TrackError::Write)?;
    Ok(summary)
}

fn parse_row(line: &str) -> Result<(i64, Detection), String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    if fields.len() < 6 {
        return Err(format!("has {} fields", fields.len()));
    }
    let number = |index: usize, name: &str| match fields[index].parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("{name} is {:?}, which is not a number", fields[index])),
    };
    let whole = fields[0].parse::<f64>().ok().filter(|frame| frame.fract() == 0.0);
    let frame = match whole {
        Some(frame) if (0.0..=LAST_FRAME as f64).contains(&frame) => frame as i64,
        _ => {
            return Err(format!(
                "frame is {:?}, expected a whole number from 0 to {LAST_FRAME}",
                fields[0]
            ));
        }
    };
    let bounding_box = BoundingBox {
        left: number(2, "left")?,
        top: number(3, "top")?,
        width: number(4, "width")?,
        height: number(5, "height")?,
    };
    let score = if fields.len() > 6 {
        number(6, "score")?
    } else {
        1.0
    };
    Ok((
        frame,
        Detection {
            class: ObjectClass::Person,
            score,
            bounding_box,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(text: &str) -> Result<(TrackSummary, String), TrackError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("det.txt");
        std::fs::write(&path, text).unwrap();
        let mut output = Vec::new();
        let summary = track_mot_file(&path, 25.0, TrackerSettings::default(), &mut output)?;
        Ok((summary, String::from_utf8(output).unwrap()))
    }

    #[test]
    fn rows_in_any_order_come_back_with_track_numbers() {
        let text =
            "3,-1,14,10,40.5,100,0.9,-1,-1,-1\n1,-1,10,10,40.5,100,0.9\n\n2, -1, 12, 10, 40.5, 100, 0.9\n";
        let (summary, rows) = track(text).unwrap();
        assert_eq!(
            summary,
            TrackSummary {
                frames: 3,
                detections: 3,
                rows: 3,
                tracks: 1,
                scores: ScoreScale::Share,
            }
        );
        let rows: Vec<Vec<f32>> = rows
            .lines()
            .map(|row| row.split(',').map(|field| field.parse().unwrap()).collect())
            .collect();
        assert_eq!(
            rows[0],
            [1.0, 1.0, 10.0, 10.0, 40.5, 100.0, 0.9, -1.0, -1.0, -1.0]
        );
        for (row, expected) in rows.iter().zip([10.0, 12.0, 14.0]) {
            assert_eq!(row[1], 1.0);
            assert!((row[2] - expected).abs() < 1.0, "{row:?}");
        }
    }

    #[test]
    fn scores_outside_their_range_are_brought_into_it() {
        let file = |scores: [&str; 4]| {
            let rows = scores.iter().enumerate();
            rows.map(|(frame, score)| format!("{frame},-1,{},10,40,100,{score}\n", 10 + 2 * frame))
                .collect::<String>()
        };
        for (scores, scale, tracks) in [
            (["0.9", "0.2", "1", "0"], ScoreScale::Share, 1),
            (["3.2", "0.4", "-0.4", "1.1"], ScoreScale::Margin, 1),
            (["-1", "-1", "-1", "-1"], ScoreScale::Same, 1),
            (["75", "60", "90", "31"], ScoreScale::Margin, 1),
            (["-0.4", "-0.5", "-0.45", "-0.3"], ScoreScale::Margin, 0),
        ] {
            let (summary, rows) = track(&file(scores)).unwrap();
            assert_eq!((summary.scores, summary.tracks), (scale, tracks), "{scores:?}");
            for row in rows.lines() {
                let score: f32 = row.split(',').nth(6).unwrap().parse().unwrap();
                assert!((0.0..=1.0).contains(&score), "{row}");
            }
        }
    }

    #[test]
    fn a_wrong_row_is_named() {
        for (text, expected) in [
            ("1,-1,1,1,1\n", "row 1: has 5 fields"),
            (
                "1,-1,1,1,10,10,0.5\n2,-1,1,1,ten,10,0.5\n",
                "row 2: width is \"ten\"",
            ),
            ("1.5,-1,1,1,10,10,0.5\n", "frame is \"1.5\""),
            ("99999999999,-1,1,1,10,10,0.5\n", "frame is"),
            ("1,-1,1,1,10,10,inf\n", "score is \"inf\""),
        ] {
            let message = track(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(track("").unwrap().0, TrackSummary::default());
    }
}
