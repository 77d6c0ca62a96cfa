-- What the ledger tells beside the people underground: corrections, non-regular passages, the last shifts.

ALTER TABLE headcounts
    ADD COLUMN IF NOT EXISTS corrected            Int64,
    ADD COLUMN IF NOT EXISTS non_regular_entered  Int64,
    ADD COLUMN IF NOT EXISTS non_regular_left     Int64,
    ADD COLUMN IF NOT EXISTS shifts               Nested(name LowCardinality(String), began_at DateTime64(6, 'UTC'), entered Int64, `left` Int64, inside Int64);
