//! Configuration: a TOML file, then the environment, then flags. A wrong value names the file or the variable,
//! the key, what is wrong and how to mend it, before anything starts.

mod load;
mod mines;
mod problem;
mod sections;

pub use load::{EnvironmentVariable, Settings, load, schema};
pub use mines::{MinesFile, RegisteredMines, load_mines, parse_mines};
pub use problem::{EXIT_USAGE, SettingsProblem};
pub use sections::{
    ClickhouseSettings, ConsoleSettings, CounterSettings, EvidenceSettings, ExtractorSettings,
    ForwarderSettings, InferenceSettings, KafkaSettings, LogFormat, PlatformKind, PlatformSettings,
    S3Settings, SinkSettings, TelemetrySettings,
};
