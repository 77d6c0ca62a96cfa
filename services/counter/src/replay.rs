//! The same input through the engine again, without the bus: what comes out depends on the input alone, not on
//! threads or batches.
//!
//! A recorded input is a file of JSON lines, one record each: `{"topic":"detections","partition":3,"offset":17,
//! "value":"w1HJ…"}`. The value is the record as it stood on the bus, in Base64, or the record itself as JSON. Topics
//! are `mines`, `cameras`, `corrections`, `positioning` (all without partition and offset) and `detections`; what is no
//! detection comes before the detections and holds for all of them.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mineseal_domain::MineCode;
use mineseal_engine::{Beside, InputPosition, MineEngine, MineRegistration, OrderedCorrection, Output};
use mineseal_schemas::{Camera, Correction, Mine, Positioning, Record, Topic, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stepper::Input;

/// One line of a recorded input.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedLine {
    topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    value: Value,
}

/// Writes a record as a line of a recorded input; `place` is its partition and offset.
///
/// # Errors
/// When it cannot be encoded or written.
pub fn record<R: Record>(to: &mut impl Write, value: &R, place: Option<(i32, i64)>) -> io::Result<()> {
    let bytes = encode(value).map_err(io::Error::other)?;
    let line = RecordedLine {
        topic: R::TOPIC.name().to_owned(),
        partition: place.map(|(partition, _)| partition),
        offset: place.map(|(_, offset)| offset),
        value: Value::String(STANDARD.encode(bytes)),
    };
    serde_json::to_writer(&mut *to, &line)?;
    to.write_all(b"\n")
}

/// One mine of a replay.
#[derive(Debug)]
struct Replayed {
    registration: MineRegistration,
    corrections: Vec<OrderedCorrection>,
    positioning: Vec<Positioning>,
    engine: MineEngine,
}

/// The mines of a replay.
#[derive(Debug, Default)]
pub struct Replay {
    mines: BTreeMap<MineCode, Replayed>,
}

impl Replay {
    /// Nothing seen yet of these mines. Of the corrections those that were applied hold; one that was not decided when
    /// it was recorded is taken as it stands.
    #[must_use]
    pub fn new(
        mines: Vec<Mine>,
        cameras: &[Camera],
        corrections: &[Correction],
        positioning: &[Positioning],
    ) -> Self {
        let mines = mines.into_iter().map(|mine| {
            let code = mine.code.clone();
            let of_mine = cameras.iter().filter(|camera| camera.mine == code);
            let cameras = of_mine
                .map(|camera| (camera.code.clone(), camera.clone()))
                .collect();
            let of_mine = corrections.iter().filter(|correction| correction.mine == code);
            let mut corrections: Vec<OrderedCorrection> = of_mine
                .map(|correction| OrderedCorrection {
                    correction: correction.clone(),
                    refused: None,
                })
                .collect();
            corrections.sort_by_key(|ordered| (ordered.correction.at, ordered.correction.id));
            let of_mine = positioning.iter().filter(|report| report.mine == code);
            let mut positioning: Vec<Positioning> = of_mine.cloned().collect();
            positioning.sort_by_key(|report| report.at);
            let replayed = Replayed {
                registration: MineRegistration { mine, cameras },
                corrections,
                positioning,
                engine: MineEngine::new(code.clone()),
            };
            (code, replayed)
        });
        Self {
            mines: mines.collect(),
        }
    }

