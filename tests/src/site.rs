use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Expected, Tally, free_port};

/// Which Kafka and which ClickHouse a site uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engines {
    /// Those that `make test` started, under a prefix and a database of the site's own.
    Shared,
    /// Its own, started by `mineseal up`.
    Own,
}

/// One installation: a data folder, ports, and the running program.
pub struct Site {
    folder: TempDir,
    settings: Vec<(String, String)>,
    /// Host and port of the console.
    pub console: String,
    /// Host and port of health and metrics.
    pub health: String,
    clickhouse: String,
    database: String,
    child: Option<Child>,
    starts: u32,
}

/// The built program, beside the running one: a test, which lies one folder deeper, or a program.
///
/// # Errors
/// It was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not built beside {}: use `make test`", own.display()))
}

impl Site {
    /// Prepares one; nothing runs yet.
    ///
    /// # Errors
    /// The shared engines are wanted and `make test` did not start them.
    pub fn new(engines: Engines) -> Result<Self> {
        let folder = TempDir::new()?;
        let console = format!("127.0.0.1:{}", free_port()?);
        let health = format!("127.0.0.1:{}", free_port()?);
        let name = format!("site{}", Uuid::now_v7().simple());
        let mut settings = vec![
            ("MINESEAL_CONSOLE__LISTEN".to_owned(), console.clone()),
            ("MINESEAL_TELEMETRY__LISTEN".to_owned(), health.clone()),
            ("MINESEAL_KAFKA__TOPIC_PREFIX".to_owned(), name.clone()),
            ("MINESEAL_KAFKA__PARTITIONS".to_owned(), "3".to_owned()),
            ("MINESEAL_CLICKHOUSE__DATABASE".to_owned(), name.clone()),
        ];
        let clickhouse = match engines {
            Engines::Shared => {
                let variable = |name: &str| {
                    std::env::var(name).map_err(|_| anyhow!("set {name} (make test starts one)"))
                };
                let url = variable("MINESEAL_TEST_CLICKHOUSE")?;
                settings.push(("KAFKA_BROKERS".to_owned(), variable("MINESEAL_TEST_KAFKA")?));
                settings.push(("CLICKHOUSE_URL".to_owned(), url.clone()));
                url
            }
            Engines::Own => {
                // The port after Kafka's is its controller's.
                let (mut kafka, mut controller) = (free_port()?, free_port()?);
                while controller != kafka + 1 {
                    (kafka, controller) = (controller, free_port()?);
                }
                let port = free_port()?;
                settings.push(("MINESEAL_KAFKA__EMBEDDED_PORT".to_owned(), kafka.to_string()));
                settings.push(("MINESEAL_CLICKHOUSE__EMBEDDED_PORT".to_owned(), port.to_string()));
                format!("http://127.0.0.1:{port}")
            }
        };
        Ok(Self {
            folder,
            settings,
            console,
            health,
            clickhouse,
            database: name,
            child: None,
            starts: 0,
        })
    }

    /// Sets one more variable for the program.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Folder for the test's own files.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with the site's settings and these arguments.
    ///
    /// # Errors
    /// It was not built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program("mineseal")?);
        command
            .arg("--data")
            .arg(self.path("data"))
            .args(arguments)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env_remove("MINESEAL_CONFIG")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Starts `mineseal up` on a file of mines; without one, the demo.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(&mut self, mines: Option<&Path>) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.path(&format!("log-{}", self.starts)))?;
        let mut command = self.command(&["up"])?;
        if let Some(mines) = mines {
            command.arg("--mines").arg(mines);
        }
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    /// Ends it as a power cut would: SIGKILL, nothing is told.
    ///
    /// # Errors
    /// Nothing runs.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("nothing runs")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Process number of the running program.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Ends it as Ctrl-C does, and waits.
    ///
    /// # Errors
    /// Nothing runs, or it does not end within a minute.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("nothing runs")?;
        let process = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("no process number")?;
        kill_process(process, Signal::TERM)?;
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if began.elapsed() > Duration::from_secs(60) {
                child.kill()?;
                bail!("it did not drain within a minute:\n{}", self.log());
            }
            pause(Duration::from_millis(100));
        }
    }

    /// The end of what it wrote since the last start.
    #[must_use]
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.path(&format!("log-{}", self.starts))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Waits until every service is ready.
    ///
    /// # Errors
    /// It ended, or is not ready in time.
    pub async fn until_ready(&mut self, deadline: Duration) -> Result<()> {
        let url = format!("http://{}/readyz", self.health);
        let began = Instant::now();
        while began.elapsed() < deadline {
            if let Ok(answer) = reqwest::get(&url).await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("it ended with {status}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("not ready after {deadline:?}:\n{}", self.log())
    }

    /// Rows of a query, one array of strings each.
    ///
    /// # Errors
    /// The engine does not answer, or does not know what is asked.
    pub async fn query(&self, query: &str) -> Result<Vec<Vec<String>>> {
        let url = format!("{}/?database={}", self.clickhouse, self.database);
        let client = reqwest::Client::new();
        let answer = client
            .post(url)
            .body(format!("{query} FORMAT TabSeparated"))
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{query}: {text}");
        }
        Ok(text
            .lines()
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect())
    }

    /// Crossings in ClickHouse, by camera.
    ///
    /// # Errors
    /// As [`Site::query`].
    pub async fn crossings(&self) -> Result<Expected> {
        let rows = self
            .query("SELECT camera, countIf(direction = 'in'), countIf(direction = 'out') FROM crossings GROUP BY camera")
            .await?;
        rows.into_iter()
            .map(|row| match row.as_slice() {
                [camera, entered, left] => Ok((
                    camera.clone(),
                    Tally {
                        entered: entered.parse()?,
                        left: left.parse()?,
                    },
                )),
                _ => bail!("{row:?}"),
            })
            .collect()
    }

    /// Waits until ClickHouse holds `expected`, and then a while longer, so that a doubled row would be seen.
    ///
    /// # Errors
    /// Something else stands there at the deadline, or after the while.
    pub async fn until_counted(&self, expected: &Expected, deadline: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let counted = self.crossings().await;
            if counted.as_ref().is_ok_and(|counted| counted == expected) {
                break;
            }
            if began.elapsed() > deadline {
                bail!("expected {expected:?}, counted {counted:?}\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let counted = self.crossings().await?;
        if counted != *expected {
            bail!(
                "expected {expected:?}, counted {counted:?} in the end\n{}",
                self.log()
            );
        }
        Ok(())
    }

    /// The page of metrics.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String> {
        Ok(reqwest::get(format!("http://{}/metrics", self.health))
            .await?
            .text()
            .await?)
    }

    /// What the console shows, as JSON.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn shown(&self) -> Result<Value> {
        Ok(reqwest::get(format!("http://{}/api/mines", self.console))
            .await?
            .json()
            .await?)
    }
}

/// Waits, where nothing signals the change.
pub(crate) fn pause(time: Duration) {
    let (_keep, nothing) = std::sync::mpsc::channel::<()>();
    // Nothing is ever sent: this ends by its timeout.
    nothing.recv_timeout(time).ok();
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A test that failed: what it started must not outlive it. SIGTERM lets it stop its engines.
            if let Some(process) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                kill_process(process, Signal::TERM).ok();
            }
            for _ in 0..300 {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    return;
                }
                pause(Duration::from_millis(100));
            }
            child.kill().ok();
            child.wait().ok();
        }
    }
}
