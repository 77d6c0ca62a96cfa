//! What is looked at before the engine is loaded, so that the message says what to do.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::net::{IpAddr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// The library is a file.
pub(crate) fn library(path: &Path) -> Result<()> {
    ensure!(
        path.is_file(),
        "there is no ClickHouse library at {}; `npm pack @chdb/lib-linux-x64-gnu@26.7.3-stable.1` brings the \
         archive that holds libchdb.so",
        path.display()
    );
    Ok(())
}

/// The file is there: the engine would start without it and say nothing.
pub(crate) fn configuration(path: &Path) -> Result<()> {
    File::open(path).with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    Ok(())
}

/// The folder can be written to, and no other engine has it.
pub(crate) fn data_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the data folder {}", folder.display()))?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    File::create(&probe).with_context(|| {
        format!(
            "the data folder {} is not writable for this user; change its owner",
            folder.display()
        )
    })?;
    fs::remove_file(&probe).with_context(|| format!("cannot remove {}", probe.display()))?;

    // The engine locks this file for as long as it runs.
    let status = folder.join("status");
    if !status.exists() {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(&status).with_context(|| {
        format!(
            "cannot open {}; change the owner of the data folder",
            status.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&status).unwrap_or_default();
            let holder = holder.lines().next().unwrap_or("PID: unknown").to_owned();
            bail!(
                "another engine runs on the data folder {} ({holder}); stop it or take another folder",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", status.display()))
        }
    }
}

/// Nobody listens there.
pub(crate) fn listening_address(host: IpAddr, port: u16) -> Result<()> {
    match TcpListener::bind((host, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "port {port} on {host} is taken; stop what listens there (`ss -ltnp | grep :{port}` names it) or \
             choose another port"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {host}:{port}")),
    }
}
