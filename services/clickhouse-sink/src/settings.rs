use std::time::Duration;

use mineseal_store::StoreSettings;

/// How the sink works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSettings {
    /// Where rows go.
    pub store: StoreSettings,
    /// The group whose members share the partitions; without the prefix of the topics.
    pub group: String,
    /// A batch is sent when its first record is so old. Longest time that a row waits here.
    pub batch_interval: Duration,
    /// Or when so many rows wait. While ClickHouse is away twice as many wait at most, over all partitions, beside as
    /// many that are on their way.
    pub batch_rows: usize,
    /// Inserts at a time.
    pub concurrency: usize,
    /// Silence after which the group gives our partitions to others.
    pub session_timeout: Duration,
    /// How long a batch that is on its way is waited for when its partition goes to another member, or at the
    /// end. After that the next owner sends it once more, under the same token.
    pub release_grace: Duration,
}

impl SinkSettings {
    /// Half a second or 20,000 rows, four inserts at a time.
    #[must_use]
    pub fn new(store: StoreSettings) -> Self {
        Self {
            store,
            group: "clickhouse-sink".to_owned(),
            batch_interval: Duration::from_millis(500),
            batch_rows: 20_000,
            concurrency: 4,
            session_timeout: Duration::from_secs(10),
            release_grace: Duration::from_secs(10),
        }
    }
}
