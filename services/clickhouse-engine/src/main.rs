//! Runs the real ClickHouse HTTP server out of `libchdb.so`, the npm package `@chdb/lib-linux-x64-gnu`.
//!
//! The server lives for as long as somebody holds the other end of standard input open: when the parent is gone,
//! the pipe ends and so does the server. SIGTERM ends it too. Exit code 0 means that it was ended; anything else
//! comes with one message on standard error.

mod checks;
mod library;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

/// The second statement waits for the end of standard input: that is what keeps the server alive.
const SERVE_UNTIL_STDIN_ENDS: &str =
    "SYSTEM START LISTEN HTTP; SELECT count() FROM file('-', 'LineAsString', 'line String')";

#[derive(Parser)]
#[command(version, about = "The ClickHouse HTTP server, run until standard input ends")]
struct Arguments {
    /// Path of libchdb.so.
    #[arg(long, env = "CHDB_LIB")]
    library: PathBuf,
    /// Folder for tables and rows; created when it is absent. One engine at a time.
    #[arg(long)]
    data: PathBuf,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on.
    #[arg(long, default_value_t = 8123)]
    http_port: u16,
    /// Server configuration: limits, users, log files.
    #[arg(long)]
    config_file: Option<PathBuf>,
    /// What is logged. The level of the configuration file is not honoured in this mode of the engine.
    #[arg(long, default_value = "warning")]
    log_level: String,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads it where standard error is closed, and nothing can be done about that.
            writeln!(io::stderr(), "{error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // `SYSTEM SHUTDOWN` signals the whole process group: it must not be our parent's. This fails where we lead a
    // group already, and then there is nothing to do.
    rustix::process::setsid().ok();

    checks::library(&arguments.library)?;
    checks::data_folder(&arguments.data)?;
    if let Some(file) = &arguments.config_file {
        checks::configuration(file)?;
    }
    checks::listening_address(arguments.host, arguments.http_port)?;

    let engine = library::Engine::load(&arguments.library)?;
    writeln!(
        io::stderr(),
        "libchdb {} at http://{}:{}",
        engine.version(),
        arguments.host,
        arguments.http_port
    )?;
    let answer = engine.run(&command_line(arguments))?;
    // The engine reports some failures on standard error only, with no error and no rows in the answer.
    ensure!(
        !answer.trim().is_empty(),
        "the engine ended without serving; its own message stands above and in its log file"
    );
    Ok(())
}

fn command_line(arguments: &Arguments) -> Vec<String> {
    let mut line: Vec<String> = vec![
        "clickhouse".into(),
        "--path".into(),
        arguments.data.to_string_lossy().into_owned(),
        "--listen_host".into(),
        arguments.host.to_string(),
        "--http_port".into(),
        arguments.http_port.to_string(),
        "--log-level".into(),
        arguments.log_level.clone(),
    ];
    if let Some(file) = &arguments.config_file {
        line.extend(["--config-file".into(), file.to_string_lossy().into_owned()]);
    }
    line.extend(["--query".into(), SERVE_UNTIL_STDIN_ENDS.into()]);
    line
}
