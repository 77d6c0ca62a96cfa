use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::PlatformError;

/// How the stand-in platform behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Takes everything that is well formed.
    #[default]
    Accept,
    /// Refuses everything with HTTP 400 and a reason.
    Refuse,
    /// Takes the request and never answers.
    Stall,
    /// Answers HTTP 503.
    Unavailable,
    /// Answers HTTP 401 although the token is right.
    Unauthorised,
}

/// One object that reached the stand-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Path of the call.
    pub path: String,
    /// The object, one of the array's; pictures are shortened to their length.
    pub body: Value,
}

#[derive(Debug, Default)]
struct Inner {
    behaviour: Behaviour,
    received: Vec<Received>,
    record: Option<PathBuf>,
}

/// What is kept in memory; all of it is in the record file.
const KEPT: usize = 10_000;

/// A platform on this machine that speaks the interface of `domain.md` 4.4, checks what it is told, and writes
/// it down. It stands in for the real one in the demo and in tests.
#[derive(Clone, Debug)]
pub struct StandIn {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

impl StandIn {
    /// Listens on `address` until `shutdown`; with `record`, appends each object as a line of JSON.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(
        address: SocketAddr,
        record: Option<PathBuf>,
        shutdown: CancellationToken,
    ) -> Result<Self, PlatformError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|cause| PlatformError::Network {
                what: format!("listen on {address} for the stand-in platform"),
                cause: cause.to_string(),
            })?;
        let address = listener.local_addr().unwrap_or(address);
        let inner = Arc::new(Mutex::new(Inner {
            record,
            ..Inner::default()
        }));
        let router = Router::new()
            .route("/coal/oauth2/client_token", post(grant))
            .route("/coal/mine/ai/{call}", post(take))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router)
                .with_graceful_shutdown(shutdown.cancelled_owned())
                .await
            {
                tracing::error!(%error, "the stand-in platform broke off");
            }
        });
        Ok(Self { inner, address })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Base URL for an adapter.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/coal", self.address)
    }

    /// Behaves so from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.inner().behaviour = behaviour;
    }

    /// What was taken so far, oldest first; the last ten thousand.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.inner().received.clone()
    }
}

#[derive(Deserialize)]
struct Grant {
    client_id: String,
    client_secret: String,
    scope: String,
}

async fn grant(Form(asked): Form<Grant>) -> Response {
    if asked.scope != "mine" || asked.client_id.is_empty() || asked.client_secret.is_empty() {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "code": 401, "msg": "无效的客户端" })),
        )
            .into_response();
    }
    Json(json!({ "access_token": format!("token-of-{}", asked.client_id), "token_type": "bearer" }))
        .into_response()
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, uri: Uri, Json(body): Json<Value>) -> Response {
    let behaviour = inner.lock().unwrap_or_else(PoisonError::into_inner).behaviour;
    match behaviour {
        Behaviour::Accept => {}
        Behaviour::Refuse => return answer(StatusCode::BAD_REQUEST, 400, "拒绝接收"),
        Behaviour::Unavailable => return answer(StatusCode::SERVICE_UNAVAILABLE, 503, "暂不可用"),
        Behaviour::Unauthorised => return answer(StatusCode::UNAUTHORIZED, 401, "未授权"),
        Behaviour::Stall => std::future::pending::<()>().await,
    }
    let Value::Array(objects) = body else {
        return answer(StatusCode::BAD_REQUEST, 400, "请求体必须为数组");
    };
    for object in &objects {
        let mine = object.get("mineCode").and_then(Value::as_str).unwrap_or_default();
        if mine.len() != 12 || !mine.bytes().all(|byte| byte.is_ascii_digit()) {
            return answer(StatusCode::BAD_REQUEST, 400, "mineCode 必须为 12 位数字");
        }
        if object
            .get("cameraCode")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            return answer(StatusCode::BAD_REQUEST, 400, "缺少 cameraCode");
        }
    }
    let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
    for body in objects {
        let received = Received {
            path: uri.path().trim_start_matches("/coal").to_owned(),
            body: shortened(body),
        };
        if let Some(record) = &inner.record
            && let Err(error) = append(record, &received)
        {
            tracing::error!(%error, file = %record.display(), "the stand-in platform cannot write what it took");
            return answer(StatusCode::INTERNAL_SERVER_ERROR, 500, "无法保存");
        }
        inner.received.push(received);
    }
    let surplus = inner.received.len().saturating_sub(KEPT);
    inner.received.drain(..surplus);
    answer(StatusCode::OK, 200, "操作成功")
}

fn answer(status: StatusCode, code: u16, text: &str) -> Response {
    (status, Json(json!({ "code": code, "msg": text }))).into_response()
}

fn shortened(mut body: Value) -> Value {
    if let Some(Value::Array(pictures)) = body.get_mut("imagesBase64") {
        for picture in pictures {
            *picture = json!(format!("{} characters", picture.as_str().map_or(0, str::len)));
        }
    }
    body
}

fn append(path: &PathBuf, received: &Received) -> std::io::Result<()> {
    let mut line = serde_json::to_string(received)?;
    line.push('\n');
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(line.as_bytes())
}
