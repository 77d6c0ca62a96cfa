//! Runs a command with real services beside it: `mineseal-test-services -- cargo test`.
//!
//! The command finds them through `MINESEAL_TEST_KAFKA` (host:port) and `MINESEAL_TEST_CLICKHOUSE` (URL).
//! Everything lies in a temporary folder and is stopped and removed when the command ends, whose exit code is
//! ours. A service whose variable is set already is not started.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use mineseal_embedded::{ClickHouseNode, ClickHouseNodeSettings, KafkaNode, KafkaNodeSettings, free_port};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about = "Runs a command with a real Kafka and a real ClickHouse beside it")]
struct Arguments {
    /// Where what was fetched is kept over many runs.
    #[arg(long, env = "MINESEAL_CACHE", default_value = default_cache())]
    cache: PathBuf,
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn default_cache() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/cache")
}

fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    let arguments = Arguments::parse();
    tokio::runtime::Runtime::new()?.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    let folder = tempfile::Builder::new()
        .prefix("mineseal-test-services-")
        .tempdir()?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let (program, command_arguments) = arguments.command.split_first().context("no command was given")?;
    let mut command = Command::new(program);
    command.args(command_arguments).kill_on_drop(true);

    command.env("MINESEAL_CACHE", &arguments.cache);
    let wanted = |variable: &str| std::env::var_os(variable).is_none();
    let kafka = async {
        if !wanted("MINESEAL_TEST_KAFKA") {
            return Ok::<_, anyhow::Error>(None);
        }
        let mut settings = KafkaNodeSettings::new(&arguments.cache, folder.path().join("kafka"));
        (settings.port, settings.controller_port) = (free_port()?, free_port()?);
        Ok(Some(
            KafkaNode::start(settings, |step| tracing::info!("{step}")).await?,
        ))
    };
    let clickhouse = async {
        if !wanted("MINESEAL_TEST_CLICKHOUSE") {
            return Ok::<_, anyhow::Error>(None);
        }
        let mut settings = ClickHouseNodeSettings::new(&arguments.cache, folder.path().join("clickhouse"));
        settings.port = free_port()?;
        Ok(Some(
            ClickHouseNode::start(settings, |step| tracing::info!("{step}")).await?,
        ))
    };
    let (kafka, clickhouse) = tokio::select! {
        started = async { tokio::try_join!(kafka, clickhouse) } => started?,
        // Dropping what has begun to start kills it.
        _ = interrupted.recv() => return Ok(ExitCode::from(130)),
        _ = terminated.recv() => return Ok(ExitCode::from(143)),
    };
    if let Some(node) = &kafka {
        command.env("MINESEAL_TEST_KAFKA", node.brokers());
    }
    if let Some(node) = &clickhouse {
        command.env("MINESEAL_TEST_CLICKHOUSE", node.url());
    }

    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {program:?}"))?;
    let status = tokio::select! {
        status = child.wait() => Some(status?),
        // The terminal sends Ctrl-C to the command too; SIGTERM only reaches us.
        _ = interrupted.recv() => child.wait().await.ok(),
        _ = terminated.recv() => None,
    };
    drop(child);
    if let Some(node) = kafka {
        node.stop().await?;
    }
    if let Some(node) = clickhouse {
        node.stop().await?;
    }
    let code = status
        .and_then(|status| status.code())
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
