use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures::Stream;
use mineseal_counting::StatedError;
use mineseal_domain::UtcMicros;
use mineseal_evidence::EvidenceStore;
use rust_embed::RustEmbed;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::feed::Shared;
use crate::page;

/// The page moves at most this often.
const FASTEST: Duration = Duration::from_millis(500);
/// And at least this often, so that ages and the clock go on.
const SLOWEST: Duration = Duration::from_secs(2);

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

#[derive(Clone)]
struct Site {
    shared: Arc<Shared>,
    evidence: EvidenceStore,
    shutdown: CancellationToken,
}

pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    evidence: EvidenceStore,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let site = Site {
        shared,
        evidence,
        shutdown: shutdown.clone(),
    };
    let router = Router::new()
        .route("/", get(front))
        .route("/events", get(events))
        .route("/api/mines", get(mines))
        .route("/api/count-error", get(count_error))
        .route("/evidence/{alarm}", get(picture))
        .route("/assets/{name}", get(asset))
        .with_state(site);
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

async fn front(State(site): State<Site>) -> Response {
    let whole = page::whole(&site.shared.view(), now());
    match whole {
        Ok(text) => Html(text).into_response(),
        Err(error) => failure(&error),
    }
}

fn failure(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "a page could not be made");
    (StatusCode::INTERNAL_SERVER_ERROR, "页面生成失败，请查看日志").into_response()
}

async fn mines(State(site): State<Site>) -> Response {
    let text = serde_json::to_vec(&*site.shared.view());
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => failure(&error),
    }
}

/// What the last audit found of the count's errors, for whoever reads the counts.
async fn count_error() -> Response {
    match StatedError::newest() {
        Ok(stated) => axum::Json(stated).into_response(),
        Err(error) => failure(&error),
    }
}

async fn events(State(site): State<Site>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut version = site.shared.watch();
        loop {
            let text = page::part(&site.shared.view(), now());
            let Ok(text) = text else { return };
            // The receiver is gone when the page was closed.
            if sender
                .send(Ok(Event::default().event("mines").data(text)))
                .await
                .is_err()
            {
                return;
            }
            tokio::select! {
                () = site.shutdown.cancelled() => return,
                () = sleep(FASTEST) => {}
            }
            tokio::select! {
                () = site.shutdown.cancelled() => return,
                _ = timeout(SLOWEST, version.changed()) => {}
            }
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default())
}

async fn picture(State(site): State<Site>, Path(alarm): Path<Uuid>) -> Response {
    let object = site.shared.view().picture(alarm).map(str::to_owned);
    let Some(object) = object else {
        return (StatusCode::NOT_FOUND, "没有该报警的图片").into_response();
    };
    match site.evidence.get(&object).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response(),
        Err(error) => {
            tracing::warn!(%error, %alarm, "a picture cannot be read");
            (StatusCode::NOT_FOUND, "图片无法读取").into_response()
        }
    }
}

async fn asset(Path(name): Path<String>) -> Response {
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    };
    match Assets::get(&name) {
        Some(file) => (
            [(header::CONTENT_TYPE, HeaderValue::from_static(kind))],
            file.data.into_owned(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
