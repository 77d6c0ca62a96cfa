//! One Apache Kafka node (KRaft: broker and controller in one process) as a child process.

mod install;
mod predecessor;
mod properties;
mod readiness;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::supervise::{ChildProcess, ChildSpec, SuperviseError, file_end};

/// The release that is fetched and run.
pub const KAFKA_VERSION: &str = "4.4.0";

const JAVA_REMEDY: &str = "install Java 17 with `apt-get install -y default-jre-headless`";

/// A further door for clients, on 127.0.0.1, that tells them another port than its own: for a proxy that stands
/// between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KafkaListener {
    /// Where the node listens.
    pub port: u16,
    /// Where it says that it is to be found.
    pub advertised_port: u16,
}

/// The cluster that a node is one of. All its nodes are brokers and controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaCluster {
    /// Number of this node, from 1.
    pub node: i32,
    /// Number and controller port of every node, this one among them.
    pub nodes: Vec<(i32, u16)>,
    /// The same for all of them, and another one for each cluster.
    pub identity: Uuid,
}

/// How to run the node.
#[derive(Clone, Debug)]
pub struct KafkaNodeSettings {
    /// Where the jars are kept, over many runs and for many nodes.
    pub cache_folder: PathBuf,
    /// Where the log segments lie. Everything that was acknowledged is here.
    pub data_folder: PathBuf,
    /// Port for clients, on 127.0.0.1. A data folder keeps working when it changes.
    pub port: u16,
    /// Port that the controller listens on, on 127.0.0.1. A data folder keeps working when it changes.
    pub controller_port: u16,
    /// Largest Java heap, MiB. The process takes about 200 MiB more.
    pub heap_mebibytes: u32,
    /// How long it may take from the process's start to the first answer that names a leader. A start after a
    /// crash with gigabytes of log takes longer than a clean one.
    pub start_timeout: Duration,
    /// How long it may take to stop before it is killed.
    pub stop_grace: Duration,
    /// Doors beside `port`; the node tells clients that come through one of them that one's advertised port. All
    /// nodes of a cluster need the same number of them.
    pub more_listeners: Vec<KafkaListener>,
    /// None for a node that is alone. In a cluster of three every inner topic has three copies, of which two must
    /// be written. A node is ready only when most of the cluster's nodes are: start them together.
    pub cluster: Option<KafkaCluster>,
}

impl KafkaNodeSettings {
    /// Port 9092, controller on 19093, 512 MiB of heap, two minutes to start, thirty seconds to stop.
    #[must_use]
    pub fn new(cache_folder: impl Into<PathBuf>, data_folder: impl Into<PathBuf>) -> Self {
        Self {
            cache_folder: cache_folder.into(),
            data_folder: data_folder.into(),
            port: 9092,
            controller_port: 19093,
            heap_mebibytes: 512,
            start_timeout: Duration::from_secs(120),
            stop_grace: Duration::from_secs(30),
            more_listeners: Vec::new(),
            cluster: None,
        }
    }
}

/// How far the start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaProgress {
    /// The jars are being fetched; this happens once per machine.
    Fetching,
    /// The data folder is being prepared; this happens once per data folder.
    Formatting,
    /// The controller alone takes the leadership from the node's earlier life; at every start but the first.
    Fencing,
    /// The process was started.
    Starting,
    /// It answers, and every partition has a leader.
    Ready,
}

impl fmt::Display for KafkaProgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fetching => "fetching Apache Kafka by its Maven coordinates (once, 43 MB)",
            Self::Formatting => "preparing Kafka's data folder (once)",
            Self::Fencing => "taking over from Kafka's earlier run",
            Self::Starting => "starting Kafka",
            Self::Ready => "Kafka is ready",
        })
    }
}

