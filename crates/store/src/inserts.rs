use std::collections::BTreeSet;
use std::time::Duration;

use clickhouse::Row;
use mineseal_domain::UtcMicros;
use serde::Deserialize;
use tokio::time::sleep;

use crate::error::StoreError;
use crate::rows::{RecordPlace, StoredRow};
use crate::store::Store;

/// A chunk of an insert is written to the socket within this time, or the insert has failed.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// The server acknowledges an insert within this time, or it has failed. It may have been stored all the same.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(60);

/// An insert of somebody who is gone may still be at work in the server for so long after we were told that its
/// token is known.
const LATE_INSERT: Duration = Duration::from_secs(2);

/// Times that rows are sent under a new token after the server had forgotten them.
const REPAIRS: usize = 5;

#[derive(Row, Deserialize)]
struct Stored {
    offset: i64,
    written_at: UtcMicros,
}

impl Store {
    /// Stores `rows` in one insert, for the first time. A second insert with the same `deduplication_token` is
    /// acknowledged and stores nothing, as long as fewer than ten thousand others lie between the two.
    ///
    /// # Errors
    /// When the server is away or refuses. Then nothing is stored, or all of it, or the rows of some months: nobody
    /// knows which, and [`Store::repeat_batch`] is to be used from then on.
    pub async fn insert_batch<R: StoredRow>(
        &self,
        rows: &[R],
        deduplication_token: &str,
    ) -> Result<(), StoreError> {
        self.insert(rows, deduplication_token).await
    }

    /// Stores what is missing of `rows`, which may have been sent before with the same `deduplication_token`. All
    /// of them have to come from one partition of the bus.
    ///
    /// The token alone is not enough. A server that is killed between writing the token down and putting the rows
    /// in their place knows the token and not the rows, and acknowledges a repetition without storing anything;
    /// one that lost power may know the rows and not the token (ClickHouse issue 111577). So the table itself is
    /// asked, before and after. The token still guards against an insert that is at work while the table is asked.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn repeat_batch<R: StoredRow>(
        &self,
        rows: &[R],
        deduplication_token: &str,
    ) -> Result<(), StoreError> {
        let missing = self.missing(rows).await?;
        if missing.is_empty() {
            return Ok(());
        }
        self.insert(missing, deduplication_token).await?;
        for repair in 1..=REPAIRS {
            if self.missing(rows).await?.is_empty() {
                return Ok(());
            }
            sleep(LATE_INSERT).await;
            let missing = self.missing(rows).await?;
            if missing.is_empty() {
                return Ok(());
            }
            let (table, count) = (R::TABLE, missing.len());
            tracing::warn!(
                table,
                rows = count,
                token = deduplication_token,
                "ClickHouse knows the token and not the rows: they are stored under a new one"
            );
            let repaired: Vec<i64> = missing.iter().map(|row| row.place().offset).collect();
            let first = repaired.iter().min().copied().unwrap_or_default();
            self.insert(
                missing,
                &format!("{deduplication_token}/missing/{first}/{count}/{repair}"),
            )
            .await?;
        }
        match self.missing(rows).await?.len() {
            0 => Ok(()),
            count => Err(StoreError::Forgotten {
                url: self.settings().url.clone(),
                table: R::TABLE,
                rows: count,
            }),
        }
    }

    /// Those of `rows` that are not stored.
    async fn missing<'rows, R: StoredRow>(&self, rows: &'rows [R]) -> Result<Vec<&'rows R>, StoreError> {
        let Some(place) = rows.first().map(StoredRow::place) else {
            return Ok(Vec::new());
        };
        let offsets = || rows.iter().map(|row| row.place().offset);
        let (first, last) = (
            offsets().min().unwrap_or_default(),
            offsets().max().unwrap_or_default(),
        );
        // Places on the bus come again when a topic is deleted and made anew; the time tells them apart.
        let sql = format!(
            "SELECT record_offset AS offset, {} AS written_at FROM {} \
             WHERE record_partition = ? AND record_offset BETWEEN ? AND ?",
            R::WRITTEN_AT,
            R::TABLE
        );
        let query = self
            .client()
            .query(&sql)
            .bind(place.partition)
            .bind(first)
            .bind(last);
        let stored: Vec<Stored> = query.fetch_all().await.map_err(|error| self.error(error))?;
        let stored: BTreeSet<RecordPlace> = stored
            .into_iter()
            .map(|row| RecordPlace {
                partition: place.partition,
                offset: row.offset,
                written_at: row.written_at,
            })
            .collect();
        Ok(rows.iter().filter(|row| !stored.contains(&row.place())).collect())
    }

    async fn insert<'rows, R: StoredRow>(
        &self,
        rows: impl IntoIterator<Item = &'rows R>,
        deduplication_token: &str,
    ) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let insert = async {
            let mut insert = self
                .client()
                .insert::<R>(R::TABLE)
                .await?
                .with_timeouts(Some(SEND_TIMEOUT), Some(ACKNOWLEDGE_TIMEOUT))
                .with_setting("insert_deduplicate", "1")
                .with_setting("insert_deduplication_token", deduplication_token)
                // Acknowledged means written, not queued.
                .with_setting("async_insert", "0")
                // A camera with a wrong clock must not stop the others: its rows may lie in any month.
                .with_setting("max_partitions_per_insert_block", "0");
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        };
        insert.await.map_err(|error| self.error(error))
    }
}
