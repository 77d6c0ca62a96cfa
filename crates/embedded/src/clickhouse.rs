//! One ClickHouse engine as a child process: the real server out of `libchdb.so`, spoken to over HTTP.

mod configuration;
mod install;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::supervise::{ChildProcess, ChildSpec, SuperviseError, file_end};

/// The release of the npm package that is fetched and run: ClickHouse 26.7.2.1.
pub const CLICKHOUSE_LIBRARY_VERSION: &str = "26.7.3-stable.1";

/// Names the program that loads the library, where it does not lie beside the running one.
const PROGRAM_VARIABLE: &str = "MINESEAL_CLICKHOUSE_ENGINE";

/// Names a `libchdb.so` to use as it is.
const LIBRARY_VARIABLE: &str = "CHDB_LIB";

const PROGRAM: &str = "mineseal-clickhouse-engine";

/// How to run the engine.
#[derive(Clone, Debug)]
pub struct ClickHouseNodeSettings {
    /// Where the library is kept, over many runs and for many engines.
    pub cache_folder: PathBuf,
    /// Where tables, configuration and logs lie.
    pub data_folder: PathBuf,
    /// Port for HTTP, on 127.0.0.1. A data folder keeps working when it changes.
    pub port: u16,
    /// Memory that the server may take for queries and caches, MiB; one query gets three fifths of it.
    pub memory_mebibytes: u32,
    /// A `libchdb.so` to use as it is. `None`: the one that the environment variable `CHDB_LIB` names, else the
    /// one in the cache folder, which is fetched with `npm` when it is not there.
    pub library: Option<PathBuf>,
    /// The program `mineseal-clickhouse-engine`. `None`: the one that the environment variable
    /// `MINESEAL_CLICKHOUSE_ENGINE` names, else the one beside the running program.
    pub program: Option<PathBuf>,
    /// How long it may take from the process's start to the first answer.
    pub start_timeout: Duration,
    /// How long it may take to stop before it is killed.
    pub stop_grace: Duration,
}

impl ClickHouseNodeSettings {
    /// Port 8123, 1,500 MiB, one minute to start, twenty seconds to stop.
    #[must_use]
    pub fn new(cache_folder: impl Into<PathBuf>, data_folder: impl Into<PathBuf>) -> Self {
        Self {
            cache_folder: cache_folder.into(),
            data_folder: data_folder.into(),
            port: 8123,
            memory_mebibytes: 1_500,
            library: None,
            program: None,
            start_timeout: Duration::from_secs(60),
            stop_grace: Duration::from_secs(20),
        }
    }
}

/// How far the start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickHouseProgress {
    /// The library is being fetched; this happens once per machine.
    Fetching,
    /// The library's checksum is being computed; this happens once per machine.
    Checking,
    /// The process was started.
    Starting,
    /// It answers.
    Ready,
}

impl fmt::Display for ClickHouseProgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fetching => "fetching the ClickHouse engine by its npm coordinates (once, 178 MB)",
            Self::Checking => "checking the ClickHouse engine's checksum (once)",
            Self::Starting => "starting ClickHouse",
            Self::Ready => "ClickHouse is ready",
        })
    }
}

