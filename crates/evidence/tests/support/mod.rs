//! A real S3 server, s3s with its folders, that can be told to be away, to fail or to stand still.
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::future::{Future, pending};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use mineseal_evidence::{EvidenceError, EvidenceStore};
use mineseal_settings::S3Settings;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const KEY: &str = "mineseal";
pub(crate) const SECRET: &str = "s3cret/1";
pub(crate) const BUCKET: &str = "evidence";

/// What the server does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Answers nothing but 503.
    Away,
    /// Answers the second part of an upload with 503.
    FailsAtTheSecondPart,
    /// Never answers the second part of an upload.
    StandsAtTheSecondPart,
}

/// A server that keeps its buckets in a folder and asks for signed requests.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) mood: Arc<watch::Sender<Mood>>,
    /// Paths of the requests that were answered with 503 or not at all.
    pub(crate) refused: Arc<watch::Sender<Vec<String>>>,
    /// Uploads that were taken back.
    pub(crate) taken_back: Arc<watch::Sender<usize>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = Moody {
            folder: folder.to_owned(),
            inner: builder.build(),
            mood: Arc::new(watch::Sender::new(Mood::Well)),
            refused: Arc::default(),
            taken_back: Arc::default(),
        };
        let (mood, refused, taken_back) = (
            Arc::clone(&service.mood),
            Arc::clone(&service.refused),
            Arc::clone(&service.taken_back),
        );
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // A client may hang up.
                    server.serve_connection(TokioIo::new(socket), service).await.ok();
                });
            }
        });
        Self {
            address,
            mood,
            refused,
            taken_back,
            task,
        }
    }

    /// The server's settings, with the key in files of `folder`.
    pub(crate) fn settings(&self, folder: &Path, secret: &str) -> S3Settings {
        std::fs::create_dir_all(folder).unwrap();
        let (id, half) = (folder.join("id"), folder.join(format!("half-{}", secret.len())));
        std::fs::write(&id, format!("{KEY}\n")).unwrap();
        std::fs::write(&half, format!("{secret}\n")).unwrap();
        S3Settings {
            endpoint: self.address.clone(),
            access_key_id_file: id,
            secret_access_key_file: half,
            ..S3Settings::default()
        }
    }

    pub(crate) fn store(
        &self,
        place: &str,
        folder: &Path,
        secret: &str,
    ) -> Result<EvidenceStore, EvidenceError> {
        EvidenceStore::open_s3(place, &self.settings(folder, secret), [])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Moody {
    folder: PathBuf,
    inner: S3Service,
    mood: Arc<watch::Sender<Mood>>,
    refused: Arc<watch::Sender<Vec<String>>>,
    taken_back: Arc<watch::Sender<usize>>,
}

impl hyper::service::Service<Request<Incoming>> for Moody {
    type Response = HttpResponse;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let second = query.contains("partNumber=2");
        let takes_back = request.method() == Method::DELETE && query.contains("uploadId=");
        let mood = *self.mood.borrow();
        if mood == Mood::Away || (second && mood != Mood::Well) {
            let path = request.uri().path().to_owned();
            self.refused.send_modify(|paths| paths.push(path));
            return Box::pin(async move {
                if mood == Mood::StandsAtTheSecondPart {
                    pending::<()>().await;
                }
                let mut response = HttpResponse::new(Body::empty());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                Ok(response)
            });
        }
        // s3s-fs makes a bucket by writing to it. Amazon's server and others answer so:
        let bucket = request.uri().path().split('/').nth(1).unwrap_or_default();
        if !self.folder.join(bucket).is_dir() {
            let text = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
            let mut response = HttpResponse::new(Body::from(text.to_owned()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Box::pin(async move { Ok(response) });
        }
        let (answer, taken_back) = (
            hyper::service::Service::call(&self.inner, request),
            Arc::clone(&self.taken_back),
        );
        Box::pin(async move {
            let answer = answer.await;
            if takes_back {
                taken_back.send_modify(|count| *count += 1);
            }
            answer
        })
    }
}
