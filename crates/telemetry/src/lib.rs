//! What the outside sees of a running service: logs, traces, metrics and health.

mod health;
mod metrics;
mod server;
mod trace;

pub use health::{Health, ServiceHealth, ServiceState};
pub use metrics::{Labels, Metrics};
pub use prometheus_client::metrics::{counter::Counter, histogram::Histogram};
pub use server::{ServerError, serve};
pub use trace::{TelemetryError, TelemetryGuard, TelemetryOptions, start};
