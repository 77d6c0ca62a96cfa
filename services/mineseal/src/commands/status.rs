use std::time::Duration;

use anyhow::Context;
use mineseal_schemas::{Headcount, Mine};
use mineseal_settings::Settings;
use mineseal_store::{StageLatency, Store};

use super::mines::connect;
use super::up::engines::store_settings;
use crate::commands::{Failure, block_on};
use crate::data_directory::running;
use crate::output::line;

/// The latency is taken over the last minutes.
const MINUTES: u32 = 10;
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) fn run(settings: Settings) -> Result<(), Failure> {
    block_on(async move {
        match running(&settings.data_directory) {
            Some(process) => line(format!("process     {process}, {}", memory(process)))?,
            None => line(format!(
                "process     none in {}",
                settings.data_directory.display()
            ))?,
        }
        services(&settings).await?;
        let bus = connect(&settings, "mineseal-status")?;
        bus.wait_until_ready(DEADLINE).await?;
        let (mines, headcounts) = (bus.table::<Mine>().await?, bus.table::<Headcount>().await?);
        for entry in mines.snapshot().values() {
            let people = headcounts
                .get(entry.value.code.as_str())
                .map_or(0, |headcount| headcount.value.people);
            line(format!(
                "headcount   {}  {}  井下 {people} 人，限员 {}",
                entry.value.code, entry.value.name, entry.value.headcount_limit
            ))?;
        }
        let store = Store::connect(store_settings(&settings)?).await?;
        let report = store.latencies(MINUTES).await?;
        line(format!(
            "latency     of the last {MINUTES} minutes, ms: {} frames, {} crossings",
            report.frames, report.crossings
        ))?;
        for (what, stages) in [
            ("frame", &report.frame_stages),
            ("crossing", &report.crossing_stages),
        ] {
            for stage in stages {
                line(stage_line(what, stage))?;
            }
        }
        Ok(())
    })
}

fn stage_line(what: &str, stage: &StageLatency) -> String {
    let milliseconds = |micros: i64| micros as f64 / 1000.0;
    format!(
        "  {what:<9} {:<22} p50 {:>9.1}  p95 {:>9.1}  max {:>9.1}",
        stage.stage,
        milliseconds(stage.p50_micros),
        milliseconds(stage.p95_micros),
        milliseconds(stage.max_micros)
    )
}

fn memory(process: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|row| row.strip_prefix("VmRSS:"))
        .map(str::trim);
    resident.map_or("memory unknown".to_owned(), |text| {
        format!("resident memory {text}")
    })
}

/// What the process itself says of its services, and the lag of each group.
async fn services(settings: &Settings) -> Result<(), Failure> {
    let base = format!("http://{}", settings.telemetry.listen);
    let client = reqwest::Client::builder().timeout(DEADLINE).build()?;
    let health: serde_json::Value = client
        .get(format!("{base}/health"))
        .send()
        .await
        .with_context(|| format!("nothing answers at {base} (telemetry.listen); does `mineseal up` run?"))?
        .json()
        .await?;
    let metrics = client.get(format!("{base}/metrics")).send().await?.text().await?;
    for service in health.as_array().into_iter().flatten() {
        let name = service["service"].as_str().unwrap_or_default();
        let state = service["state"].as_str().unwrap_or_default();
        let label = format!("service=\"{name}\"");
        let lags: Vec<String> = metrics
            .lines()
            .filter(|row| row.starts_with("mineseal_lag_records{") && row.contains(&label))
            .filter_map(|row| {
                let topic = row.split("topic=\"").nth(1)?.split('"').next()?;
                Some(format!("{topic} {}", row.rsplit(' ').next()?))
            })
            .collect();
        line(format!(
            "service     {name:<20} {state:<9} lag: {}",
            lags.join(", ")
        ))?;
    }
    Ok(())
}
