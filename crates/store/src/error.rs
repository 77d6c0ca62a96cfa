use clickhouse::error::Error as ClientError;
use thiserror::Error;

/// What can go wrong with the store. None of it loses what was stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The settings cannot be used.
    #[error("clickhouse.{key} is {value:?}: {detail}")]
    Settings {
        /// The key in the section `[clickhouse]`.
        key: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong, and what is right.
        detail: &'static str,
    },
    /// Nobody answers.
    #[error(
        "ClickHouse at {url} cannot be reached: {detail}; is it running, and is clickhouse.url right? `curl {url}/ping` must answer Ok."
    )]
    Unreachable {
        /// As configured.
        url: String,
        /// What the connection said.
        detail: String,
    },
    /// The server does not let us in.
    #[error(
        "ClickHouse at {url} refuses user {user:?}: wrong user or password; mend clickhouse.user and clickhouse.password_file"
    )]
    Refused {
        /// As configured.
        url: String,
        /// As configured.
        user: String,
    },
    /// The user may not do what is needed.
    #[error(
        "ClickHouse at {url}: user {user:?} may not do this; grant it all on the database {database:?}: {detail}"
    )]
    Forbidden {
        /// As configured.
        url: String,
        /// As configured.
        user: String,
        /// As configured.
        database: String,
        /// What the server said.
        detail: String,
    },
    /// Database or table are not there.
    #[error(
        "ClickHouse at {url} has no database {database:?} with this product's tables; the clickhouse-sink makes it when it starts: {detail}"
    )]
    NotMigrated {
        /// As configured.
        url: String,
        /// As configured.
        database: String,
        /// What the server said.
        detail: String,
    },
    /// A newer build has been here.
    #[error(
        "database {database:?} is at version {found}, made by a newer build; this one knows versions up to {known}: start the newer build, or another database"
    )]
    Newer {
        /// As configured.
        database: String,
        /// The newest migration in the database.
        found: u32,
        /// The newest one of this build.
        known: u32,
    },
    /// What was applied is not what this build would apply.
    #[error(
        "migration {version} ({name}) of database {database:?} was applied with other text than this build has; use the build that made the database, or another database"
    )]
    Changed {
        /// As configured.
        database: String,
        /// Its number.
        version: u32,
        /// Its name.
        name: String,
    },
    /// A migration failed. It can be applied again.
    #[error("migration {version} ({name}) failed at `{statement}`")]
    Migration {
        /// Its number.
        version: u32,
        /// Its name.
        name: String,
        /// First line of the statement.
        statement: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// The server is there and cannot serve now.
    #[error("ClickHouse at {url} cannot do it now: {detail}")]
    Busy {
        /// As configured.
        url: String,
        /// What the server said.
        detail: String,
    },
    /// Rows were acknowledged and are not there.
    #[error(
        "ClickHouse at {url} acknowledged {rows} rows of table {table} again and again, and does not have them"
    )]
    Forgotten {
        /// As configured.
        url: String,
        /// The table.
        table: &'static str,
        /// How many.
        rows: usize,
    },
    /// Anything else.
    #[error("ClickHouse at {url}: {source}")]
    Client {
        /// As configured.
        url: String,
        /// What the client library says.
        source: ClientError,
    },
}

impl StoreError {
    /// Whether the same call may succeed later with nothing changed on our side.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Forgotten { .. } => true,
            Self::Migration { source, .. } => source.is_passing(),
            _ => false,
        }
    }
}

/// The number in `Code: 516. DB::Exception: ...`.
pub(crate) fn exception_code(message: &str) -> Option<u32> {
    let rest = &message[message.find("Code: ")? + 6..];
    let digits = rest
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Codes of the server that mean: later. Timeouts, too many queries or parts, no memory, no disk space, read-only
/// tables, shutting down, network trouble behind the server.
pub(crate) const PASSING_CODES: [u32; 17] = [
    3, 74, 76, 159, 160, 198, 202, 209, 210, 236, 241, 242, 243, 252, 279, 394, 999,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_servers_code() {
        assert_eq!(
            exception_code("Code: 516. DB::Exception: default: ..."),
            Some(516)
        );
        assert_eq!(exception_code("x Code: 60"), Some(60));
        assert_eq!(exception_code("no code"), None);
        assert_eq!(exception_code("Code: x"), None);
    }
}