    /// Takes the next records on up to `threads` threads; returns what comes out, in the order of the records. Records
    /// of mines that are not registered give nothing.
    pub fn take(&mut self, inputs: &[Input], threads: usize) -> Vec<Output> {
        let mut by_mine: BTreeMap<&MineCode, Vec<usize>> = BTreeMap::new();
        for (index, input) in inputs.iter().enumerate() {
            by_mine.entry(&input.detections.mine).or_default().push(index);
        }
        let mut work: Vec<(&mut Replayed, Vec<usize>)> = self
            .mines
            .iter_mut()
            .filter_map(|(mine, replayed)| Some((replayed, by_mine.remove(mine)?)))
            .collect();
        let share = work.len().div_ceil(threads.max(1)).max(1);
        let step = |part: &mut [(&mut Replayed, Vec<usize>)]| {
            let mut found = Vec::new();
            for (replayed, indices) in part {
                for &index in indices.iter() {
                    found.push((index, replayed.step(&inputs[index])));
                }
            }
            found
        };
        let mut found = Vec::new();
        if threads <= 1 {
            found = step(&mut work);
        } else {
            std::thread::scope(|scope| {
                let parts: Vec<_> = work
                    .chunks_mut(share)
                    .map(|part| scope.spawn(|| step(part)))
                    .collect();
                for part in parts {
                    match part.join() {
                        Ok(outputs) => found.extend(outputs),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                }
            });
        }
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().flat_map(|(_, outputs)| outputs).collect()
    }
}

impl Replayed {
    fn step(&mut self, input: &Input) -> Vec<Output> {
        let position = InputPosition {
            partition: input.partition,
            offset: input.offset,
        };
        // What is not later than the newest report that was taken need not be looked at again.
        let newest = self.engine.positioning_at();
        let from = self
            .positioning
            .partition_point(|report| Some(report.at) <= newest);
        let beside = Beside {
            corrections: &self.corrections,
            positioning: self.positioning.get(from..).unwrap_or_default(),
        };
        self.engine
            .step_with(&self.registration, beside, &input.detections, position)
    }
}

/// Runs a recorded input through the engine, `batch` records at a time, and gives every output to `each`. Returns the
/// number of detections.
///
/// # Errors
/// A line that is no record, with its number; what `each` gives.
pub fn replay_file(
    from: impl BufRead,
    batch: usize,
    threads: usize,
    mut each: impl FnMut(&Output) -> io::Result<()>,
) -> io::Result<u64> {
    let (mut mines, mut cameras, mut corrections) = (Vec::new(), Vec::new(), Vec::new());
    let mut positioning = Vec::new();
    let mut replay: Option<Replay> = None;
    let mut waiting = Vec::new();
    let mut read = 0;
    for (number, line) in (1..).zip(from.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let invalid =
            |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {what}"));
        let recorded: RecordedLine =
            serde_json::from_str(&line).map_err(|error| invalid(error.to_string()))?;
        let topic: Topic = recorded
            .topic
            .parse()
            .map_err(|error| invalid(format!("{error}")))?;
        let value = recorded.value;
        if replay.is_some() && topic != Topic::Detections {
            return Err(invalid(format!("{topic} come before the detections")));
        }
        match topic {
            Topic::Mines => mines.push(read_value::<Mine>(value).map_err(invalid)?),
            Topic::Cameras => cameras.push(read_value::<Camera>(value).map_err(invalid)?),
            Topic::Corrections => corrections.push(read_value::<Correction>(value).map_err(invalid)?),
            Topic::Positioning => positioning.push(read_value::<Positioning>(value).map_err(invalid)?),
            Topic::Detections => {
                waiting.push(Input {
                    detections: read_value(value).map_err(invalid)?,
                    partition: recorded.partition.unwrap_or(0),
                    offset: recorded.offset.unwrap_or(read),
                });
                read += 1;
            }
            other => return Err(invalid(format!("{other} are no input of the counter"))),
        }
        if topic == Topic::Detections {
            let replay = replay.get_or_insert_with(|| {
                Replay::new(std::mem::take(&mut mines), &cameras, &corrections, &positioning)
            });
            if waiting.len() >= batch.max(1) {
                replay.take(&waiting, threads).iter().try_for_each(&mut each)?;
                waiting.clear();
            }
        }
    }
    if let Some(mut replay) = replay {
        replay.take(&waiting, threads).iter().try_for_each(&mut each)?;
    }
    Ok(u64::try_from(read).unwrap_or_default())
}

fn read_value<R: Record>(value: Value) -> Result<R, String> {
    match value {
        Value::String(text) => {
            let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
            decode(&bytes).map_err(|error| error.to_string())
        }
        other => serde_json::from_value(other).map_err(|error| error.to_string()),
    }
}

/// An output as a line of JSON: `{"kind":"crossing","value":{…}}`. The same output gives the same bytes.
///
/// # Errors
/// Never, while outputs hold nothing that JSON has no form for.
pub fn json(output: &Output) -> serde_json::Result<String> {
    let (kind, value) = match output {
        Output::Crossing(value) => ("crossing", serde_json::to_value(value)?),
        Output::Headcount(value) => ("headcount", serde_json::to_value(value)?),
        Output::Correction(value) => ("correction", serde_json::to_value(value)?),
        Output::Activity(value) => ("activity", serde_json::to_value(value)?),
        Output::Alarm(value) => ("alarm", serde_json::to_value(value)?),
        Output::CameraHealth(value) => ("camera-health", serde_json::to_value(value)?),
        Output::EvidenceRequest(value) => ("evidence-request", serde_json::to_value(value)?),
    };
    serde_json::to_string(&serde_json::json!({ "kind": kind, "value": value }))
}
