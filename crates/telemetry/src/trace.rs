use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How logs and traces leave the process.
#[derive(Clone, Debug)]
pub struct TelemetryOptions {
    /// Name of the service in traces.
    pub service: &'static str,
    /// One JSON object a line; else text for people.
    pub json: bool,
    /// Which events are logged, in the syntax of [`EnvFilter`].
    pub filter: String,
    /// OTLP over HTTP, such as `http://collector:4318`; empty: no traces leave.
    pub otlp_endpoint: String,
    /// Share of frames whose way is traced, 0 to 1; the first service on the way decides.
    pub sampled_share: f64,
}

/// Why telemetry could not start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error(
        "telemetry.filter {filter:?} is wrong: {cause}; write it as \"info\" or \"info,mineseal_bus=debug\""
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong.
        cause: String,
    },
    /// The exporter cannot be made.
    #[error("telemetry.otlp_endpoint {endpoint:?} cannot be used: {cause}")]
    Exporter {
        /// As given.
        endpoint: String,
        /// What is wrong.
        cause: String,
    },
    /// Telemetry was started before in this process.
    #[error("telemetry was started twice in one process")]
    Twice,
}

/// Keeps the exporter alive; on drop what was collected is sent.
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Starts logging to stdout and, when an endpoint is set, tracing. W3C trace context is the propagator, so that
/// the bus can carry it in record headers.
///
/// # Errors
/// A filter or an endpoint that cannot be used, or a second start in one process.
pub fn start(options: &TelemetryOptions) -> Result<TelemetryGuard, TelemetryError> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let filter = EnvFilter::try_new(&options.filter).map_err(|cause| TelemetryError::Filter {
        filter: options.filter.clone(),
        cause: cause.to_string(),
    })?;
    let lines = if options.json {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_filter(filter)
            .boxed()
    } else {
        fmt::layer()
            .with_target(false)
            // Colours are for eyes; in a file they are noise.
            .with_ansi(std::io::stdout().is_terminal())
            .with_filter(filter)
            .boxed()
    };
    let provider = exporter(options)?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("mineseal"))
            .with_filter(EnvFilter::new("off,mineseal=info"))
    });
    tracing_subscriber::registry()
        .with(lines)
        .with(spans)
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    if let Some(provider) = &provider {
        global::set_tracer_provider(provider.clone());
    }
    Ok(TelemetryGuard { provider })
}

fn exporter(options: &TelemetryOptions) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if options.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let endpoint = format!("{}/v1/traces", options.otlp_endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .build()
        .map_err(|cause| TelemetryError::Exporter {
            endpoint: options.otlp_endpoint.clone(),
            cause: cause.to_string(),
        })?;
    let resource = Resource::builder()
        .with_service_name(options.service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sampled_share)));
    Ok(Some(
        SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .with_sampler(sampler)
            .build(),
    ))
}
