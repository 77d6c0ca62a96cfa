use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder of everything that `mineseal up` keeps on this machine; locked while it runs.
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

const PROCESS_FILE: &str = "mineseal.pid";

impl DataDirectory {
    /// Creates it where it is absent and takes its lock.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| unwritable(path))?;
        let path = fs::canonicalize(path).with_context(|| unwritable(path))?;
        let file = path.join(PROCESS_FILE);
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&file)
            .with_context(|| unwritable(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "mineseal already runs in {} (process {}); `mineseal down` stops it, or choose another folder with --data",
                path.display(),
                running(&path).map_or("unknown".to_owned(), |process| process.to_string()),
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| unwritable(&path)),
        }
        lock.set_len(0).with_context(|| unwritable(&path))?;
        write!(lock, "{}", std::process::id()).with_context(|| unwritable(&path))?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Process number of the `mineseal up` that holds the folder's lock, if one does.
pub(crate) fn running(path: &Path) -> Option<i32> {
    let file = File::open(path.join(PROCESS_FILE)).ok()?;
    if file.try_lock_shared().is_ok() {
        return None;
    }
    let mut text = String::new();
    (&file).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn unwritable(path: &Path) -> String {
    format!(
        "cannot write to the data folder {}; choose another one with --data or data_directory",
        path.display()
    )
}
