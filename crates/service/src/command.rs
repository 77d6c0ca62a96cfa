use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mineseal_bus::{Bus, BusSettings};
use mineseal_settings::{EXIT_USAGE, LogFormat, Settings, SettingsProblem, load};
use mineseal_telemetry::{Health, Metrics, TelemetryOptions, serve, start};
use tokio_util::sync::CancellationToken;

use crate::{shutdown_on_signal, watch_bus};

#[derive(Parser)]
#[command(
    version,
    about = "One service of mineseal; `mineseal up` runs all of them in one process"
)]
struct Arguments {
    /// Configuration file in TOML; the environment (MINESEAL_SECTION__KEY) lies over it.
    #[arg(long, env = "MINESEAL_CONFIG")]
    config: Option<PathBuf>,
}

/// What a service is given.
#[derive(Clone, Debug)]
pub struct Context {
    /// The whole configuration.
    pub settings: Settings,
    /// The bus, connected in the service's name.
    pub bus: Bus,
    /// Where it reports how it is.
    pub health: Health,
    /// Where it counts.
    pub metrics: Metrics,
    /// Cancelled when it has to drain and end.
    pub shutdown: CancellationToken,
}

impl Context {
    /// Connects in the name of `service`; the bus may be away.
    ///
    /// # Errors
    /// Properties that librdkafka refuses.
    pub fn new(
        service: &'static str,
        settings: Settings,
        health: Health,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Result<Self, mineseal_bus::BusError> {
        let bus = Bus::connect(BusSettings {
            brokers: settings.kafka.brokers.clone(),
            topic_prefix: settings.kafka.topic_prefix.clone(),
            client_id: service.to_owned(),
            properties: settings.kafka.properties.clone(),
        })?;
        Ok(Self {
            settings,
            bus,
            health,
            metrics,
            shutdown,
        })
    }
}

/// Prints an error and its causes the way an operator reads them; the code is 64 for a wrong configuration and 1
/// for the rest.
pub fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let code = if error.is::<SettingsProblem>() {
        EXIT_USAGE
    } else {
        1
    };
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}\n  because: {cause_text}");
        }
        source = cause.source();
    }
    if let Some(SettingsProblem::Value { help, .. }) = error.downcast_ref::<SettingsProblem>() {
        text = format!("{text}\n  help: {help}");
    }
    #[expect(
        clippy::print_stderr,
        reason = "telemetry may not run yet, and this is for the person at the terminal"
    )]
    {
        eprintln!("{text}");
    }
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The whole life of a service's process: `work` runs until it ends or a signal asks it to drain.
pub fn run<Work, Done, Failure>(service: &'static str, work: Work) -> ExitCode
where
    Work: FnOnce(Context) -> Done,
    Done: Future<Output = Result<(), Failure>>,
    Failure: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let arguments = Arguments::parse();
    match live(service, arguments, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.as_ref()),
    }
}

fn live<Work, Done, Failure>(
    service: &'static str,
    arguments: Arguments,
    work: Work,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    Work: FnOnce(Context) -> Done,
    Done: Future<Output = Result<(), Failure>>,
    Failure: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let settings = load(arguments.config.as_deref(), std::env::vars())?;
    if settings.kafka.brokers.is_empty() {
        return Err(Box::new(SettingsProblem::Value {
            file: arguments
                .config
                .map_or("built-in defaults".into(), |path| path.display().to_string()),
            key: "kafka.brokers".into(),
            what: "no broker is named, and a service alone does not start one".into(),
            help: "set KAFKA_BROKERS=host:port, or run `mineseal up`".into(),
        }));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let telemetry = &settings.telemetry;
        let _guard = start(&TelemetryOptions {
            service,
            json: telemetry.format == LogFormat::Json,
            filter: telemetry.filter.clone(),
            otlp_endpoint: telemetry.otlp_endpoint.clone(),
            sampled_share: 0.01,
        })?;
        let address = telemetry.listen.parse()?;
        let shutdown = CancellationToken::new();
        shutdown_on_signal(shutdown.clone())?;
        let (health, metrics) = (Health::default(), Metrics::default());
        let context = Context::new(
            service,
            settings,
            health.clone(),
            metrics.clone(),
            shutdown.clone(),
        )?;
        let page = tokio::spawn(serve(address, health.clone(), metrics.clone(), shutdown.clone()));
        let watch = tokio::spawn(watch_bus(
            service,
            context.bus.clone(),
            health,
            metrics,
            shutdown.clone(),
        ));
        let worked = work(context).await.map_err(Into::into);
        shutdown.cancel();
        watch.await?;
        let served = page.await?;
        worked?;
        served?;
        Ok(())
    })
}
