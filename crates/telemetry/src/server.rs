use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Health, Metrics};

/// Why the page of health and metrics could not be served.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The port is taken, or the address is not this machine's.
    #[error(
        "cannot listen on {address} (telemetry.listen): {cause}; stop what uses the port or set MINESEAL_TELEMETRY__LISTEN"
    )]
    Listen {
        /// As given.
        address: SocketAddr,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The server broke off.
    #[error("the page of health and metrics broke off: {0}")]
    Serve(#[from] std::io::Error),
}

#[derive(Clone)]
struct Shared {
    health: Health,
    metrics: Metrics,
}

/// Serves `/livez`, `/readyz`, `/startupz`, `/health` and `/metrics` until `shutdown`.
///
/// # Errors
/// The address cannot be bound, or the server breaks off.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|cause| ServerError::Listen { address, cause })?;
    let router = Router::new()
        .route(
            "/livez",
            get(|State(shared): State<Shared>| async move { answer(shared.health.is_live()) }),
        )
        .route(
            "/readyz",
            get(|State(shared): State<Shared>| async move { answer(shared.health.is_ready()) }),
        )
        .route(
            "/startupz",
            get(|State(shared): State<Shared>| async move { answer(shared.health.has_started()) }),
        )
        .route(
            "/health",
            get(|State(shared): State<Shared>| async move { Json(shared.health.report()) }),
        )
        .route("/metrics", get(metrics_page))
        .with_state(Shared { health, metrics });
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await?;
    Ok(())
}

fn answer(good: bool) -> Response {
    if good {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok; see /health\n").into_response()
    }
}

async fn metrics_page(State(shared): State<Shared>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.text())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ServiceState;

    async fn status(url: &str) -> u16 {
        for _ in 0..50 {
            if let Ok(answer) = reqwest::get(url).await {
                return answer.status().as_u16();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        0
    }

    #[tokio::test]
    async fn probes_tell_live_from_ready_and_a_taken_port_is_an_error() {
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let (health, shutdown) = (Health::default(), CancellationToken::new());
        health.register("counter", Duration::from_secs(60));
        let server = tokio::spawn(serve(free, health.clone(), Metrics::default(), shutdown.clone()));
        assert_eq!(status(&format!("http://{free}/livez")).await, 200);
        assert_eq!(status(&format!("http://{free}/readyz")).await, 503);
        health.set("counter", ServiceState::Ready, "");
        assert_eq!(status(&format!("http://{free}/readyz")).await, 200);
        let second = serve(free, health, Metrics::default(), shutdown.clone())
            .await
            .unwrap_err();
        assert!(second.to_string().contains(&free.to_string()));
        shutdown.cancel();
        server.await.unwrap().unwrap();
    }
}
