//! The same promises against a real S3 server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use mineseal_evidence::{EvidenceError, EvidenceStore};
use mineseal_settings::S3Settings;
use support::{KEY, Mood, SECRET, Server};

/// Two parts of an upload and a bit: as long as the clips of a camera of 8 Mb/s are.
fn clip() -> Vec<u8> {
    (0..20_000_000_u32)
        .map(|number| (number * 7 % 251) as u8)
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn what_was_put_can_be_got_and_is_never_overwritten() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path()).await;
    let open = |place: &str| server.store(place, keys.path(), SECRET).unwrap();
    let store = open("s3://evidence/site-1");
    store.check().await.unwrap();
    for (name, bytes) in [("picture.jpg", clip()[..300_000].to_vec()), ("clip.mp4", clip())] {
        let path = format!("m/2024/06/30/a/r-{name}");
        let stored = store.put(&path, bytes.clone()).await.unwrap();
        assert_eq!(stored.size, bytes.len() as u64);
        assert!(store.get(&path).await.unwrap() == bytes, "{name}");
        assert_eq!(store.put(&path, bytes.clone()).await.unwrap(), stored);
        let error = store.put(&path, b"other".to_vec()).await.unwrap_err();
        assert!(
            matches!(&error, EvidenceError::Conflict { found, .. } if *found == stored.sha256),
            "{error}"
        );
        // Another reader, such as the console, finds it; another prefix is another place.
        assert!(open("s3://evidence/site-1").get(&path).await.unwrap() == bytes);
        let elsewhere = open("s3://evidence");
        assert!(matches!(
            elsewhere.get(&path).await,
            Err(EvidenceError::Absent { .. })
        ));
        assert!(elsewhere.get(&format!("site-1/{path}")).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn what_is_no_evidence_may_be_replaced() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path()).await;
    let store = server.store("s3://evidence", keys.path(), SECRET).unwrap();
    for bytes in [b"one".to_vec(), b"two".to_vec()] {
        store.replace("views/m/c.cbor", bytes.clone()).await.unwrap();
        assert_eq!(store.get("views/m/c.cbor").await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn an_upload_that_fails_leaves_nothing() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path()).await;
    let store = server.store("s3://evidence", keys.path(), SECRET).unwrap();
    server.mood.send_replace(Mood::FailsAtTheSecondPart);
    let error = store.put("m/a/clip.mp4", clip()).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(*server.taken_back.borrow(), 1);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    // The same again succeeds.
    server.mood.send_replace(Mood::Well);
    store.put("m/a/clip.mp4", clip()).await.unwrap();
    assert!(store.get("m/a/clip.mp4").await.unwrap() == clip());
}

#[tokio::test]
async fn an_upload_that_is_broken_off_leaves_nothing() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path()).await;
    let store = server.store("s3://evidence", keys.path(), SECRET).unwrap();
    server.mood.send_replace(Mood::StandsAtTheSecondPart);
    let mut stands = server.refused.subscribe();
    tokio::select! {
        stored = store.put("m/a/clip.mp4", clip()) => panic!("{stored:?}"),
        _ = stands.wait_for(|paths| !paths.is_empty()) => {}
    }
    assert!(!files(folder.path()).is_empty(), "its first part lies there");
    let mut taken_back = server.taken_back.subscribe();
    taken_back.wait_for(|&count| count == 1).await.unwrap();
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    server.mood.send_replace(Mood::Well);
    assert!(matches!(
        store.get("m/a/clip.mp4").await,
        Err(EvidenceError::Absent { .. })
    ));
}

#[tokio::test]
async fn failures_say_what_where_and_how_to_mend_and_no_secret() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path()).await;
    let gone = {
        let other = Server::start(folder.path()).await;
        other.address.clone()
    };
    let unreachable = S3Settings {
        endpoint: gone.clone(),
        ..server.settings(keys.path(), SECRET)
    };
    let cases = [
        (
            server.store("s3://evidence", keys.path(), "gu3ssed-1!").unwrap(),
            vec![
                "s3://evidence",
                "refuses the access key",
                "secret_access_key_file",
                "s3:PutObject",
            ],
        ),
        (
            server.store("s3://no-such-bucket", keys.path(), SECRET).unwrap(),
            vec![
                "s3://no-such-bucket",
                &server.address,
                "no such bucket",
                "make it",
            ],
        ),
        (
            EvidenceStore::open_s3("s3://evidence", &unreachable, []).unwrap(),
            vec!["s3://evidence", &gone, "no answer", "evidence.s3.endpoint"],
        ),
    ];
    for (store, words) in cases {
        let check = store.check().await.expect_err(words[0]);
        let put = store.put("a/b.jpg", b"abc".to_vec()).await.unwrap_err();
        let get = store.get("a/b.jpg").await.unwrap_err();
        assert!(put.to_string().contains("a/b.jpg"), "{put}");
        for error in [check, put, get] {
            assert!(error.is_passing(), "{error}");
            let text = error.to_string();
            for word in &words {
                assert!(text.contains(word), "{word}: {text}");
            }
            let text = format!("{text} {error:?} {store:?}");
            assert!(!text.contains(SECRET) && !text.contains("gu3ssed"), "{text}");
        }
    }
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let right = S3Settings {
        endpoint: "https://127.0.0.1:1".to_owned(),
        access_key_id_file: file("id", "mineseal\n"),
        secret_access_key_file: file("secret", "s3cret/1\n"),
        ..S3Settings::default()
    };
    EvidenceStore::open_s3("s3://evidence", &right, []).unwrap();
    let cases = [
        ("s3://", right.clone(), "evidence.location"),
        ("s3://evidence/a//b", right.clone(), "evidence.location"),
        (
            "s3://evidence",
            S3Settings {
                access_key_id_file: PathBuf::new(),
                secret_access_key_file: PathBuf::new(),
                ..right.clone()
            },
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "s3://evidence",
            S3Settings {
                secret_access_key_file: folder.path().join("none"),
                ..right.clone()
            },
            "secret_access_key_file",
        ),
        (
            "s3://evidence",
            S3Settings {
                secret_access_key_file: file("two", "s3cret/1\ns3cret/2\n"),
                ..right.clone()
            },
            "one line",
        ),
        (
            "s3://evidence",
            S3Settings {
                ca_file: file("ca", "-----BEGIN CERTIFICATE-----\nnonsense\n"),
                ..right
            },
            "evidence.s3.ca_file",
        ),
    ];
    for (place, settings, word) in cases {
        let error = EvidenceStore::open_s3(place, &settings, []).unwrap_err();
        assert!(matches!(error, EvidenceError::Misconfigured { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(word) && !text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn the_key_may_stand_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let settings = S3Settings {
        endpoint: server.address.clone(),
        ..S3Settings::default()
    };
    let variables = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("BUCKET", "another"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let store = EvidenceStore::open_s3("s3://evidence", &settings, variables).unwrap();
    store.check().await.unwrap();
}
