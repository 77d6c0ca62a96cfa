use std::time::{Duration, Instant};

use mineseal_bus::Bus;
use mineseal_settings::Settings;
use mineseal_store::Store;
use tokio_util::sync::CancellationToken;

use super::mines::{connect, layout};
use super::up::engines::store_settings;
use crate::commands::Failure;
use crate::output::note;

/// What is not there may still be starting: so long it is waited for.
const DEADLINE: Duration = Duration::from_secs(120);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two words about it.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Kafka with all topics and ClickHouse with all migrations; waits where one of them is not there yet, and says so.
/// `None` when `shutdown` came first.
pub(super) async fn prepared(
    settings: &Settings,
    client: &str,
    shutdown: &CancellationToken,
) -> Result<Option<(Bus, Store)>, Failure> {
    let bus = connect(settings, client)?;
    let brokers = bus.settings().brokers.clone();
    let kafka = || async { bus.wait_until_ready(PAUSE).await };
    let Some(()) = patiently(&format!("Kafka at {brokers}"), shutdown, kafka, |_| true).await? else {
        return Ok(None);
    };
    bus.ensure_topics(layout(settings)).await?;
    let store_settings = store_settings(settings)?;
    let clickhouse = || async {
        let store = Store::connect(store_settings.clone()).await?;
        store.migrate().await?;
        Ok(store)
    };
    let name = format!("ClickHouse at {}", store_settings.url);
    let store = patiently(
        &name,
        shutdown,
        clickhouse,
        mineseal_store::StoreError::is_passing,
    )
    .await?;
    Ok(store.map(|store| (bus, store)))
}

/// Tries again while `passes` says that the error may mend itself, at most [`DEADLINE`].
async fn patiently<T, E, F>(
    name: &str,
    shutdown: &CancellationToken,
    mut attempt: impl FnMut() -> F,
    passes: impl Fn(&E) -> bool,
) -> Result<Option<T>, Failure>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Failure>,
{
    let began = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        let result = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            result = attempt() => result,
        };
        match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) if !passes(&error) || began.elapsed() > DEADLINE => return Err(error.into()),
            Err(_) => {}
        }
        if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            note(format!(
                "等待 {name}（已 {:.0} 秒）/ waiting for {name}, which does not answer yet; giving up after {} s",
                began.elapsed().as_secs_f64(),
                DEADLINE.as_secs()
            ));
            said = Some(Instant::now());
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
