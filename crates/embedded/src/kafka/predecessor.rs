//! Takes the leadership of every partition from the broker's earlier life before it begins the next one.
//!
//! A node that is alone and comes back first believes what its metadata say of the time before: that it leads every
//! partition. Its transaction coordinator then begins to write the markers that are missing from transactions which
//! were being committed, cannot reach its own door, which is not open yet, and keeps trying. As soon as the controller
//! learns of the new life, no partition has a leader for a moment; Kafka 4.4.0 takes a partition without a leader for
//! one that was deleted (KAFKA-20734), leaves its markers out and calls the transaction complete. Its records are then
//! neither committed nor aborted, and readers of committed records wait for ever. It was seen in one of seven kills
//! during commits.
//!
//! So the controller alone is started first, on the same metadata and with a short patience: it finds its broker
//! silent and takes the leadership away. The broker that is started then leads nothing until it is registered anew,
//! and gets everything at once.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{KafkaNodeError, KafkaNodeSettings, KafkaProgress, log_end, node_arguments, properties, spawn};
use crate::supervise::file_end;

/// The controller's patience with its broker, which is not running.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_000);
/// After the controller has begun: so long it may take until the silence is noticed, on a machine under load.
const NOTICED_WITHIN: Duration = Duration::from_secs(8);
/// Enough of the controller's log to hold what we look for.
const LOG_BYTES: u64 = 64 << 10;

/// Does nothing for a node of several, whose controllers see it go, and for one that never ran.
pub(super) async fn fence(
    settings: &KafkaNodeSettings,
    jars: &Path,
    progress: &(impl Fn(KafkaProgress) + Send + Sync),
) -> Result<(), KafkaNodeError> {
    if settings.cluster.is_some() || !properties::log_path(settings).exists() {
        return Ok(());
    }
    progress(KafkaProgress::Fencing);
    let log = properties::controller_log_path(settings);
    // What an earlier start wrote is not what we wait for.
    match std::fs::remove_file(&log) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(KafkaNodeError::io("remove", &log, source));
        }
        _ => {}
    }
    let arguments = node_arguments(
        settings,
        jars,
        &properties::controller_log_settings_path(settings),
        &properties::controller_path(settings),
    );
    let began = Instant::now();
    let mut child = spawn(settings, arguments).await?;
    let mut active_since = None;
    loop {
        if let Some(status) = child.ended()? {
            return Err(KafkaNodeError::EndedEarly {
                status,
                log: format!("{}\n{}", file_end(&log, 3_000), log_end(settings, &child)),
            });
        }
        let said = file_end(&log, LOG_BYTES);
        // Said once the change is in the metadata.
        if said.contains("handleBrokerFenced") {
            tracing::info!(took = ?began.elapsed(), "the broker's earlier life leads nothing any more");
            break;
        }
        if active_since.is_none() && said.contains("Becoming the active controller") {
            active_since = Some(Instant::now());
        }
        if active_since.is_some_and(|since| since.elapsed() >= PATIENCE + NOTICED_WITHIN) {
            // It led nothing: an earlier start got as far as this and no further.
            break;
        }
        if began.elapsed() >= settings.start_timeout {
            return Err(KafkaNodeError::NotReady {
                port: settings.controller_port,
                waited: began.elapsed(),
                log: file_end(&log, 3_000),
            });
        }
        sleep(Duration::from_millis(50)).await;
    }
    child.stop(settings.stop_grace).await?;
    Ok(())
}