/// What can go wrong with the engine.
#[derive(Debug, Error)]
pub enum ClickHouseNodeError {
    /// The engine's library exists for one platform only.
    #[error(
        "the embedded ClickHouse engine exists for x86-64 Linux with glibc only; run a ClickHouse server and set clickhouse.url to it"
    )]
    Platform,
    /// A named library is not there.
    #[error(
        "{LIBRARY_VARIABLE} names {path:?}, which is no file; correct it, or unset it to have the library fetched"
    )]
    LibraryAbsent {
        /// What was named.
        path: PathBuf,
    },
    /// The program that loads the library is not there.
    #[error(
        "the program {PROGRAM} was not found at {looked:?}; build it with `cargo build --release -p {PROGRAM}`, or name it in {PROGRAM_VARIABLE}"
    )]
    ProgramAbsent {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The library could not be fetched.
    #[error(
        "cannot fetch the ClickHouse engine {CLICKHOUSE_LIBRARY_VERSION}: {detail}\nWithout npm: name a libchdb.so in {LIBRARY_VARIABLE}, or set clickhouse.url to a ClickHouse server"
    )]
    Fetch {
        /// The command's last words, and what to do.
        detail: String,
    },
    /// What was fetched is not what was expected.
    #[error(
        "{file} was fetched with SHA-512 {found} where {expected} was expected; do not use it, and try again or ask who runs the npm registry"
    )]
    Damaged {
        /// Archive or library.
        file: String,
        /// Base64.
        expected: String,
        /// Base64.
        found: String,
    },
    /// Somebody listens there already.
    #[error(
        "port {port} on 127.0.0.1, wanted for ClickHouse, is taken; stop what listens there (`ss -ltnp | grep :{port}` names it) or choose another port"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The process ended before it was ready.
    #[error("ClickHouse ended with {status} while starting; its last words:\n{log}")]
    EndedEarly {
        /// How.
        status: ExitStatus,
        /// Its last lines.
        log: String,
    },
    /// It did not become ready.
    #[error("ClickHouse did not answer on 127.0.0.1:{port} within {waited:?}; its last words:\n{log}")]
    NotReady {
        /// The port.
        port: u16,
        /// How long we waited.
        waited: Duration,
        /// Its last lines.
        log: String,
    },
    /// No HTTP client could be made.
    #[error("cannot make an HTTP client to ask whether ClickHouse is ready")]
    Client(#[source] reqwest::Error),
    /// A file or folder could not be used.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The child process could not be handled.
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
}

/// A running engine.
#[derive(Debug)]
pub struct ClickHouseNode {
    settings: ClickHouseNodeSettings,
    child: ChildProcess,
}

impl ClickHouseNode {
    /// Fetches the library if it is not there, starts the process and waits until it answers.
    ///
    /// # Errors
    /// Each says what to do; see [`ClickHouseNodeError`].
    pub async fn start(
        settings: ClickHouseNodeSettings,
        progress: impl Fn(ClickHouseProgress) + Send + Sync,
    ) -> Result<Self, ClickHouseNodeError> {
        let io_error = |action| {
            let path = settings.data_folder.clone();
            move |source| ClickHouseNodeError::Io { action, path, source }
        };
        std::fs::create_dir_all(&settings.data_folder).map_err(io_error("create"))?;
        let data_folder = settings.data_folder.canonicalize().map_err(io_error("find"))?;
        let settings = ClickHouseNodeSettings {
            data_folder,
            ..settings
        };

        let program = find_program(settings.program.as_deref())?;
        let named = settings
            .library
            .clone()
            .or_else(|| std::env::var_os(LIBRARY_VARIABLE).map(PathBuf::from));
        let library = install::ensure_library(named.as_deref(), &settings.cache_folder, &progress).await?;
        configuration::write(&settings)?;
        progress(ClickHouseProgress::Starting);
        let mut child = start_child(&settings, program, &library).await?;
        wait_until_ready(&settings, &mut child).await?;
        progress(ClickHouseProgress::Ready);
        Ok(Self { settings, child })
    }

