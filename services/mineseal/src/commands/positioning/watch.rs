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
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            taken = take(&folder, &mines, &publisher) => if let Err(error) = taken {
                tracing::warn!(error = %format!("{error:#}"), "reports stay where they are, trying again");
            },
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One that cannot be read or moved keeps none of the others back; a bus that takes nothing does.
async fn take(folder: &Folder, mines: &Table<Mine>, publisher: &Publisher) -> anyhow::Result<()> {
    for path in folder.reports()? {
        let report = match usable(folder, mines, &path) {
            Ok(Some(report)) => report,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(file = %path.display(), error = %format!("{error:#}"), "trying again");
                continue;
            }
        };
        publisher.publish(&report).await?;
        match folder.done(&path) {
            Ok(()) => {
                tracing::info!(mine = %report.mine, people = report.people, at = %report.at, "report taken")
            }
            Err(error) => tracing::warn!(file = %path.display(), %error, "taken, and cannot be put away"),
        }
    }
    Ok(())
}

/// The report in a file; none while it is not whole, or when it was refused.
fn usable(folder: &Folder, mines: &Table<Mine>, path: &Path) -> anyhow::Result<Option<Positioning>> {
    match Folder::read(path, SystemTime::now()).context("cannot be read")? {
        Found::Unfinished => Ok(None),
        Found::Report(report) if mines.get(report.mine.as_str()).is_some() => Ok(Some(report)),
        Found::Report(Positioning { mine, .. }) => {
            refuse(folder, path, &anyhow!("mine {mine} is not registered"))?;
            Ok(None)
        }
        Found::Useless(error) => {
            refuse(folder, path, &error.into())?;
            Ok(None)
        }
    }
}

fn refuse(folder: &Folder, path: &Path, reason: &anyhow::Error) -> anyhow::Result<()> {
    tracing::warn!(file = %path.display(), %reason, "report refused");
    folder
        .refuse(path, &reason.to_string())
        .context("cannot be put away")
}
