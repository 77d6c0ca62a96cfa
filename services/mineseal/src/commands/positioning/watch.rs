//! Takes reports in as they arrive, until a signal.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use mineseal_bus::{Publisher, Table};
use mineseal_schemas::{Mine, Positioning};
use mineseal_service::shutdown_on_signal;
use mineseal_settings::{LogFormat, Settings};
use mineseal_telemetry::{TelemetryOptions, start};
use tokio_util::sync::CancellationToken;

use super::folder::{Folder, Found};
use crate::commands::Failure;
use crate::commands::mines::connect;

/// Between two looks into the folder.
const EVERY: Duration = Duration::from_secs(2);

/// A report leaves the folder only when it is on the bus: after a crash or in an outage it is published again, which the
/// counter knows by its time.
pub(super) async fn run(settings: Settings, path: &Path) -> Result<(), Failure> {
    let folder = Folder::open(path)
        .with_context(|| format!("cannot watch {}: it must be writable", path.display()))?;
    let shutdown = CancellationToken::new();
    shutdown_on_signal(shutdown.clone())?;
    let _telemetry = start(&TelemetryOptions {
        service: "mineseal-positioning",
        json: settings.telemetry.format == LogFormat::Json,
        filter: settings.telemetry.filter.clone(),
        otlp_endpoint: settings.telemetry.otlp_endpoint.clone(),
        sampled_share: 0.0,
    })?;
    let bus = connect(&settings, "mineseal-positioning")?;
    let mines = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        mines = bus.table::<Mine>() => mines?,
    };
    let publisher = bus.publisher()?;
    tracing::info!(folder = %path.display(), "watching for reports of positioning systems");
    loop {
        if let Err(error) = take(&folder, &mines, &publisher).await {
            tracing::warn!(error = %format!("{error:#}"), "reports stay where they are, trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn take(folder: &Folder, mines: &Table<Mine>, publisher: &Publisher) -> anyhow::Result<()> {
    for path in folder.reports()? {
        let name = path.display();
        let report =
            match Folder::read(&path, SystemTime::now()).with_context(|| format!("cannot read {name}"))? {
                Found::Unfinished => continue,
                Found::Report(report) if mines.get(report.mine.as_str()).is_some() => report,
                Found::Report(Positioning { mine, .. }) => {
                    refuse(folder, &path, &anyhow!("mine {mine} is not registered"))?;
                    continue;
                }
                Found::Useless(error) => {
                    refuse(folder, &path, &error.into())?;
                    continue;
                }
            };
        publisher.publish(&report).await?;
        folder
            .done(&path)
            .with_context(|| format!("cannot put {name} away"))?;
        tracing::info!(mine = %report.mine, people = report.people, at = %report.at, "report taken");
    }
    Ok(())
}

fn refuse(folder: &Folder, path: &Path, reason: &anyhow::Error) -> anyhow::Result<()> {
    tracing::warn!(file = %path.display(), %reason, "report refused");
    folder
        .refuse(path, &reason.to_string())
        .with_context(|| format!("cannot put {} away", path.display()))
}
