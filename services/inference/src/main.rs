//! The service `inference`: finds people and vehicles in frames.

use std::process::ExitCode;

use mineseal_inference::{InferenceError, InferenceSettings, run};

/// The net allocates and frees buffers of megabytes for every picture; this one keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mineseal_service::run("inference", |context| {
        let settings = InferenceSettings::from(&context.settings.inference);
        async move {
            run(
                settings,
                context.bus.settings().clone(),
                context.health,
                context.metrics,
                context.shutdown,
            )
            .await
            .map_err(InferenceError::explained)
        }
    })
}
