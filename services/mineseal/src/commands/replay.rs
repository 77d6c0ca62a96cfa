use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use mineseal_bus::Bus;
use mineseal_counter::Input;
use mineseal_counter::replay::{Replay, json, record, replay_file};
use mineseal_engine::Output;
use mineseal_schemas::{Camera, Correction, Detections, Mine, Positioning, Topic};
use mineseal_settings::{Settings, load_mines};

use super::mines::{connect, now, user};
use crate::cli::ReplayArguments;
use crate::commands::{Failure, block_on};
use crate::output::{line, note};

const DEADLINE: Duration = Duration::from_secs(20);

/// What a replay begins with.
struct Begin {
    mines: Vec<Mine>,
    cameras: Vec<Camera>,
    corrections: Vec<Correction>,
    positioning: Vec<Positioning>,
}

/// Runs recorded detections through the engine and prints what it makes of them, as lines of JSON: from a file, or from
/// the bus, where nothing is written. With `--record` the bus's detections go into such a file instead.
pub(crate) fn run(settings: Settings, arguments: &ReplayArguments) -> Result<(), Failure> {
    if let Some(path) = &arguments.file {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut outputs = 0_u64;
        let read = replay_file(
            BufReader::new(file),
            arguments.batch,
            arguments.threads,
            |output| {
                outputs += 1;
                print(output)
            },
        )
        .with_context(|| format!("{}", path.display()))?;
        note(format!("{read} records, {outputs} outputs"));
        return Ok(());
    }
    block_on(async move {
        let bus = connect(&settings, "mineseal-replay")?;
        bus.wait_until_ready(DEADLINE).await?;
        let mut begin = begin(&bus, arguments.mines.as_deref()).await?;
        let (from, batch, threads) = (arguments.from, arguments.batch, arguments.threads);
        let to = arguments.record.clone();
        let history = bus.clone();
        let (read, written) = tokio::task::spawn_blocking(move || {
            history.read_history::<Positioning, anyhow::Error>(None, DEADLINE, |record| {
                begin.positioning.push(record.value);
                Ok(())
            })?;
            match to {
                Some(path) => keep(&history, &begin, from, &path)
                    .with_context(|| format!("cannot write {}", path.display())),
                None => again(&history, begin, from, batch, threads),
            }
        })
        .await??;
        if read == 0 {
            return Err(anyhow!("topic {} holds nothing", bus.topic_name(Topic::Detections)).into());
        }
        note(format!("{read} records, {written} outputs"));
        Ok(())
    })
}

async fn begin(bus: &Bus, mines: Option<&Path>) -> Result<Begin, Failure> {
    let corrections = bus.table::<Correction>().await?.snapshot();
    let corrections = corrections.values().map(|entry| entry.value.clone()).collect();
    let (mines, cameras) = match mines {
        Some(file) => {
            let registered = load_mines(file, now(), &user())?;
            (registered.mines, registered.cameras)
        }
        None => {
            let (mines, cameras) = (bus.table::<Mine>().await?, bus.table::<Camera>().await?);
            let (mines, cameras) = (mines.snapshot(), cameras.snapshot());
            (
                mines.values().map(|entry| entry.value.clone()).collect(),
                cameras.values().map(|entry| entry.value.clone()).collect(),
            )
        }
    };
    Ok(Begin {
        mines,
        cameras,
        corrections,
        positioning: Vec::new(),
    })
}

/// Returns the numbers of records and outputs.
fn again(
    bus: &Bus,
    begin: Begin,
    from: Option<i64>,
    batch: usize,
    threads: usize,
) -> anyhow::Result<(u64, u64)> {
    let mut replay = Replay::new(
        begin.mines,
        &begin.cameras,
        &begin.corrections,
        &begin.positioning,
    );
    let (mut read, mut outputs) = (0, 0);
    let mut waiting = Vec::new();
    let mut take = |waiting: &mut Vec<Input>| -> io::Result<()> {
        for output in replay.take(waiting, threads) {
            outputs += 1;
            print(&output)?;
        }
        waiting.clear();
        Ok(())
    };
    bus.read_history::<Detections, anyhow::Error>(from, DEADLINE, |record| {
        read += 1;
        waiting.push(Input {
            detections: record.value,
            partition: record.partition,
            offset: record.offset,
        });
        if waiting.len() >= batch.max(1) {
            take(&mut waiting)?;
        }
        Ok(())
    })?;
    take(&mut waiting)?;
    Ok((read, outputs))
}

/// Returns the number of records, and of outputs, which there are none.
fn keep(bus: &Bus, begin: &Begin, from: Option<i64>, path: &Path) -> anyhow::Result<(u64, u64)> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut read = 0;
    for mine in &begin.mines {
        record(&mut file, mine, None)?;
    }
    for camera in &begin.cameras {
        record(&mut file, camera, None)?;
    }
    for correction in &begin.corrections {
        record(&mut file, correction, None)?;
    }
    for report in &begin.positioning {
        record(&mut file, report, None)?;
    }
    bus.read_history::<Detections, anyhow::Error>(from, DEADLINE, |received| {
        read += 1;
        record(
            &mut file,
            &received.value,
            Some((received.partition, received.offset)),
        )?;
        Ok(())
    })?;
    file.flush()?;
    Ok((read, 0))
}

fn print(output: &Output) -> io::Result<()> {
    line(json(output)?)
}
