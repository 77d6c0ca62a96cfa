mod camera;
mod config;
mod count;
mod detect;
mod distil;
mod down;
mod explain;
mod headcount;
mod mines;
mod positioning;
mod prepare;
mod reach;
mod replay;
mod scene;
mod status;
mod track;
mod train;
mod up;
mod weights;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use mineseal_settings::{Settings, load};

use crate::cli::{Cli, Command};

/// How long work on blocking threads that nobody waits for may take to end.
const ABANDONED: Duration = Duration::from_secs(2);

/// An error for the person at the terminal.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) fn dispatch(cli: Cli) -> Result<(), Failure> {
    let settings = || -> Result<Settings, Failure> {
        let mut settings = load(cli.config.as_deref(), std::env::vars())?;
        if let Some(data) = &cli.data {
            settings.data_directory.clone_from(data);
        }
        if settings.data_directory.as_os_str().is_empty() {
            settings.data_directory = PathBuf::from(".mineseal");
        }
        Ok(settings)
    };
    match cli.command {
        Command::Up(arguments) => up::run(settings()?, arguments.mines.as_deref()),
        Command::Down => down::run(&settings()?),
        Command::Status => status::run(settings()?),
        Command::Prepare => prepare::run(&settings()?),
        Command::Count(arguments) => count::run(&arguments),
        Command::Detect(arguments) => detect::run(&arguments),
        Command::Track(arguments) => track::run(&arguments),
        Command::Mines(command) => mines::run(settings()?, &command),
        Command::Camera(command) => camera::run(settings()?, &command),
        Command::Config(command) => config::run(settings, &command),
        Command::Replay(arguments) => replay::run(settings()?, &arguments),
        Command::Explain(arguments) => explain::run(settings()?, &arguments),
        Command::Headcount(command) => headcount::run(settings()?, command),
        Command::Positioning(arguments) => positioning::run(settings()?, &arguments),
        Command::Scene(command) => scene::run(&command),
        Command::Weights(command) => weights::run(command),
        Command::Train(arguments) => train::run(&arguments),
        Command::Distil(arguments) => distil::run(&arguments),
    }
}

/// Runs `work` on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A scene that is still being rendered for nobody is left behind.
    runtime.shutdown_timeout(ABANDONED);
    result
}
