use std::fmt;

use clickhouse::Client;
use clickhouse::error::Error as ClientError;
use clickhouse::sql::Identifier;

use crate::error::{PASSING_CODES, StoreError, exception_code};

/// Where the store is.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// HTTP URL of the server, such as `http://127.0.0.1:8123`.
    pub url: String,
    /// The database: letters, digits and underscores.
    pub database: String,
    /// User.
    pub user: String,
    /// Password; empty for none.
    pub password: String,
}

impl StoreSettings {
    /// The database `mineseal` at `url`, as user `default` without a password.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            database: "mineseal".to_owned(),
            user: "default".to_owned(),
            password: String::new(),
        }
    }
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreSettings")
            .field("url", &self.url)
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A database of a ClickHouse server. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    settings: StoreSettings,
}

impl Store {
    /// Checks the settings and asks the server for a sign of life. The database need not be there yet.
    ///
    /// # Errors
    /// When the settings are wrong, the server is away, or it does not let us in.
    pub async fn connect(settings: StoreSettings) -> Result<Self, StoreError> {
        if !settings.url.starts_with("http://") {
            return Err(StoreError::Settings {
                key: "url",
                value: settings.url,
                detail: "an HTTP URL such as http://127.0.0.1:8123 is needed",
            });
        }
        let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if settings.database.is_empty() || !settings.database.chars().all(is_plain) {
            return Err(StoreError::Settings {
                key: "database",
                value: settings.database,
                detail: "letters, digits and underscores only",
            });
        }
        let client = Client::default()
            .with_url(settings.url.trim_end_matches('/'))
            .with_user(&settings.user)
            .with_password(&settings.password)
            .with_product_info("mineseal", env!("CARGO_PKG_VERSION"));
        let store = Self { client, settings };
        store
            .client
            .query("SELECT 1")
            .execute()
            .await
            .map_err(|error| store.error(error))?;
        let client = store.client.clone().with_database(&store.settings.database);
        Ok(Self {
            client,
            settings: store.settings,
        })
    }

    /// As given.
    #[must_use]
    pub fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// Creates the database if it is not there.
    pub(crate) async fn create_database(&self) -> Result<(), StoreError> {
        // The database named in the request would have to exist.
        let client = Client::default()
            .with_url(self.settings.url.trim_end_matches('/'))
            .with_user(&self.settings.user)
            .with_password(&self.settings.password);
        let exists: u64 = client
            .query("SELECT count() FROM system.databases WHERE name = ?")
            .bind(&self.settings.database)
            .fetch_one()
            .await
            .map_err(|error| self.error(error))?;
        if exists > 0 {
            return Ok(());
        }
        let create = client
            .query("CREATE DATABASE IF NOT EXISTS ?")
            .bind(Identifier(&self.settings.database));
        create.execute().await.map_err(|error| self.error(error))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Says what the client library's error means for whoever runs this.
    pub(crate) fn error(&self, error: ClientError) -> StoreError {
        let StoreSettings {
            url, database, user, ..
        } = self.settings.clone();
        match &error {
            ClientError::Network(source) => StoreError::Unreachable {
                url,
                detail: chain(source.as_ref()),
            },
            ClientError::TimedOut => StoreError::Unreachable {
                url,
                detail: "no answer in time".to_owned(),
            },
            ClientError::BadResponse(message) => {
                let detail = message.trim().to_owned();
                match exception_code(message) {
                    Some(516 | 192 | 193 | 194) => StoreError::Refused { url, user },
                    Some(497) => StoreError::Forbidden {
                        url,
                        user,
                        database,
                        detail,
                    },
                    Some(81 | 60) => StoreError::NotMigrated {
                        url,
                        database,
                        detail,
                    },
                    Some(code) if PASSING_CODES.contains(&code) => StoreError::Busy { url, detail },
                    // An answer without a code is not ClickHouse's own: a proxy, or a server that is starting.
                    None => StoreError::Unreachable { url, detail },
                    Some(_) => StoreError::Client { url, source: error },
                }
            }
            _ => StoreError::Client { url, source: error },
        }
    }
}

/// The error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
