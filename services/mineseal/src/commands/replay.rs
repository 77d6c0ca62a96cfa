use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use mineseal_domain::MineCode;
use mineseal_engine::{InputPosition, MineEngine, MineRegistration, Output};
use mineseal_schemas::{Camera, Detections, Mine, Topic};
use mineseal_settings::{Settings, load_mines};

use super::mines::{connect, now, user};
use crate::cli::ReplayArguments;
use crate::commands::{Failure, block_on};
use crate::output::{line, note};

const DEADLINE: Duration = Duration::from_secs(20);

/// Reads `detections` from the oldest record that is kept to its present end and prints what the engine makes of
/// it, as lines of JSON. Nothing is written to the bus.
pub(crate) fn run(settings: Settings, arguments: &ReplayArguments) -> Result<(), Failure> {
    block_on(async move {
        let bus = connect(&settings, "mineseal-replay")?;
        bus.wait_until_ready(DEADLINE).await?;
        let (mines, cameras): (Vec<Mine>, Vec<Camera>) = match &arguments.mines {
            Some(file) => {
                let registered = load_mines(file, now(), &user())?;
                (registered.mines, registered.cameras)
            }
            None => {
                let (mines, cameras) = (bus.table::<Mine>().await?, bus.table::<Camera>().await?);
                let mines = mines
                    .snapshot()
                    .values()
                    .map(|entry| entry.value.clone())
                    .collect();
                (
                    mines,
                    cameras
                        .snapshot()
                        .values()
                        .map(|entry| entry.value.clone())
                        .collect(),
                )
            }
        };
        let registrations: BTreeMap<MineCode, MineRegistration> = mines
            .into_iter()
            .map(|mine| {
                let of_mine = cameras.iter().filter(|camera| camera.mine == mine.code);
                let cameras = of_mine
                    .map(|camera| (camera.code.clone(), camera.clone()))
                    .collect();
                (mine.code.clone(), MineRegistration { mine, cameras })
            })
            .collect();
        let mut engines: BTreeMap<MineCode, MineEngine> = BTreeMap::new();
        let (mut outputs, mut read) = (0_u64, 0_u64);
        let from = arguments.from;
        let history = bus.clone();
        let (read, outputs) = tokio::task::spawn_blocking(move || -> Result<(u64, u64), Failure> {
            history.read_history::<Detections, Failure>(from, DEADLINE, |record| {
                read += 1;
                let Some(registration) = registrations.get(&record.value.mine) else {
                    return Ok(());
                };
                let mine = record.value.mine.clone();
                let engine = engines
                    .entry(mine.clone())
                    .or_insert_with(|| MineEngine::new(mine));
                let position = InputPosition {
                    partition: record.partition,
                    offset: record.offset,
                };
                for output in engine.step(registration, &record.value, position) {
                    outputs += 1;
                    line(json(&output)?)?;
                }
                Ok(())
            })?;
            Ok((read, outputs))
        })
        .await??;
        if read == 0 {
            return Err(anyhow!("topic {} holds nothing", bus.topic_name(Topic::Detections)).into());
        }
        note(format!("{read} records, {outputs} outputs"));
        Ok(())
    })
}

fn json(output: &Output) -> serde_json::Result<String> {
    let (kind, value) = match output {
        Output::Crossing(value) => ("crossing", serde_json::to_value(value)?),
        Output::Headcount(value) => ("headcount", serde_json::to_value(value)?),
        Output::Activity(value) => ("activity", serde_json::to_value(value)?),
        Output::Alarm(value) => ("alarm", serde_json::to_value(value)?),
        Output::CameraHealth(value) => ("camera-health", serde_json::to_value(value)?),
        Output::EvidenceRequest(value) => ("evidence-request", serde_json::to_value(value)?),
    };
    serde_json::to_string(&serde_json::json!({ "kind": kind, "value": value }))
}
