//! The page for duty officers and dispatchers: Chinese first, made on the server, moving by server-sent events.
//!
//! What it shows is derived from the bus alone: the compacted topics as tables, the others read from their
//! oldest record on. Nothing is kept here; several consoles may run.

mod feed;
mod page;
mod view;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;

use mineseal_bus::{Bus, BusError};
use mineseal_evidence::EvidenceStore;
use mineseal_settings::ConsoleSettings;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use view::{CameraView, MineView, View};

/// Why the console could not run.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The port is taken, or the address is not this machine's.
    #[error(
        "cannot listen on {address} (console.listen): {cause}; stop what uses the port or set MINESEAL_CONSOLE__LISTEN"
    )]
    Listen {
        /// As configured.
        address: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The server broke off.
    #[error("the console's server broke off: {0}")]
    Serve(#[from] std::io::Error),
    /// The bus refuses its settings.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The evidence store cannot be opened.
    #[error(transparent)]
    Evidence(#[from] mineseal_evidence::EvidenceError),
}

/// Takes the console's port, before anything else is started.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(settings: &ConsoleSettings) -> Result<TcpListener, ConsoleError> {
    let address: SocketAddr = settings.listen.parse().map_err(|_| ConsoleError::Listen {
        address: settings.listen.clone(),
        cause: std::io::Error::new(std::io::ErrorKind::InvalidInput, "not an address with a port"),
    })?;
    TcpListener::bind(address)
        .await
        .map_err(|cause| ConsoleError::Listen {
            address: settings.listen.clone(),
            cause,
        })
}

/// Listens and serves until `shutdown`.
///
/// # Errors
/// The address cannot be bound, the server breaks off, or the bus refuses its settings.
pub async fn run(
    settings: &ConsoleSettings,
    evidence: EvidenceStore,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), ConsoleError> {
    let listener = listen(settings).await?;
    serve(listener, evidence, bus, shutdown).await
}

/// Serves on a port that was taken before.
///
/// # Errors
/// As [`run`].
pub async fn serve(
    listener: TcpListener,
    evidence: EvidenceStore,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), ConsoleError> {
    let shared = Arc::new(feed::Shared::default());
    let feeding = feed::run(Arc::clone(&shared), bus, shutdown.clone());
    let serving = web::serve(listener, shared, evidence, shutdown.clone());
    let (fed, served) = tokio::join!(
        async {
            let fed = feeding.await;
            if fed.is_err() {
                shutdown.cancel();
            }
            fed
        },
        serving
    );
    fed?;
    served?;
    Ok(())
}
