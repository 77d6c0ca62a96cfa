//! A child process that owns a data folder: both embedded engines are run through this.
//!
//! The rules, each learnt from a failure:
//! - The child leads a process group of its own, so that a Ctrl-C on the terminal reaches only us, and we stop it
//!   in our own order; and so that an engine that signals its whole group cannot take us with it.
//! - A lock in the data folder keeps a second supervisor away. It is held by us, not by the child: after a
//!   `kill -9` of the supervisor it is free again, while the child may live on as an orphan.
//! - A pid file names that orphan; the next start stops it before it starts its own.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use thiserror::Error;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long an orphan of an earlier run gets to stop by itself.
const ORPHAN_GRACE: Duration = Duration::from_secs(20);

/// What can go wrong around a child process.
#[derive(Debug, Error)]
pub enum SuperviseError {
    /// The program is not on this machine.
    #[error("{name} needs the program {program:?}, which was not found; {remedy}")]
    ProgramAbsent {
        /// The engine.
        name: &'static str,
        /// What was looked for.
        program: PathBuf,
        /// How to get it.
        remedy: &'static str,
    },
    /// Another living process of ours runs on the same data folder.
    #[error(
        "{name} is already run from {folder:?} by another mineseal process; stop that one first, or choose another data folder"
    )]
    DataFolderInUse {
        /// The engine.
        name: &'static str,
        /// The folder.
        folder: PathBuf,
    },
    /// The child of an earlier run does not go away.
    #[error(
        "{name} of an earlier run still lives as process {pid} and does not stop; end it with `kill -9 {pid}`"
    )]
    OrphanStays {
        /// The engine.
        name: &'static str,
        /// The process.
        pid: i32,
    },
    /// The operating system refused something.
    #[error("{name}: cannot {action} {path:?}")]
    Io {
        /// The engine.
        name: &'static str,
        /// What was tried.
        action: &'static str,
        /// With which file or program.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What to start.
#[derive(Debug)]
pub struct ChildSpec {
    /// For messages and file names, such as `kafka`.
    pub name: &'static str,
    /// The program, by path or by name.
    pub program: PathBuf,
    /// What to do when the program is absent, as half a sentence.
    pub remedy: &'static str,
    /// Its arguments. The data folder must stand in one of them: it is how an orphan is told from a stranger
    /// that got the same process number.
    pub arguments: Vec<OsString>,
    /// Environment variables beyond our own.
    pub environment: Vec<(OsString, OsString)>,
    /// An existing folder, absolute. Lock, pid file and output lie in it.
    pub data_folder: PathBuf,
    /// Give the child a pipe as standard input and keep it open for as long as it shall live.
    pub hold_stdin: bool,
}

/// Everything is in place for the child: we hold the lock, and no orphan lives.
#[derive(Debug)]
pub struct PreparedChild {
    spec: ChildSpec,
    lock: File,
}

/// A running child. Dropping it kills the child; [`ChildProcess::stop`] is the gentle way.
#[derive(Debug)]
pub struct ChildProcess {
    name: &'static str,
    child: Child,
    pid: Pid,
    stdin: Option<ChildStdin>,
    data_folder: PathBuf,
    _lock: File,
}

impl PreparedChild {
    /// Starts the child.
    ///
    /// # Errors
    /// When the program is absent or does not start.
    pub fn spawn(self) -> Result<ChildProcess, SuperviseError> {
        let Self { spec, lock } = self;
        let name = spec.name;
        let output_path = output_path(name, &spec.data_folder);
        let output = OpenOptions::new().create(true).append(true).open(&output_path);
        let output = output.map_err(|source| io_error(name, "open", &output_path, source))?;
        let errors = output
            .try_clone()
            .map_err(|source| io_error(name, "open", &output_path, source))?;
        let mut command = Command::new(&spec.program);
        command
            .args(&spec.arguments)
            .envs(spec.environment)
            .current_dir(&spec.data_folder)
            .stdin(if spec.hold_stdin {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SuperviseError::ProgramAbsent {
                name,
                program: spec.program.clone(),
                remedy: spec.remedy,
            },
            _ => io_error(name, "start", &spec.program, source),
        })?;
        let number = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let Some(pid) = number else {
            return Err(io_error(
                name,
                "start",
                &spec.program,
                io::Error::other("it ended at once"),
            ));
        };
        let pid_path = pid_path(name, &spec.data_folder);
        fs::write(&pid_path, pid.as_raw_pid().to_string())
            .map_err(|source| io_error(name, "write", &pid_path, source))?;
        let stdin = child.stdin.take();
        Ok(ChildProcess {
            name,
            child,
            pid,
            stdin,
            data_folder: spec.data_folder,
            _lock: lock,
        })
    }
}

impl ChildProcess {
    /// Takes the data folder's lock, stops an orphan of an earlier run, and starts the child.
    ///
    /// # Errors
    /// See [`SuperviseError`].
    pub async fn start(spec: ChildSpec) -> Result<Self, SuperviseError> {
        Self::prepare(spec).await?.spawn()
    }

    /// The first half of [`ChildProcess::start`], for checks that only make sense once an orphan is gone.
    ///
    /// # Errors
    /// See [`SuperviseError`].
    pub async fn prepare(spec: ChildSpec) -> Result<PreparedChild, SuperviseError> {
        let lock = take_lock(spec.name, &spec.data_folder)?;
        clear_orphan(spec.name, &spec.data_folder).await?;
        Ok(PreparedChild { spec, lock })
    }

    /// Its process number.
    #[must_use]
    pub fn process_number(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, SuperviseError> {
        self.child
            .try_wait()
            .map_err(|source| io_error(self.name, "wait for", &self.data_folder, source))
    }

    /// Waits until it ends by itself. Can be dropped and called again.
    pub async fn wait(&mut self) -> Result<ExitStatus, SuperviseError> {
        self.child
            .wait()
            .await
            .map_err(|source| io_error(self.name, "wait for", &self.data_folder, source))
    }

    /// Closes its standard input, asks it to end with SIGTERM, and after `grace` kills its whole group.
    pub async fn stop(mut self, grace: Duration) -> Result<ExitStatus, SuperviseError> {
        drop(self.stdin.take());
        if self.ended()?.is_none() {
            // The child may end between the question and the signal: that is what we want anyway.
            kill_process(self.pid, Signal::TERM).ok();
        }
        let status = match timeout(grace, self.wait()).await {
            Ok(status) => status?,
            Err(_) => {
                tracing::warn!(engine = self.name, ?grace, "did not stop in time, killing it");
                kill_process_group(self.pid, Signal::KILL).ok();
                self.wait().await?
            }
        };
        fs::remove_file(pid_path(self.name, &self.data_folder)).ok();
        Ok(status)
    }

    /// The end of what it wrote to standard output and standard error.
    #[must_use]
    pub fn last_output(&self) -> String {
        file_end(&output_path(self.name, &self.data_folder), 2_000)
    }
}

/// The last `bytes` of a text file, from a line's start; empty when it cannot be read.
pub(crate) fn file_end(path: &Path, bytes: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(bytes);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let text = String::from_utf8_lossy(&tail).into_owned();
        let cut = if start > 0 {
            text.find('\n').map_or(0, |line_end| line_end + 1)
        } else {
            0
        };
        Ok(text[cut..].trim_end().to_owned())
    };
    read().unwrap_or_default()
}

fn take_lock(name: &'static str, folder: &Path) -> Result<File, SuperviseError> {
    let path = folder.join(format!("{name}.lock"));
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let lock = opened.map_err(|source| io_error(name, "open", &path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(SuperviseError::DataFolderInUse {
            name,
            folder: folder.to_owned(),
        }),
        Err(fs::TryLockError::Error(source)) => Err(io_error(name, "lock", &path, source)),
    }
}

/// Stops the child that an earlier supervisor left behind when it was killed.
async fn clear_orphan(name: &'static str, folder: &Path) -> Result<(), SuperviseError> {
    let Ok(text) = fs::read_to_string(pid_path(name, folder)) else {
        return Ok(());
    };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let Some(orphan) = ProcessFacts::of(pid).filter(|_| runs_on(pid, folder)) else {
        return Ok(());
    };
    tracing::warn!(
        engine = name,
        pid = pid.as_raw_pid(),
        "stopping what an earlier run left behind"
    );
    for (signal, grace) in [
        (Signal::TERM, ORPHAN_GRACE),
        (Signal::KILL, Duration::from_secs(5)),
    ] {
        kill_process_group(pid, signal).ok();
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if orphan.is_gone(pid) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    Err(SuperviseError::OrphanStays {
        name,
        pid: pid.as_raw_pid(),
    })
}

/// Whether a live process has this number and names the folder on its command line. A zombie's is empty.
fn runs_on(pid: Pid, folder: &Path) -> bool {
    let command_line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
    let wanted = folder.as_os_str().as_bytes();
    command_line
        .windows(wanted.len().max(1))
        .any(|part| part == wanted)
}

/// What `/proc/PID/stat` says of a process.
struct ProcessFacts {
    state: char,
    threads: u64,
    /// Ticks after the machine's start: tells a process from a later one with the same number.
    started: u64,
}

impl ProcessFacts {
    fn of(pid: Pid) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        // The name of the program stands in brackets and may hold anything; the state is field 3 of the line.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            threads: fields.get(17)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether nothing is left of it but a number that nobody has asked for: only then its locks are free. A process
    /// that ends loses its command line long before.
    fn is_gone(&self, pid: Pid) -> bool {
        Self::of(pid).is_none_or(|now| {
            now.started != self.started || (matches!(now.state, 'Z' | 'X') && now.threads <= 1)
        })
    }
}

fn pid_path(name: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{name}.pid"))
}

fn output_path(name: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{name}.output"))
}

fn io_error(name: &'static str, action: &'static str, path: &Path, source: io::Error) -> SuperviseError {
    SuperviseError::Io {
        name,
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path, script: &str) -> ChildSpec {
        ChildSpec {
            name: "sleeper",
            program: "/bin/sh".into(),
            remedy: "install a shell",
            arguments: vec!["-c".into(), script.into(), folder.as_os_str().to_owned()],
            environment: Vec::new(),
            data_folder: folder.to_owned(),
            hold_stdin: false,
        }
    }

    /// A regression: a process that ends has lost its command line while it still holds its locks.
    #[test]
    fn a_process_is_gone_when_nothing_of_it_runs_any_more() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        let facts = ProcessFacts::of(pid).unwrap();
        assert!(!facts.is_gone(pid));
        let of_another = ProcessFacts {
            started: facts.started + 1,
            ..ProcessFacts::of(pid).unwrap()
        };
        assert!(of_another.is_gone(pid), "the number went to another process");
        child.kill().unwrap();
        // Not waited for: it stays a zombie, which holds nothing.
        while !facts.is_gone(pid) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(facts.is_gone(pid));
    }

    #[tokio::test]
    async fn stops_gently_and_then_hard() {
        let folder = tempfile::tempdir().unwrap();
        let gentle = ChildProcess::start(sleeper(folder.path(), "sleep 60"))
            .await
            .unwrap();
        let began = Instant::now();
        gentle.stop(Duration::from_secs(10)).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));

        let script = "trap '' TERM; while :; do sleep 0.1; done";
        let deaf = ChildProcess::start(sleeper(folder.path(), script)).await.unwrap();
        sleep(Duration::from_millis(300)).await;
        let status = deaf.stop(Duration::from_millis(300)).await.unwrap();
        assert!(!status.success());
        assert!(!pid_path("sleeper", folder.path()).exists());
    }

    #[tokio::test]
    async fn a_second_supervisor_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = ChildProcess::start(sleeper(folder.path(), "sleep 60"))
            .await
            .unwrap();
        let second = ChildProcess::start(sleeper(folder.path(), "sleep 60")).await;
        assert!(
            matches!(second, Err(SuperviseError::DataFolderInUse { .. })),
            "{second:?}"
        );
    }

    #[tokio::test]
    async fn an_orphan_is_stopped_and_a_stranger_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        // What a killed supervisor leaves: a live child, its pid file, and a free lock.
        let mut orphan = std::process::Command::new("/bin/sh");
        std::os::unix::process::CommandExt::process_group(&mut orphan, 0);
        let mut orphan = orphan
            .args(["-c", "sleep 60; true"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        fs::write(pid_path("sleeper", folder.path()), orphan.id().to_string()).unwrap();
        // The command line appears a moment after the start.
        let pid = Pid::from_raw(orphan.id().try_into().unwrap()).unwrap();
        while !runs_on(pid, folder.path()) {
            sleep(Duration::from_millis(10)).await;
        }
        let next = ChildProcess::start(sleeper(folder.path(), "sleep 60"))
            .await
            .unwrap();
        assert!(
            !orphan.wait().unwrap().success(),
            "the orphan was not ended by a signal"
        );
        next.stop(Duration::from_secs(5)).await.unwrap();

        // A process number that now belongs to somebody else: ourselves.
        fs::write(pid_path("sleeper", folder.path()), std::process::id().to_string()).unwrap();
        let next = ChildProcess::start(sleeper(folder.path(), "sleep 60"))
            .await
            .unwrap();
        next.stop(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn an_absent_program_says_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = sleeper(folder.path(), "");
        spec.program = "no-such-program".into();
        let message = ChildProcess::start(spec).await.unwrap_err().to_string();
        assert!(
            message.contains("no-such-program") && message.contains("install a shell"),
            "{message}"
        );
    }
}
