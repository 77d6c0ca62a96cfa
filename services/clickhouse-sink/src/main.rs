//! The service `clickhouse-sink`: from the bus into ClickHouse, exactly once.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mineseal_clickhouse_sink::{SinkSettings, run};
use mineseal_store::StoreSettings;

fn main() -> ExitCode {
    mineseal_service::run("clickhouse-sink", |context| async move {
        let clickhouse = &context.settings.clickhouse;
        if clickhouse.url.is_empty() {
            let help = "clickhouse.url is empty, and a service alone does not start an engine: set CLICKHOUSE_URL, \
                        or run `mineseal up`";
            return Err(help.into());
        }
        let store = StoreSettings {
            url: clickhouse.url.clone(),
            database: clickhouse.database.clone(),
            user: clickhouse.user.clone(),
            password: password(&clickhouse.password_file)?,
        };
        let settings = SinkSettings {
            batch_interval: Duration::from_millis(context.settings.sink.batch_interval_milliseconds),
            batch_rows: context.settings.sink.batch_rows,
            ..SinkSettings::new(store)
        };
        run(
            settings,
            context.bus,
            context.health,
            context.metrics,
            context.shutdown,
        )
        .await?;
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    })
}

fn password(file: &Path) -> io::Result<String> {
    if file.as_os_str().is_empty() {
        return Ok(String::new());
    }
    let read = std::fs::read_to_string(file);
    let text = read.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("clickhouse.password_file {}: {error}", file.display()),
        )
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
