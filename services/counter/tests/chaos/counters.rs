//! The counters as processes of their own, and what is done to them.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mineseal_counter::{CounterSettings, run};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::common::{bus_at, settings};

const DRAINS_WITHIN: Duration = Duration::from_secs(60);

/// The process that the tests start: counts with the engine until its standard input ends.
pub(crate) async fn counter_process() {
    let Ok(prefix) = std::env::var("COUNTER_PREFIX") else {
        return;
    };
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let bus = bus_at(&std::env::var("COUNTER_BROKERS").unwrap(), &prefix);
    let instance = std::env::var("COUNTER_INSTANCE").ok();
    let shutdown = CancellationToken::new();
    let ended = shutdown.clone();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        ended.cancel();
    });
    let settings = CounterSettings {
        commit_interval: CounterSettings::default().commit_interval,
        max_records: CounterSettings::default().max_records,
        ..settings(instance.as_deref())
    };
    run(settings, bus, shutdown).await.unwrap();
}

pub(crate) struct Counter {
    brokers: String,
    prefix: String,
    /// Its place in the group survives a restart.
    instance: Option<&'static str>,
    log: PathBuf,
    child: Option<Child>,
    /// Times that it ended by itself, which it never may.
    pub(crate) fell: u32,
}

impl Counter {
    pub(crate) fn new(
        brokers: &str,
        prefix: &str,
        instance: Option<&'static str>,
        folder: &Path,
        number: usize,
    ) -> Self {
        Self {
            brokers: brokers.to_owned(),
            prefix: prefix.to_owned(),
            instance,
            log: folder.join(format!("counter-{number}.log")),
            child: None,
            fell: 0,
        }
    }

    /// Starts it if it does not run.
    pub(crate) fn start(&mut self) {
        if let Some(child) = &mut self.child {
            match child.try_wait().unwrap() {
                None => return,
                Some(status) => {
                    println!("a counter ended by itself: {status}; {}", self.log.display());
                    self.fell += 1;
                }
            }
        }
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "counter_process", "--nocapture"])
            .env("COUNTER_BROKERS", &self.brokers)
            .env("COUNTER_PREFIX", &self.prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(instance) = self.instance {
            command.env("COUNTER_INSTANCE", instance);
        }
        self.child = Some(command.spawn().unwrap());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it stand still, or go on.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let process = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            kill_process(process, signal).unwrap();
        }
    }

    /// Lets it drain and leave the group. True when it did in time.
    pub(crate) async fn leave(&mut self) -> bool {
        let Some(mut child) = self.child.take() else {
            return true;
        };
        drop(child.stdin.take());
        let began = Instant::now();
        while began.elapsed() < DRAINS_WITHIN {
            if let Some(status) = child.try_wait().unwrap() {
                self.fell += u32::from(!status.success());
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        false
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.kill();
    }
}
