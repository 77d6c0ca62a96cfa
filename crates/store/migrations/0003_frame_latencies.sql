-- How long each frame took from the camera to here, stage by stage.

CREATE TABLE IF NOT EXISTS frame_latencies
(
    mine              LowCardinality(String),
    camera            LowCardinality(String),
    session           UUID,
    sequence          Int64 CODEC(Delta, ZSTD(1)),
    captured_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    published_at      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    inferred_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    written_at        DateTime64(6, 'UTC'),
    record_partition  Int32,
    record_offset     Int64 CODEC(Delta, ZSTD(1)),
    stored_at         DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX record record_offset TYPE minmax GRANULARITY 1,
    INDEX stored stored_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(captured_at)
ORDER BY (mine, camera, captured_at)
TTL toDateTime(stored_at) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
