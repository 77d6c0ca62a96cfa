use std::time::Duration;

use anyhow::{Context, anyhow};
use mineseal_settings::Settings;
use rustix::process::{Pid, Signal, kill_process};

use crate::commands::{Failure, block_on};
use crate::data_directory::running;
use crate::output::note;

/// Draining takes a few seconds; more than this means that it hangs.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let folder = &settings.data_directory;
    let Some(process) = running(folder) else {
        note(format!("nothing runs in {}", folder.display()));
        return Ok(());
    };
    let pid =
        Pid::from_raw(process).ok_or_else(|| anyhow!("the process number {process} cannot be right"))?;
    kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop process {process}"))?;
    note(format!("process {process} drains"));
    block_on(async {
        let began = tokio::time::Instant::now();
        while running(folder).is_some() {
            if began.elapsed() > PATIENCE {
                return Err(anyhow!("process {process} has not ended after {} s; `kill -9 {process}` loses nothing that was acknowledged", PATIENCE.as_secs()).into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        note("stopped");
        Ok(())
    })
}
