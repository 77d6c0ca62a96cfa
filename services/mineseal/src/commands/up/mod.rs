mod demo;
pub(crate) mod engines;
mod services;

pub(crate) use demo::render as render_demo;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use mineseal_evidence::EvidenceStore;
use mineseal_service::shutdown_on_signal;
use mineseal_settings::{LogFormat, Settings, load_mines};
use mineseal_telemetry::{Health, Metrics, TelemetryOptions, start};
use tokio_util::sync::CancellationToken;

use crate::commands::reach::prepared;
use crate::commands::{Failure, block_on, mines};
use crate::data_directory::DataDirectory;
use crate::output::note;

/// Starts engines and services in one process and keeps them running until a signal.
pub(crate) fn run(mut settings: Settings, mines_file: Option<&Path>) -> Result<(), Failure> {
    let began = Instant::now();
    // What can be wrong is looked for before anything starts.
    let registered = match mines_file {
        Some(file) => Some(load_mines(file, mines::now(), &mines::user())?),
        None => None,
    };
    let folder = DataDirectory::open(&settings.data_directory)?;
    settings.data_directory = folder.join(".");
    block_on(async move {
        let shutdown = CancellationToken::new();
        shutdown_on_signal(shutdown.clone())?;
        let _telemetry = start(&TelemetryOptions {
            service: "mineseal",
            json: settings.telemetry.format == LogFormat::Json,
            filter: settings.telemetry.filter.clone(),
            otlp_endpoint: settings.telemetry.otlp_endpoint.clone(),
            sampled_share: 0.01,
        })?;
        let console = mineseal_console::listen(&settings.console).await?;
        let health_address: SocketAddr = settings.telemetry.listen.parse().context("telemetry.listen")?;
        let evidence = EvidenceStore::configured(&settings)?;

        let rendering = registered.is_none().then(|| {
            let scenes = folder.join("scenes");
            tokio::task::spawn_blocking(move || demo::render(&scenes))
        });
        let engines = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            engines = engines::start(&mut settings, &folder) => engines?,
        };
        let result = async {
            let registered = match (registered, rendering) {
                (Some(registered), _) => registered,
                (None, Some(rendering)) => tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    rendered = rendering => rendered?,
                }
                .map_err(|error| anyhow!("the demo's scenes could not be rendered: {error}"))?,
                (None, None) => return Err(anyhow!("no mines").into()),
            };
            let Some((bus, _store)) = prepared(&settings, "mineseal-up", &shutdown).await? else {
                return Ok(());
            };
            mines::apply(&bus, &registered, true).await?;
            if shutdown.is_cancelled() {
                return Ok(());
            }

            let (health, metrics) = (Health::default(), Metrics::default());
            let page = tokio::spawn(mineseal_telemetry::serve(
                health_address,
                health.clone(),
                metrics.clone(),
                shutdown.clone(),
            ));
            let running = services::start(
                &settings,
                services::Shared {
                    health,
                    metrics,
                    evidence,
                    console,
                },
                &folder,
                &shutdown,
            )
            .await?;
            note(format!(
                "mineseal 已启动（{:.0} 秒）/ started in {0:.0} s: {} mines, {} cameras",
                began.elapsed().as_secs_f64(),
                registered.mines.len(),
                registered.cameras.len()
            ));
            note(format!(
                "  值守页面 / console     http://{}",
                settings.console.listen
            ));
            note(format!(
                "  健康与指标 / health    http://{}/health  /metrics",
                settings.telemetry.listen
            ));
            note(format!(
                "  数据 / data            {}",
                settings.data_directory.display()
            ));
            note("  Ctrl-C 停止 / Ctrl-C drains and stops");
            running.until_ended().await?;
            page.await??;
            Ok(())
        }
        .await;
        shutdown.cancel();
        engines.stop().await?;
        if result.is_ok() {
            note("已停止 / stopped; nothing is lost, `mineseal up` goes on from here");
        }
        result
    })
}
