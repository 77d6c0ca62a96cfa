//! The same promises against a real S3 server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use mineseal_evidence::{EvidenceError, EvidenceStore};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const KEY: &str = "mineseal";
const SECRET: &str = "s3cret/1";
const BUCKET: &str = "evidence";

/// A server that keeps its buckets in a folder and asks for signed requests.
struct Server {
    address: String,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
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
        Self { address, task }
    }

    fn store(&self, place: &str, secret: &str) -> EvidenceStore {
        let variables = [
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT", &self.address),
            ("AWS_ALLOW_HTTP", "true"),
            ("BUCKET", "another"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        EvidenceStore::open_s3(place, variables).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn what_was_put_can_be_got_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let store = server.store("s3://evidence/site-1", SECRET);
    // Larger than what one packet or one buffer holds, as clips are.
    let clip: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number * 7 % 251) as u8)
        .collect();
    let path = "m/2024/06/30/a/r-clip.mp4";
    let stored = store.put(path, clip.clone()).await.unwrap();
    assert_eq!(stored.size, 3_000_000);
    assert_eq!(store.get(path).await.unwrap(), clip);
    assert_eq!(store.put(path, clip.clone()).await.unwrap(), stored);
    let error = store.put(path, b"other".to_vec()).await.unwrap_err();
    assert!(
        matches!(&error, EvidenceError::Conflict { found, .. } if *found == stored.sha256),
        "{error}"
    );
    assert_eq!(store.get(path).await.unwrap(), clip);
    // Another reader, such as the console, finds it; another prefix is another place.
    assert_eq!(
        server
            .store("s3://evidence/site-1", SECRET)
            .get(path)
            .await
            .unwrap(),
        clip
    );
    let elsewhere = server.store("s3://evidence", SECRET);
    assert!(matches!(
        elsewhere.get(path).await,
        Err(EvidenceError::Absent { .. })
    ));
    assert_eq!(elsewhere.get(&format!("site-1/{path}")).await.unwrap(), clip);
}

#[tokio::test]
async fn what_is_no_evidence_may_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let store = server.store("s3://evidence", SECRET);
    for bytes in [b"one".to_vec(), b"two".to_vec()] {
        store.replace("views/m/c.cbor", bytes.clone()).await.unwrap();
        assert_eq!(store.get("views/m/c.cbor").await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn failures_say_what_and_where_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    for store in [
        server.store("s3://evidence", "gu3ssed-1"),
        server.store("s3://no-such-bucket", SECRET),
    ] {
        let error = store.put("a/b.jpg", b"abc".to_vec()).await.unwrap_err();
        assert!(matches!(error, EvidenceError::Store { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("a/b.jpg"), "{text}");
        assert!(!text.contains(SECRET) && !text.contains("gu3ssed-1"), "{text}");
    }
    let error = EvidenceStore::open_s3("s3://", []).unwrap_err();
    assert!(matches!(error, EvidenceError::Misconfigured { .. }), "{error}");
}