    /// What clients connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.settings.port)
    }

    /// The number of its process.
    #[must_use]
    pub fn process_number(&self) -> i32 {
        self.child.process_number()
    }

    /// Waits until the process ends by itself, which it should not.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub async fn ended(&mut self) -> Result<ExitStatus, ClickHouseNodeError> {
        Ok(self.child.wait().await?)
    }

    /// Runs until `shutdown`: an engine that ends by itself is started again on the same data, a little later
    /// each time it happens in a row.
    ///
    /// # Errors
    /// When the operating system cannot handle the child.
    pub async fn keep_running(mut self, shutdown: CancellationToken) -> Result<(), ClickHouseNodeError> {
        let mut pause = Duration::from_millis(500);
        loop {
            let began = Instant::now();
            tokio::select! {
                () = shutdown.cancelled() => return self.stop().await,
                status = self.ended() => {
                    let log = last_words(&self.settings, &self.child);
                    tracing::error!(status = %status?, log, "ClickHouse ended by itself, starting it again");
                }
            }
            if began.elapsed() > Duration::from_secs(300) {
                pause = Duration::from_millis(500);
            }
            let settings = self.settings.clone();
            // The lock on the data folder goes with the old child.
            drop(self);
            self = loop {
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(Duration::from_secs(60));
                match Self::start(settings.clone(), |_| {}).await {
                    Ok(node) => break node,
                    Err(error) => tracing::error!(%error, "ClickHouse does not start, trying again"),
                }
            };
        }
    }

    /// Stops it: the end of its standard input and SIGTERM, and SIGKILL after the grace period. What was
    /// acknowledged stays.
    ///
    /// # Errors
    /// When the operating system cannot handle the child.
    pub async fn stop(self) -> Result<(), ClickHouseNodeError> {
        self.child.stop(self.settings.stop_grace).await?;
        Ok(())
    }
}

fn find_program(named: Option<&Path>) -> Result<PathBuf, ClickHouseNodeError> {
    let named = named
        .map(Path::to_owned)
        .or_else(|| std::env::var_os(PROGRAM_VARIABLE).map(PathBuf::from));
    let looked = match named {
        Some(path) => vec![path],
        None => beside_us(),
    };
    let found = looked.iter().find(|path| path.is_file()).cloned();
    found.ok_or(ClickHouseNodeError::ProgramAbsent { looked })
}

/// The folder of the running program, and the one above: cargo puts test programs into `deps`.
fn beside_us() -> Vec<PathBuf> {
    let running = std::env::current_exe().unwrap_or_default();
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(PROGRAM))
        .collect()
}

async fn start_child(
    settings: &ClickHouseNodeSettings,
    program: PathBuf,
    library: &Path,
) -> Result<ChildProcess, ClickHouseNodeError> {
    let arguments: Vec<OsString> = vec![
        "--library".into(),
        library.into(),
        "--data".into(),
        configuration::tables_path(settings).into(),
        "--http-port".into(),
        settings.port.to_string().into(),
        "--config-file".into(),
        configuration::path(settings).into(),
    ];
    let spec = ChildSpec {
        name: "clickhouse",
        program,
        remedy: "build it with `cargo build --release -p mineseal-clickhouse-engine`",
        arguments,
        environment: Vec::new(),
        data_folder: settings.data_folder.clone(),
        hold_stdin: true,
    };
    let child = ChildProcess::prepare(spec).await?;
    // Only now: an orphan of ours on this port has just been stopped.
    if TcpListener::bind(("127.0.0.1", settings.port)).is_err() {
        return Err(ClickHouseNodeError::PortTaken { port: settings.port });
    }
    Ok(child.spawn()?)
}

async fn wait_until_ready(
    settings: &ClickHouseNodeSettings,
    child: &mut ChildProcess,
) -> Result<(), ClickHouseNodeError> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        .build();
    let client = client.map_err(ClickHouseNodeError::Client)?;
    let url = format!("http://127.0.0.1:{}/ping", settings.port);
    let began = Instant::now();
    while began.elapsed() < settings.start_timeout {
        if let Some(status) = child.ended()? {
            return Err(ClickHouseNodeError::EndedEarly {
                status,
                log: last_words(settings, child),
            });
        }
        if client
            .get(&url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            tracing::info!(took = ?began.elapsed(), port = settings.port, "ClickHouse is ready");
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(ClickHouseNodeError::NotReady {
        port: settings.port,
        waited: began.elapsed(),
        log: last_words(settings, child),
    })
}

fn last_words(settings: &ClickHouseNodeSettings, child: &ChildProcess) -> String {
    let log = file_end(&configuration::log_path(settings), 3_000);
    format!("{log}\n{}", child.last_output()).trim().to_owned()
}
