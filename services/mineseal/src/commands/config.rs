use mineseal_settings::{Settings, load_mines, schema};

use crate::cli::ConfigCommand;
use crate::commands::Failure;
use crate::output::line;

pub(crate) fn run(
    settings: impl FnOnce() -> Result<Settings, Failure>,
    command: &ConfigCommand,
) -> Result<(), Failure> {
    match command {
        ConfigCommand::Schema => line(serde_json::to_string_pretty(&schema())?)?,
        ConfigCommand::Show => line(toml::to_string(&settings()?)?)?,
        ConfigCommand::Check { mines } => {
            settings()?;
            line("configuration: good")?;
            if let Some(file) = mines {
                let registered = load_mines(file, super::mines::now(), "config check")?;
                line(format!(
                    "{}: good, {} mines, {} cameras",
                    file.display(),
                    registered.mines.len(),
                    registered.cameras.len()
                ))?;
            }
        }
    }
    Ok(())
}