/// What can go wrong with the node.
#[derive(Debug, Error)]
pub enum KafkaNodeError {
    /// Somebody listens there already.
    #[error(
        "port {port} on 127.0.0.1, wanted for Kafka's {role}, is taken; stop what listens there (`ss -ltnp | grep :{port}` names it) or choose another port"
    )]
    PortTaken {
        /// `clients` or `controller`.
        role: &'static str,
        /// The port.
        port: u16,
    },
    /// Maven did not bring the jars.
    #[error("cannot fetch Apache Kafka {KAFKA_VERSION} with Maven: {detail}")]
    Fetch {
        /// The command's last words, and what to do.
        detail: String,
    },
    /// The data folder could not be prepared.
    #[error("cannot format Kafka's data folder {folder:?}: {detail}")]
    Format {
        /// The folder.
        folder: PathBuf,
        /// The tool's last words.
        detail: String,
    },
    /// The process ended before it was ready.
    #[error("Kafka ended with {status} while starting; the end of its log:\n{log}")]
    EndedEarly {
        /// How.
        status: ExitStatus,
        /// Its last lines.
        log: String,
    },
    /// It did not become ready.
    #[error("Kafka did not answer on 127.0.0.1:{port} within {waited:?}; the end of its log:\n{log}")]
    NotReady {
        /// The port for clients.
        port: u16,
        /// How long we waited.
        waited: Duration,
        /// Its last lines.
        log: String,
    },
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

impl KafkaNodeError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// A running node.
#[derive(Debug)]
pub struct KafkaNode {
    settings: KafkaNodeSettings,
    child: ChildProcess,
}

impl KafkaNode {
    /// Fetches the jars if they are not there, prepares the data folder if it is new, starts the process and
    /// waits until every partition has a leader.
    ///
    /// # Errors
    /// Each says what to do; see [`KafkaNodeError`].
    pub async fn start(
        settings: KafkaNodeSettings,
        progress: impl Fn(KafkaProgress) + Send + Sync,
    ) -> Result<Self, KafkaNodeError> {
        let folder = settings.data_folder.clone();
        std::fs::create_dir_all(&folder).map_err(|source| KafkaNodeError::io("create", &folder, source))?;
        let folder = folder
            .canonicalize()
            .map_err(|source| KafkaNodeError::io("find", &folder, source))?;
        let settings = KafkaNodeSettings {
            data_folder: folder,
            ..settings
        };

        let jars = install::ensure_jars(&settings.cache_folder, &progress).await?;
        properties::write(&settings)?;
        format_once(&settings, &jars, &progress).await?;
        predecessor::fence(&settings, &jars, &progress).await?;
        progress(KafkaProgress::Starting);
        let mut child = start_child(&settings, &jars).await?;
        wait_until_ready(&settings, &mut child).await?;
        progress(KafkaProgress::Ready);
        Ok(Self { settings, child })
    }

    /// What clients connect to: host and port.
    #[must_use]
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.settings.port)
    }

    /// The number of the Java process.
    #[must_use]
    pub fn process_number(&self) -> i32 {
        self.child.process_number()
    }

    /// Waits until the process ends by itself, which it should not.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub async fn ended(&mut self) -> Result<ExitStatus, KafkaNodeError> {
        Ok(self.child.wait().await?)
    }

    /// Runs until `shutdown`: a node that ends by itself is started again on the same data, a little later each
    /// time it happens in a row.
    ///
    /// # Errors
    /// When the operating system cannot handle the child.
    pub async fn keep_running(mut self, shutdown: CancellationToken) -> Result<(), KafkaNodeError> {
        let mut pause = Duration::from_secs(1);
        loop {
            let began = Instant::now();
            tokio::select! {
                () = shutdown.cancelled() => return self.stop().await,
                status = self.ended() => {
                    let log = log_end(&self.settings, &self.child);
                    tracing::error!(status = %status?, log, "Kafka ended by itself, starting it again");
                }
            }
            if began.elapsed() > Duration::from_secs(300) {
                pause = Duration::from_secs(1);
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
                    Err(error) => tracing::error!(%error, "Kafka does not start, trying again"),
                }
            };
        }
    }

    /// Stops it: SIGTERM, and SIGKILL after the grace period. What was acknowledged stays.
    ///
    /// # Errors
    /// When the operating system cannot handle the child.
    pub async fn stop(self) -> Result<(), KafkaNodeError> {
        self.child.stop(self.settings.stop_grace).await?;
        Ok(())
    }
}

