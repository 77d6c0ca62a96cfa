use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use mineseal_clickhouse_sink::SinkSettings;
use mineseal_counter::{CORRECTION_KEYS_FOLDER, CorrectionKeys, CounterSettings};
use mineseal_evidence::EvidenceStore;
use mineseal_inference::InferenceSettings;
use mineseal_platform::StandIn;
use mineseal_service::{Context, watch_bus};
use mineseal_settings::{PlatformKind, PlatformSettings, Settings};
use mineseal_telemetry::{Health, Metrics};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::engines::store_settings;
use crate::commands::Failure;
use crate::data_directory::DataDirectory;

/// Kafka needs the counter's own name to let it take its place again at once after a crash.
const COUNTER_INSTANCE: &str = "mineseal-up";

/// What is made before the services.
pub(crate) struct Shared {
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) evidence: EvidenceStore,
    pub(crate) console: TcpListener,
}

/// All services, in the order of the data's way: those before are drained before those after.
pub(crate) struct Running {
    shutdown: CancellationToken,
    ended: JoinSet<Result<(), Failure>>,
}

/// Starts every service as a task of this process.
pub(crate) async fn start(
    settings: &Settings,
    shared: Shared,
    folder: &DataDirectory,
    shutdown: &CancellationToken,
) -> Result<Running, Failure> {
    let Shared {
        health,
        metrics,
        evidence,
        console,
    } = shared;
    let mut settings = settings.clone();
    if settings.forwarder.platform.is_empty() {
        settings
            .forwarder
            .platform
            .push(stand_in(folder, shutdown).await?);
    }
    let mut ended = JoinSet::new();
    let mut context = |service: &'static str| -> Result<Context, Failure> {
        let context = Context::new(
            service,
            settings.clone(),
            health.clone(),
            metrics.clone(),
            shutdown.child_token(),
        )?;
        ended.spawn({
            let watch = watch_bus(
                service,
                context.bus.clone(),
                health.clone(),
                metrics.clone(),
                shutdown.child_token(),
            );
            async move {
                watch.await;
                Ok(())
            }
        });
        Ok(context)
    };

    let counter = context("counter")?;
    let sink = context("clickhouse-sink")?;
    let forwarder = context("platform-forwarder")?;
    let page = context("console")?;
    let inference = context("inference")?;
    let extractor = context("frame-extractor")?;

    let sink_settings = SinkSettings {
        batch_interval: Duration::from_millis(settings.sink.batch_interval_milliseconds),
        batch_rows: settings.sink.batch_rows,
        ..SinkSettings::new(store_settings(&settings)?)
    };
    let kept = evidence.clone();
    let configured = settings.clone();
    spawn(&mut ended, "counter", shutdown, async move {
        let counter_settings = CounterSettings {
            instance: Some(COUNTER_INSTANCE.to_owned()),
            commit_interval: Duration::from_millis(configured.counter.commit_interval_milliseconds),
            max_records: configured.counter.batch_records,
            correction_keys: CorrectionKeys::read(&configured.data_directory.join(CORRECTION_KEYS_FOLDER))?,
            ..CounterSettings::default()
        };
        mineseal_counter::run_counted(counter_settings, counter.bus, counter.metrics, counter.shutdown).await
    });
    spawn(
        &mut ended,
        "clickhouse-sink",
        shutdown,
        mineseal_clickhouse_sink::run(sink_settings, sink.bus, sink.health, sink.metrics, sink.shutdown),
    );
    spawn(
        &mut ended,
        "platform-forwarder",
        shutdown,
        mineseal_platform_forwarder::run(forwarder.settings.forwarder, forwarder.bus, forwarder.shutdown),
    );
    spawn(
        &mut ended,
        "console",
        shutdown,
        mineseal_console::serve(console, evidence, page.bus, page.shutdown),
    );
    spawn(
        &mut ended,
        "inference",
        shutdown,
        mineseal_inference::run(
            InferenceSettings::from(&inference.settings.inference),
            inference.bus.settings().clone(),
            inference.health,
            inference.metrics,
            inference.shutdown,
        ),
    );
    spawn(&mut ended, "frame-extractor", shutdown, async move {
        mineseal_frame_extractor::run(
            extractor.settings.extractor,
            kept,
            extractor.bus,
            extractor.metrics,
            extractor.shutdown,
        )
        .await
    });
    Ok(Running {
        shutdown: shutdown.clone(),
        ended,
    })
}

/// A platform on this machine that writes down what it is told.
async fn stand_in(folder: &DataDirectory, shutdown: &CancellationToken) -> Result<PlatformSettings, Failure> {
    let record = folder.join("stand-in-platform.jsonl");
    // It outlives the services' draining by being bound to this process alone.
    let platform = StandIn::start(([127, 0, 0, 1], 0).into(), Some(record), shutdown.clone()).await?;
    Ok(PlatformSettings {
        name: "stand-in".to_owned(),
        kind: PlatformKind::CoalJson,
        url: platform.url(),
        client_id: String::new(),
        client_secret_file: PathBuf::new(),
        code_table: PathBuf::new(),
    })
}

fn spawn<E>(
    tasks: &mut JoinSet<Result<(), Failure>>,
    service: &'static str,
    shutdown: &CancellationToken,
    work: impl Future<Output = Result<(), E>> + Send + 'static,
) where
    E: Into<Failure> + 'static,
{
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        let ended = work.await.map_err(Into::into);
        match &ended {
            Err(error) => tracing::error!(service, %error, "the service ended; everything stops"),
            Ok(()) if !shutdown.is_cancelled() => {
                tracing::error!(
                    service,
                    "the service ended although nobody asked it to; everything stops"
                );
            }
            Ok(()) => tracing::info!(service, "drained"),
        }
        shutdown.cancel();
        ended
    });
}

impl Running {
    /// Waits until all services have ended; the first error is the one that is told.
    pub(crate) async fn until_ended(mut self) -> Result<(), Failure> {
        let mut first = Ok(());
        while let Some(ended) = self.ended.join_next().await {
            let result = match ended {
                Ok(result) => result,
                Err(error) => Err(Failure::from(error)),
            };
            if let Err(error) = result {
                self.shutdown.cancel();
                if first.is_ok() {
                    first = Err(error);
                }
            }
        }
        first
    }
}
