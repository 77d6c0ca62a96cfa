use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `shutdown` at the first SIGINT or SIGTERM; a second one ends the process at once.
///
/// # Errors
/// The system refuses the handlers.
pub fn shutdown_on_signal(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                tracing::warn!("a second signal: ending at once");
                std::process::exit(130);
            }
            tracing::info!("draining; a second signal ends at once");
            shutdown.cancel();
        }
    });
    Ok(())
}
