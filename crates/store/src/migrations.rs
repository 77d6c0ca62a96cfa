use std::collections::BTreeMap;

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::store::Store;

/// Text that was applied is never changed again: a new file follows it.
const MIGRATIONS: [Migration; 5] = [
    Migration {
        version: 1,
        name: "results",
        text: include_str!("../migrations/0001_results.sql"),
    },
    Migration {
        version: 2,
        name: "alarms",
        text: include_str!("../migrations/0002_alarms.sql"),
    },
    Migration {
        version: 3,
        name: "frame_latencies",
        text: include_str!("../migrations/0003_frame_latencies.sql"),
    },
    Migration {
        version: 4,
        name: "headcount_ledger",
        text: include_str!("../migrations/0004_headcount_ledger.sql"),
    },
    Migration {
        version: 5,
        name: "gates",
        text: include_str!("../migrations/0005_gates.sql"),
    },
];

/// Which migrations were applied. Two sinks that start together may both write a row: they are the same.
const APPLIED_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
(
    version     UInt32,
    name        String,
    checksum    String,
    applied_at  DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY version
SETTINGS fsync_after_insert = 1";

struct Migration {
    version: u32,
    name: &'static str,
    text: &'static str,
}

#[derive(Row, Serialize, Deserialize)]
struct Applied {
    version: u32,
    name: String,
    checksum: String,
}

/// The newest version of the database that this build knows.
#[must_use]
pub fn newest_version() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

impl Store {
    /// Brings the database to this build's version; creates it if it is not there. Every statement can be applied
    /// twice, so a run that was cut is finished by the next one, and several may run at once.
    ///
    /// # Errors
    /// When the database was made by a newer build, or by one with other migrations, or the server refuses.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.create_database().await?;
        self.execute(APPLIED_TABLE).await?;
        let applied = self.applied().await?;
        self.check(&applied)?;
        for migration in MIGRATIONS
            .iter()
            .filter(|migration| !applied.contains_key(&migration.version))
        {
            self.apply(migration).await?;
        }
        Ok(())
    }

    /// The database's version; 0 where there is none.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn version(&self) -> Result<u32, StoreError> {
        Ok(self
            .applied()
            .await?
            .keys()
            .next_back()
            .copied()
            .unwrap_or_default())
    }

    async fn applied(&self) -> Result<BTreeMap<u32, Applied>, StoreError> {
        let query = self
            .client()
            .query("SELECT ?fields FROM schema_migrations ORDER BY version, applied_at");
        let rows: Vec<Applied> = query.fetch_all().await.map_err(|error| self.error(error))?;
        Ok(rows.into_iter().map(|row| (row.version, row)).collect())
    }

    fn check(&self, applied: &BTreeMap<u32, Applied>) -> Result<(), StoreError> {
        let database = || self.settings().database.clone();
        let (found, known) = (
            applied.keys().next_back().copied().unwrap_or_default(),
            newest_version(),
        );
        if found > known {
            return Err(StoreError::Newer {
                database: database(),
                found,
                known,
            });
        }
        for migration in &MIGRATIONS {
            if let Some(row) = applied.get(&migration.version)
                && row.checksum != checksum(migration.text)
            {
                return Err(StoreError::Changed {
                    database: database(),
                    version: migration.version,
                    name: row.name.clone(),
                });
            }
        }
        Ok(())
    }

    async fn apply(&self, migration: &Migration) -> Result<(), StoreError> {
        let Migration { version, name, text } = migration;
        for statement in statements(text) {
            self.execute(&statement)
                .await
                .map_err(|source| StoreError::Migration {
                    version: *version,
                    name: (*name).to_owned(),
                    statement: statement.lines().next().unwrap_or_default().to_owned(),
                    source: Box::new(source),
                })?;
        }
        let row = Applied {
            version: *version,
            name: (*name).to_owned(),
            checksum: checksum(text),
        };
        let write = async {
            let mut insert = self.client().insert::<Applied>("schema_migrations").await?;
            insert.write(&row).await?;
            insert.end().await
        };
        write.await.map_err(|error| self.error(error))?;
        tracing::info!(
            version,
            name,
            database = self.settings().database,
            "database migrated"
        );
        Ok(())
    }

    async fn execute(&self, statement: &str) -> Result<(), StoreError> {
        // Raw: a question mark in the text is no place for a value.
        self.client()
            .query_raw(statement)
            .execute()
            .await
            .map_err(|error| self.error(error))
    }
}

/// Statements end with a semicolon at a line's end; lines that begin with two hyphens are comments.
fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    let code = code.join("\n") + "\n";
    code.split(";\n")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn checksum(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_statements_and_leaves_comments_out() {
        let text = "-- one; two\nCREATE a\n(\n  b -- c\n);\n\n-- end\nCREATE d;\n";
        assert_eq!(statements(text), ["CREATE a\n(\n  b -- c\n)", "CREATE d"]);
    }

    #[test]
    fn every_statement_can_be_applied_twice() {
        for migration in &MIGRATIONS {
            for statement in statements(migration.text) {
                let repeatable = ["IF NOT EXISTS", "OR REPLACE", "IF EXISTS"];
                assert!(
                    repeatable.iter().any(|words| statement.contains(words)),
                    "{statement}"
                );
            }
        }
    }

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=newest_version()).collect::<Vec<u32>>());
    }
}
