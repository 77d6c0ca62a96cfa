-- What the counter found out. Every table holds the record's place on the bus (record_partition, record_offset), when
-- it was written there (counted_at, elsewhere written_at), and when it was stored: from these it is known which
-- records of a range are here already. The partition key hangs on the record alone: a batch that is sent once more
-- has to fall into the same partitions, or its deduplication token would not be found. Retention counts from the time
-- of storing, so that a replay of old footage is kept as long as everything else.
-- fsync: a batch is acknowledged on the bus once it is stored, so it must outlive a loss of power.

CREATE TABLE IF NOT EXISTS crossings
(
    id                UUID,
    mine              LowCardinality(String),
    camera            LowCardinality(String),
    line              LowCardinality(String),
    direction         LowCardinality(String),
    class             LowCardinality(String),
    regular           Bool,
    track             Int64,
    score             Float32,
    captured_at       DateTime64(6, 'UTC'),
    session           UUID,
    from_sequence     Int64,
    to_sequence       Int64,
    path              Nested(x Float32, y Float32),
    rule_version      Int32,
    model             LowCardinality(String),
    frame_partition   Int32,
    frame_offset      Int64,
    counted_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1,
    INDEX stored stored_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(captured_at)
ORDER BY (mine, captured_at, camera, id)
TTL toDateTime(stored_at) + INTERVAL 3 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS headcounts
(
    mine              LowCardinality(String),
    people            Int64,
    mouths            Nested(camera LowCardinality(String), line LowCardinality(String), entered Int64, `left` Int64),
    at                DateTime64(6, 'UTC'),
    `partition`       Int32,
    `offset`          Int64,
    inconsistent      Bool,
    rule_version      Int32,
    counted_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (mine, at, record_offset)
TTL toDateTime(stored_at) + INTERVAL 3 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS activity
(
    id                UUID,
    mine              LowCardinality(String),
    camera            LowCardinality(String),
    kind              LowCardinality(String),
    state             LowCardinality(String),
    at                DateTime64(6, 'UTC'),
    frame_partition   Int32,
    frame_offset      Int64,
    counted_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (mine, at, camera, id)
TTL toDateTime(stored_at) + INTERVAL 3 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS camera_health
(
    mine              LowCardinality(String),
    camera            LowCardinality(String),
    condition         LowCardinality(String),
    since             DateTime64(6, 'UTC'),
    at                DateTime64(6, 'UTC'),
    mean_luma         Float32,
    luma_deviation    Float32,
    sharpness         Float32,
    dark_share        Float32,
    bright_share      Float32,
    change            Float32,
    fingerprint       Int64,
    regions           Nested(region LowCardinality(String), motion Float32, mean_luma Float32),
    frame_partition   Int32,
    frame_offset      Int64,
    counted_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64,
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    INDEX record record_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (mine, camera, at)
TTL toDateTime(stored_at) + INTERVAL 1 YEAR
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
