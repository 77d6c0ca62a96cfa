//! Drives n mines' recorded frames through the whole running pipeline, in real time, and prints rate, lag and
//! latency of each stage: `make load MINES=n`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use mineseal_benches::load::{Lags, LoadPlan, Report, Resources, StageRow, write_mines};
use mineseal_system_tests::{Engines, Site};

#[derive(Parser)]
#[command(about = "Drives many mines' recorded frames through the running pipeline")]
struct Arguments {
    /// Mines with one shaft mouth each.
    #[arg(long, default_value_t = 3)]
    mines: u32,
    /// Sampled frames of each camera in a second.
    #[arg(long, default_value_t = 5.0)]
    fps: f64,
    /// Seconds that are measured, after a start of 15 s.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Weights for the detector, where not the product's own.
    #[arg(long)]
    weights: Option<String>,
}

/// What is measured begins so long after everything is ready.
const SETTLING: Duration = Duration::from_secs(15);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = LoadPlan {
        mines: arguments.mines,
        frames_per_second: arguments.fps,
        clip_seconds: 60.0,
    };
    let mut site = Site::new(Engines::Shared)?;
    if let Some(weights) = &arguments.weights {
        site.set("MINESEAL_INFERENCE__WEIGHTS", weights);
    }
    tell("rendering the clips");
    let mines = write_mines(&site.path(""), plan)?;
    site.start(Some(&mines))?;
    site.until_ready(Duration::from_secs(120)).await?;
    tell(&format!("ready; settling for {} s", SETTLING.as_secs()));
    tokio::time::sleep(SETTLING).await;
    let report = measure(&site, &arguments).await?;
    site.stop()?;
    print(&report.to_string());
    Ok(())
}

async fn measure(site: &Site, arguments: &Arguments) -> Result<Report> {
    let process = site.process().context("the program is not running")?;
    let watched = || {
        [
            ("mineseal".to_owned(), Resources::of(process).unwrap_or_default()),
            ("Apache Kafka".to_owned(), Resources::of_all("kafka.Kafka")),
            (
                "ClickHouse engine".to_owned(),
                Resources::of_all("mineseal-clickhouse-engine"),
            ),
        ]
    };
    let (began, before) = (Instant::now(), watched());
    let since = site.query("SELECT toUnixTimestamp64Micro(now64(6))").await?[0][0].clone();
    let mut lags = Lags::default();
    let length = Duration::from_secs(arguments.seconds.max(3));
    while began.elapsed() < length {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lags.add(&site.metrics().await?);
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = watched();
    let processes = before
        .into_iter()
        .zip(after)
        .map(|((name, before), (_, after))| {
            let cores = (after.processor_seconds - before.processor_seconds) / seconds;
            (name, after.resident_bytes as f64 / 1e6, cores)
        })
        .collect();
    let mut stages = Vec::new();
    let frames = stages_of(
        site,
        "frame_latencies",
        &since,
        &[
            ("captured", "published"),
            ("published", "inferred"),
            ("inferred", "stored"),
            ("captured", "stored"),
        ],
        &mut stages,
    )
    .await?;
    let crossings = stages_of(
        site,
        "crossings",
        &since,
        &[
            ("captured", "counted"),
            ("counted", "stored"),
            ("captured", "stored"),
        ],
        &mut stages,
    )
    .await?;
    Ok(Report {
        mines: arguments.mines,
        seconds,
        asked: f64::from(arguments.mines) * arguments.fps,
        frames,
        crossings,
        stages,
        lags,
        processes,
    })
}

/// Adds the stages of a table's rows since `since` (microseconds), and returns the number of rows.
async fn stages_of(
    site: &Site,
    table: &str,
    since: &str,
    stages: &[(&str, &str)],
    rows: &mut Vec<StageRow>,
) -> Result<u64> {
    let mut count = 0;
    for (from, to) in stages {
        let took = format!("(toUnixTimestamp64Micro({to}_at) - toUnixTimestamp64Micro({from}_at)) / 1000");
        let answer = site
            .query(&format!(
                "SELECT count(), quantileExact(0.5)({took}), quantileExact(0.95)({took}), max({took}) \
                 FROM {table} WHERE toUnixTimestamp64Micro(stored_at) >= {since}"
            ))
            .await?;
        let row = answer.first().context("no answer")?;
        count = row[0].parse()?;
        if count > 0 {
            rows.push(StageRow {
                stage: format!("{}: {from} to {to}", table.trim_end_matches("_latencies")),
                p50: row[1].parse()?,
                p95: row[2].parse()?,
                max: row[3].parse()?,
            });
        }
    }
    Ok(count)
}

#[allow(clippy::print_stderr)]
fn tell(text: &str) {
    eprintln!("{text}");
}

#[allow(clippy::print_stdout)]
fn print(text: &str) {
    println!("{text}");
}