/// Gives the data folder its cluster's identity. A cut run is finished by the next one.
async fn format_once(
    settings: &KafkaNodeSettings,
    jars: &Path,
    progress: &(impl Fn(KafkaProgress) + Send + Sync),
) -> Result<(), KafkaNodeError> {
    if settings.data_folder.join("log/meta.properties").exists() {
        return Ok(());
    }
    progress(KafkaProgress::Formatting);
    let identity = settings
        .cluster
        .as_ref()
        .map_or_else(Uuid::now_v7, |cluster| cluster.identity);
    let cluster = URL_SAFE_NO_PAD.encode(identity.as_bytes());
    let mut command = Command::new("java");
    command
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(class_path(jars))
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            "-t",
            &cluster,
            "-c",
        ])
        .arg(properties::path(settings))
        .kill_on_drop(true);
    let output = command.output().await.map_err(java_error)?;
    if !output.status.success() {
        let detail = format!(
            "{} {}",
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        return Err(KafkaNodeError::Format {
            folder: settings.data_folder.clone(),
            detail,
        });
    }
    Ok(())
}

async fn start_child(settings: &KafkaNodeSettings, jars: &Path) -> Result<ChildProcess, KafkaNodeError> {
    let arguments = node_arguments(
        settings,
        jars,
        &properties::log_settings_path(settings),
        &properties::path(settings),
    );
    spawn(settings, arguments).await
}

/// Stops an orphan of ours, looks whether the ports are free, and starts the process.
async fn spawn(
    settings: &KafkaNodeSettings,
    arguments: Vec<OsString>,
) -> Result<ChildProcess, KafkaNodeError> {
    let child = ChildProcess::prepare(spec(settings, arguments)).await?;
    // Only now: an orphan of ours on these ports has just been stopped.
    refuse_taken_port("clients", settings.port)?;
    refuse_taken_port("controller", settings.controller_port)?;
    Ok(child.spawn()?)
}

fn node_arguments(
    settings: &KafkaNodeSettings,
    jars: &Path,
    log_settings: &Path,
    properties: &Path,
) -> Vec<OsString> {
    vec![
        "-Xms64m".into(),
        format!("-Xmx{}m", settings.heap_mebibytes).into(),
        "-XX:+UseSerialGC".into(),
        "-XX:+ExitOnOutOfMemoryError".into(),
        "-Djava.awt.headless=true".into(),
        format!("-Dlog4j2.configurationFile=file:{}", log_settings.display()).into(),
        "-cp".into(),
        class_path(jars),
        "kafka.Kafka".into(),
        properties.into(),
    ]
}

fn spec(settings: &KafkaNodeSettings, arguments: Vec<OsString>) -> ChildSpec {
    ChildSpec {
        name: "kafka",
        program: "java".into(),
        remedy: JAVA_REMEDY,
        arguments,
        environment: Vec::new(),
        data_folder: settings.data_folder.clone(),
        hold_stdin: false,
    }
}

async fn wait_until_ready(
    settings: &KafkaNodeSettings,
    child: &mut ChildProcess,
) -> Result<(), KafkaNodeError> {
    let began = Instant::now();
    let deadline = began + settings.start_timeout;
    let probe = readiness::Probe::new(settings.port);
    while Instant::now() < deadline {
        if let Some(status) = child.ended()? {
            return Err(KafkaNodeError::EndedEarly {
                status,
                log: log_end(settings, child),
            });
        }
        if probe.every_partition_has_a_leader().await {
            tracing::info!(took = ?began.elapsed(), port = settings.port, "Kafka is ready");
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(KafkaNodeError::NotReady {
        port: settings.port,
        waited: began.elapsed(),
        log: log_end(settings, child),
    })
}

fn log_end(settings: &KafkaNodeSettings, child: &ChildProcess) -> String {
    let log = file_end(&properties::log_path(settings), 3_000);
    format!("{log}\n{}", child.last_output()).trim().to_owned()
}

fn class_path(jars: &Path) -> OsString {
    jars.join("*").into_os_string()
}

fn refuse_taken_port(role: &'static str, port: u16) -> Result<(), KafkaNodeError> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(_) => Err(KafkaNodeError::PortTaken { role, port }),
    }
}

fn java_error(source: io::Error) -> KafkaNodeError {
    match source.kind() {
        io::ErrorKind::NotFound => SuperviseError::ProgramAbsent {
            name: "kafka",
            program: "java".into(),
            remedy: JAVA_REMEDY,
        }
        .into(),
        _ => KafkaNodeError::io("start", Path::new("java"), source),
    }
}
