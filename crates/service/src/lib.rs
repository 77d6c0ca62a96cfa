//! What every service does around its own work: read the configuration, start telemetry, listen for signals,
//! report health, drain.

mod command;
mod monitor;
mod signals;

pub use command::{Context, fail, run};
pub use monitor::{report_bus, watch_bus};
pub use signals::shutdown_on_signal;
