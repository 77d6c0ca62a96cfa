use miette::Diagnostic;
use thiserror::Error;

/// Exit code for a wrong configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: i32 = 64;

/// Something in the configuration is wrong.
#[derive(Debug, Error, Diagnostic)]
pub enum SettingsProblem {
    /// A file cannot be read.
    #[error("cannot read {file}: {cause}")]
    #[diagnostic(
        code(mineseal::config::unreadable),
        help("check the path and its permissions")
    )]
    Unreadable {
        /// Path as given.
        file: String,
        /// The system's words.
        cause: String,
    },
    /// A file is not TOML, or a value in it does not fit; the message shows line and column.
    #[error("{file}, {key}: {what}")]
    #[diagnostic(code(mineseal::config::value))]
    Value {
        /// File, or environment variable.
        file: String,
        /// Path of the key, such as `inference.workers`.
        key: String,
        /// What is wrong.
        what: String,
        /// How to mend it.
        #[help]
        help: String,
    },
}

impl SettingsProblem {
    pub(crate) fn value(
        file: impl Into<String>,
        key: impl Into<String>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Value {
            file: file.into(),
            key: key.into(),
            what: what.into(),
            help: help.into(),
        }
    }
}
