//! Objects come whole or not at all, and are never overwritten.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mineseal_evidence::{EvidenceError, EvidenceStore};
use mineseal_settings::S3Settings;

fn open(place: &str) -> Result<EvidenceStore, EvidenceError> {
    EvidenceStore::open(place, &S3Settings::default())
}

#[tokio::test]
async fn what_was_put_can_be_got() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new/evidence");
    for place in [
        place.to_str().unwrap().to_owned(),
        format!("file://{}", place.display()),
    ] {
        let store = open(&place).unwrap();
        let stored = store
            .put("m/2024/06/30/a/r-picture.jpg", b"abc".to_vec())
            .await
            .unwrap();
        assert_eq!(stored.size, 3);
        assert_eq!(
            stored.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(store.get("m/2024/06/30/a/r-picture.jpg").await.unwrap(), b"abc");
    }
    assert_eq!(
        fs::read(place.join("m/2024/06/30/a/r-picture.jpg")).unwrap(),
        b"abc"
    );
    let files: Vec<_> = fs::read_dir(&place)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["m"], "no trial file is left");
}

#[tokio::test]
async fn evidence_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_str().unwrap()).unwrap();
    let first = store.put("a/b.jpg", b"abc".to_vec()).await.unwrap();
    assert_eq!(store.put("a/b.jpg", b"abc".to_vec()).await.unwrap(), first);
    let error = store.put("a/b.jpg", b"other".to_vec()).await.unwrap_err();
    assert!(
        matches!(&error, EvidenceError::Conflict { found, .. } if *found == first.sha256),
        "{error}"
    );
    assert_eq!(store.get("a/b.jpg").await.unwrap(), b"abc");
}

#[tokio::test]
async fn failures_say_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().to_str().unwrap()).unwrap();
    assert!(matches!(
        store.get("a/none.jpg").await,
        Err(EvidenceError::Absent { .. })
    ));
    assert!(matches!(
        store.put("../out.jpg", vec![1]).await,
        Err(EvidenceError::BadPath { .. })
    ));
    assert!(matches!(
        open("ftp://host/evidence"),
        Err(EvidenceError::Unsupported { .. })
    ));

    // A folder whose parent is a file can be made by nobody, whatever his rights.
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = open(file.join("evidence").to_str().unwrap()).unwrap_err();
    assert!(matches!(error, EvidenceError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("file/evidence"), "{error}");

    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let writable_all_the_same = fs::write(closed.join("trial"), b"").is_ok();
    let opened = open(closed.to_str().unwrap());
    assert_eq!(
        opened.is_ok(),
        writable_all_the_same,
        "only the superuser may write there"
    );
}
