use clickhouse::{Row, RowOwned, RowRead};
use mineseal_domain::{Direction, MineCode, ObjectClass, UtcMicros};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codes::value_of;
use crate::error::StoreError;
use crate::rows::{AlarmRow, CrossingRow, DispositionRow, EvidenceRow, HeadcountRow};
use crate::store::Store;

/// A span of event time: from the first instant up to and without the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First instant.
    pub from: UtcMicros,
    /// The instant after the last.
    pub to: UtcMicros,
}

/// How often something went over a line.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct DirectionCount {
    /// The mine.
    pub mine: String,
    /// The camera.
    pub camera: String,
    /// The line.
    pub line: String,
    /// Name of the direction.
    pub direction: String,
    /// Name of the class.
    pub class: String,
    /// Crossings.
    pub count: u64,
}

impl DirectionCount {
    /// Towards the mine or away; `None` for a name that a newer build has written.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        value_of(&self.direction)
    }

    /// What crossed.
    #[must_use]
    pub fn class(&self) -> Option<ObjectClass> {
        value_of(&self.class)
    }
}

/// How much a table holds.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct TableSize {
    /// Its name.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

impl Store {
    /// The newest crossings of a mine in a period, newest first, `limit` at most.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn crossings(
        &self,
        mine: &MineCode,
        period: Period,
        limit: u32,
    ) -> Result<Vec<CrossingRow>, StoreError> {
        self.of_mine("crossings", "captured_at", mine, period, limit)
            .await
    }

    /// The headcounts of a mine in a period, newest first, `limit` at most.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn headcounts(
        &self,
        mine: &MineCode,
        period: Period,
        limit: u32,
    ) -> Result<Vec<HeadcountRow>, StoreError> {
        self.of_mine("headcounts", "at", mine, period, limit).await
    }

    /// The steps of a mine's alarms in a period, newest first, `limit` at most.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn alarms(
        &self,
        mine: &MineCode,
        period: Period,
        limit: u32,
    ) -> Result<Vec<AlarmRow>, StoreError> {
        self.of_mine("alarms", "at", mine, period, limit).await
    }

    /// The latest step of every alarm that has not ended, of one mine or of all, newest first.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn open_alarms(&self, mine: Option<&MineCode>) -> Result<Vec<AlarmRow>, StoreError> {
        let sql = "SELECT ?fields FROM open_alarms WHERE ? IN ('', mine) ORDER BY raised_at DESC, id";
        self.fetch_all(self.client().query(sql).bind(mine.map_or("", MineCode::as_str)))
            .await
    }

    /// Every step of one alarm, in order.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn alarm_steps(&self, alarm: Uuid) -> Result<Vec<AlarmRow>, StoreError> {
        let sql = "SELECT ?fields FROM alarms WHERE id = ? ORDER BY revision";
        self.fetch_all(self.client().query(sql).bind(alarm.to_string()))
            .await
    }

    /// What people did with one alarm, in order.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn dispositions(&self, alarm: Uuid) -> Result<Vec<DispositionRow>, StoreError> {
        let sql = "SELECT ?fields FROM dispositions WHERE alarm = ? ORDER BY at, record_offset";
        self.fetch_all(self.client().query(sql).bind(alarm.to_string()))
            .await
    }

    /// What is kept for one alarm.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn evidence(&self, alarm: Uuid) -> Result<Vec<EvidenceRow>, StoreError> {
        let sql = "SELECT ?fields FROM evidence WHERE alarm = ? ORDER BY captured_at, kind";
        self.fetch_all(self.client().query(sql).bind(alarm.to_string()))
            .await
    }

    /// Crossings in a period by mine, line, direction and class, of one mine or of all.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn direction_counts(
        &self,
        mine: Option<&MineCode>,
        period: Period,
    ) -> Result<Vec<DirectionCount>, StoreError> {
        let sql = "SELECT mine, camera, line, direction, class, count() AS count FROM crossings \
                   WHERE ? IN ('', mine) AND captured_at >= fromUnixTimestamp64Micro(?) \
                   AND captured_at < fromUnixTimestamp64Micro(?) \
                   GROUP BY mine, camera, line, direction, class ORDER BY mine, camera, line, direction, class";
        let query = self.client().query(sql).bind(mine.map_or("", MineCode::as_str));
        self.fetch_all(query.bind(period.from.0).bind(period.to.0)).await
    }

    /// The size of each table.
    ///
    /// # Errors
    /// When the server is away.
    pub async fn table_sizes(&self) -> Result<Vec<TableSize>, StoreError> {
        let sql = "SELECT name AS table, ifNull(total_rows, 0) AS rows, ifNull(total_bytes, 0) AS bytes \
                   FROM system.tables WHERE database = ? AND engine LIKE '%MergeTree' ORDER BY name";
        self.fetch_all(self.client().query(sql).bind(&self.settings().database))
            .await
    }

    async fn of_mine<R: RowOwned + RowRead>(
        &self,
        table: &str,
        time: &str,
        mine: &MineCode,
        period: Period,
        limit: u32,
    ) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT ?fields FROM {table} WHERE mine = ? AND {time} >= fromUnixTimestamp64Micro(?) \
             AND {time} < fromUnixTimestamp64Micro(?) \
             ORDER BY {time} DESC, record_partition, record_offset DESC LIMIT ?"
        );
        let query = self
            .client()
            .query(&sql)
            .bind(mine.as_str())
            .bind(period.from.0)
            .bind(period.to.0);
        self.fetch_all(query.bind(limit)).await
    }

    async fn fetch_all<R: RowOwned + RowRead>(
        &self,
        query: clickhouse::query::Query,
    ) -> Result<Vec<R>, StoreError> {
        query.fetch_all().await.map_err(|error| self.error(error))
    }
}
