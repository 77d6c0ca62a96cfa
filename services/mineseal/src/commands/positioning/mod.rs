//! Files of positioning systems, from where they arrive to the bus.

mod folder;
mod watch;

use std::time::Duration;

use anyhow::{Context, anyhow};
use mineseal_platform::read_positioning;
use mineseal_schemas::{Mine, Positioning};
use mineseal_settings::Settings;

use crate::cli::PositioningArguments;
use crate::commands::mines::connect;
use crate::commands::{Failure, block_on};
use crate::output::line;

const DEADLINE: Duration = Duration::from_secs(20);

/// Watches a folder, or takes files in. Of these it reads all before it publishes the first: one that cannot be used
/// changes nothing.
pub(crate) fn run(settings: Settings, arguments: &PositioningArguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.watch {
        return block_on(watch::run(settings, folder));
    }
    let mut reports = Vec::new();
    for path in &arguments.files {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        reports.push(read_positioning(&name, &bytes)?);
    }
    reports.sort_by(|one, other| (&one.mine, one.at).cmp(&(&other.mine, other.at)));
    block_on(publish(settings, reports))
}

async fn publish(settings: Settings, reports: Vec<Positioning>) -> Result<(), Failure> {
    let bus = connect(&settings, "mineseal-positioning")?;
    bus.wait_until_ready(DEADLINE).await?;
    let mines = bus.table::<Mine>().await?;
    let unknown = reports
        .iter()
        .find(|report| mines.get(report.mine.as_str()).is_none());
    if let Some(report) = unknown {
        return Err(anyhow!("mine {} is not registered", report.mine).into());
    }
    let publisher = bus.publisher()?;
    for report in &reports {
        publisher.publish(report).await?;
        line(format!(
            "{}: 人员定位井下 {} 人，{}",
            report.mine,
            report.people,
            report.at.shanghai()
        ))?;
    }
    Ok(())
}
