-- Alarms, one row for each step of their life, and what people and platforms answered.

CREATE TABLE IF NOT EXISTS alarms
(
    id                UUID,
    revision          Int32,
    mine              LowCardinality(String),
    camera            LowCardinality(Nullable(String)),
    kind              LowCardinality(String),
    severity          LowCardinality(String),
    phase             LowCardinality(String),
    raised_at         DateTime64(6, 'UTC'),
    at                DateTime64(6, 'UTC'),
    people            Int64,
    mine_state        LowCardinality(String),
    message           String,
    rule_version      Int32,
    frame_partition   Nullable(Int32),
    frame_offset      Nullable(Int64),
    counted_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(raised_at)
ORDER BY (mine, raised_at, id, revision)
TTL toDateTime(stored_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Alarms whose latest step does not end them.
CREATE OR REPLACE VIEW open_alarms AS
SELECT * FROM (SELECT * FROM alarms ORDER BY id, revision DESC LIMIT 1 BY id) WHERE phase != 'cleared';

CREATE TABLE IF NOT EXISTS dispositions
(
    alarm             UUID,
    mine              LowCardinality(String),
    verdict           LowCardinality(String),
    note              String,
    decided_by        LowCardinality(String),
    at                DateTime64(6, 'UTC'),
    written_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (mine, alarm, at)
TTL toDateTime(stored_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS evidence
(
    request           UUID,
    alarm             UUID,
    mine              LowCardinality(String),
    camera            LowCardinality(String),
    kind              LowCardinality(String),
    object            String,
    sha256            String,
    size_bytes        Int64,
    captured_at       DateTime64(6, 'UTC'),
    written_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(captured_at)
ORDER BY (mine, alarm, kind)
TTL toDateTime(stored_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS receipts
(
    platform          LowCardinality(String),
    mine              LowCardinality(String),
    topic             LowCardinality(String),
    `partition`       Int32,
    `offset`          Int64,
    outcome           LowCardinality(String),
    status            Int32,
    answer            String,
    attempts          Int32,
    occurred_at       DateTime64(6, 'UTC'),
    answered_at       DateTime64(6, 'UTC'),
    written_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(answered_at)
ORDER BY (platform, mine, answered_at)
TTL toDateTime(stored_at) + INTERVAL 1 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
