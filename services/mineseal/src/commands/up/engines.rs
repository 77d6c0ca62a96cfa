use std::path::PathBuf;
use std::time::Instant;

use mineseal_embedded::{ClickHouseNode, ClickHouseNodeSettings, KafkaNode, KafkaNodeSettings};
use mineseal_settings::Settings;
use mineseal_store::StoreSettings;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commands::Failure;
use crate::data_directory::DataDirectory;
use crate::output::note;

/// The engines that run on this machine; each is started again when it ends by itself.
pub(crate) struct Engines {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<Result<(), Failure>>>,
}

/// Where fetched engines are kept over many runs and data folders.
fn cache_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("MINESEAL_CACHE") {
        return PathBuf::from(folder);
    }
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    home.join(".cache/mineseal")
}

/// Starts what the settings do not name, and enters it there.
pub(crate) async fn start(settings: &mut Settings, folder: &DataDirectory) -> Result<Engines, Failure> {
    let stop = CancellationToken::new();
    let cache = cache_folder();
    let began = Instant::now();
    let mut tasks: Vec<JoinHandle<Result<(), Failure>>> = Vec::new();

    let kafka = async {
        if !settings.kafka.brokers.is_empty() {
            return Ok(None);
        }
        let mut node = KafkaNodeSettings::new(cache.join("kafka"), folder.join("kafka"));
        node.port = settings.kafka.embedded_port;
        node.controller_port = settings.kafka.embedded_port.saturating_add(1);
        let progress = |step| {
            note(format!(
                "[{:>4.0} s] Apache Kafka: {step}",
                began.elapsed().as_secs_f64()
            ))
        };
        Ok::<_, Failure>(Some(KafkaNode::start(node, progress).await?))
    };
    let clickhouse = async {
        if !settings.clickhouse.url.is_empty() {
            return Ok(None);
        }
        let mut node = ClickHouseNodeSettings::new(cache.join("clickhouse"), folder.join("clickhouse"));
        node.port = settings.clickhouse.embedded_port;
        let progress = |step| {
            note(format!(
                "[{:>4.0} s] ClickHouse: {step}",
                began.elapsed().as_secs_f64()
            ))
        };
        Ok::<_, Failure>(Some(ClickHouseNode::start(node, progress).await?))
    };
    let (kafka, clickhouse) = tokio::join!(kafka, clickhouse);
    // One that came up is stopped when the other did not.
    let (kafka, clickhouse) = match (kafka, clickhouse) {
        (Ok(kafka), Ok(clickhouse)) => (kafka, clickhouse),
        (Ok(kafka), Err(error)) => {
            if let Some(node) = kafka {
                node.stop().await?;
            }
            return Err(error);
        }
        (Err(error), clickhouse) => {
            if let Ok(Some(node)) = clickhouse {
                node.stop().await?;
            }
            return Err(error);
        }
    };
    if let Some(node) = kafka {
        settings.kafka.brokers = node.brokers();
        let stop = stop.clone();
        tasks.push(tokio::spawn(async move { Ok(node.keep_running(stop).await?) }));
    }
    if let Some(node) = clickhouse {
        settings.clickhouse.url = node.url();
        let stop = stop.clone();
        tasks.push(tokio::spawn(async move { Ok(node.keep_running(stop).await?) }));
    }
    Ok(Engines { stop, tasks })
}

impl Engines {
    /// Stops them; what was acknowledged is on disk.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.stop.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

/// How the store is reached.
pub(crate) fn store_settings(settings: &Settings) -> Result<StoreSettings, Failure> {
    let clickhouse = &settings.clickhouse;
    let password = if clickhouse.password_file.as_os_str().is_empty() {
        String::new()
    } else {
        std::fs::read_to_string(&clickhouse.password_file)
            .map_err(|error| {
                format!(
                    "clickhouse.password_file {}: {error}",
                    clickhouse.password_file.display()
                )
            })?
            .trim()
            .to_owned()
    };
    let url = if clickhouse.url.is_empty() {
        format!("http://127.0.0.1:{}", clickhouse.embedded_port)
    } else {
        clickhouse.url.clone()
    };
    Ok(StoreSettings {
        url,
        database: clickhouse.database.clone(),
        user: clickhouse.user.clone(),
        password,
    })
}
