use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::store::Store;

/// One stage of the way, over the rows that were stored in the time asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StageLatency {
    /// From which time to which, such as `captured_to_published`.
    pub stage: &'static str,
    /// Median, microseconds.
    pub p50_micros: i64,
    /// 95 % took at most so long, microseconds.
    pub p95_micros: i64,
    /// The longest, microseconds.
    pub max_micros: i64,
}

/// How long rows took from the camera into the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LatencyReport {
    /// Frames that were stored in the time asked for.
    pub frames: u64,
    /// `captured_to_published`, `published_to_inferred`, `inferred_to_stored`, `captured_to_stored`; empty where
    /// there are no frames.
    pub frame_stages: Vec<StageLatency>,
    /// Crossings that were stored in the time asked for.
    pub crossings: u64,
    /// `captured_to_counted`, `counted_to_stored`, `captured_to_stored`; empty where there are no crossings.
    pub crossing_stages: Vec<StageLatency>,
}

/// For each stage: the two halves and the largest.
#[derive(Row, Deserialize)]
struct Measured {
    rows: u64,
    p50: Vec<i64>,
    p95: Vec<i64>,
    max: Vec<i64>,
}

impl Store {
    /// How long frames and crossings that were stored in the last `minutes` took. Times are those of the machines
    /// that took them: a wrong clock shows as a stage below zero.
    ///
    /// # Errors
    /// When the server is away, or its database has never been migrated.
    pub async fn latencies(&self, minutes: u32) -> Result<LatencyReport, StoreError> {
        let frames = [
            ("captured_to_published", "captured_at", "published_at"),
            ("published_to_inferred", "published_at", "inferred_at"),
            ("inferred_to_stored", "inferred_at", "stored_at"),
            ("captured_to_stored", "captured_at", "stored_at"),
        ];
        let crossings = [
            ("captured_to_counted", "captured_at", "counted_at"),
            ("counted_to_stored", "counted_at", "stored_at"),
            ("captured_to_stored", "captured_at", "stored_at"),
        ];
        let (frames, frame_stages) = self.stages("frame_latencies", &frames, minutes).await?;
        let (crossings, crossing_stages) = self.stages("crossings", &crossings, minutes).await?;
        Ok(LatencyReport {
            frames,
            frame_stages,
            crossings,
            crossing_stages,
        })
    }

    async fn stages(
        &self,
        table: &str,
        stages: &[(&'static str, &str, &str)],
        minutes: u32,
    ) -> Result<(u64, Vec<StageLatency>), StoreError> {
        let differences = stages
            .iter()
            .map(|(_, from, to)| format!("toUnixTimestamp64Micro({to}) - toUnixTimestamp64Micro({from})"));
        let differences = differences.collect::<Vec<String>>().join(", ");
        let sql = format!(
            "SELECT count() AS rows, quantileExactForEach(0.5)(took) AS p50, \
             quantileExactForEach(0.95)(took) AS p95, maxForEach(took) AS max \
             FROM (SELECT [{differences}] AS took FROM {table} \
             WHERE stored_at > now64(6) - toIntervalMinute(?))"
        );
        let query = self.client().query(&sql).bind(minutes);
        let measured: Measured = query.fetch_one().await.map_err(|error| self.error(error))?;
        let numbers = measured.p50.iter().zip(&measured.p95).zip(&measured.max);
        let stages = stages
            .iter()
            .zip(numbers)
            .map(|((stage, _, _), ((p50, p95), max))| StageLatency {
                stage,
                p50_micros: *p50,
                p95_micros: *p95,
                max_micros: *max,
            });
        Ok((measured.rows, stages.collect()))
    }
}
