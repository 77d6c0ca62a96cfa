//! Tells upper platforms what happened: one consumer group a platform and lane, so that Kafka is its outbox and
//! an outage of days is only lag.
//!
//! Alarms have a lane of their own, so that they overtake the back-fill of bulk states. Within a lane order is
//! kept. Each record is sent until the platform takes or refuses it: at least once, with its original time. What
//! the platform said goes to `receipts`; what it refused goes to `dead-letters` too.

mod lane;
mod registrar;

use std::sync::Arc;
use std::time::Duration;

use mineseal_bus::{Bus, BusError};
use mineseal_platform::{CoalJson, CoalJsonSettings, PlatformAdapter, PlatformError};
use mineseal_settings::{ForwarderSettings, PlatformKind, PlatformSettings};
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use lane::{Lane, Link};
use registrar::Registrar;

/// An answer that takes longer counts as none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the forwarder could not run.
#[derive(Debug, Error)]
pub enum ForwarderError {
    /// A platform's adapter cannot be made.
    #[error("platform {platform}: {cause}")]
    Platform {
        /// Its name.
        platform: String,
        /// What is wrong.
        cause: PlatformError,
    },
    /// The bus refuses its settings.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Runs all lanes of all platforms until `shutdown`, then finishes the record in hand and leaves.
///
/// # Errors
/// A platform's settings cannot be used, or the bus refuses its own.
pub async fn run(
    settings: ForwarderSettings,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), ForwarderError> {
    let cameras = bus.table().await?;
    let mut lanes = JoinSet::new();
    for platform in settings.platform {
        let adapter = adapter(&platform)?;
        let link = Arc::new(Link {
            platform: platform.name.clone(),
            registrar: Registrar::new(cameras.clone()),
            adapter,
            bus: bus.clone(),
            publisher: bus.publisher()?,
            shutdown: shutdown.clone(),
        });
        for lane in [Lane::Alarms, Lane::States] {
            lanes.spawn(lane::run(lane, Arc::clone(&link)));
        }
    }
    if lanes.is_empty() {
        tracing::warn!("no upper platform is configured (forwarder.platform): nothing is forwarded");
        shutdown.cancelled().await;
    }
    while let Some(ended) = lanes.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(error) => tracing::error!(%error, "a lane broke off"),
        }
    }
    Ok(())
}

fn adapter(platform: &PlatformSettings) -> Result<Arc<dyn PlatformAdapter>, ForwarderError> {
    match platform.kind {
        PlatformKind::CoalJson => {
            let adapter = CoalJson::new(CoalJsonSettings {
                url: platform.url.clone(),
                client_id: platform.client_id.clone(),
                client_secret_file: platform.client_secret_file.clone(),
                code_table: platform.code_table.clone(),
                timeout: ANSWER_TIMEOUT,
            })
            .map_err(|cause| ForwarderError::Platform {
                platform: platform.name.clone(),
                cause,
            })?;
            Ok(Arc::new(adapter))
        }
    }
}
