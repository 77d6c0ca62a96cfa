use mineseal_domain::{MineCode, UtcMicros};
use serde::{Deserialize, Serialize};

/// Topic `positioning`, key mine code, one day: people underground by their cards (RYSS, `domain.md` 4.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Positioning {
    /// The mine.
    pub mine: MineCode,
    /// Rows with the flag "underground".
    pub people: i64,
    /// Time in the file's header.
    pub at: UtcMicros,
    /// Name of the file.
    pub file: String,
    /// Of the file's bytes, lower-case hexadecimal.
    pub sha256: String,
}

/// Topic `counter-state`, key mine code, compacted: the counter's changelog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CounterState {
    /// The mine.
    pub mine: MineCode,
    /// How `state` is written.
    pub format: i32,
    /// Partition of topic `detections`.
    pub partition: i32,
    /// The next offset that this state has not seen.
    pub next_offset: i64,
    /// The mine's whole state.
    #[serde(with = "serde_bytes")]
    pub state: Vec<u8>,
}

/// What an upper platform said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptOutcome {
    /// It took it.
    Accepted,
    /// It will not take it, however often it is sent.
    Refused,
}

/// Topic `receipts`, key mine code, 30 days: what an upper platform answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The platform's name in the configuration.
    pub platform: String,
    /// The mine.
    pub mine: MineCode,
    /// Topic of what was sent.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// What the platform said.
    pub outcome: ReceiptOutcome,
    /// HTTP status, or 0.
    pub status: i32,
    /// Its answer, shortened to 2,000 characters.
    pub answer: String,
    /// Times that it was sent.
    pub attempts: i32,
    /// When what was sent had happened.
    pub occurred_at: UtcMicros,
    /// When the platform answered.
    pub answered_at: UtcMicros,
}

/// Topic `dead-letters`, key of the original: a record that could not be read or handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// Its value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
    /// The service that gave it up.
    pub service: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: UtcMicros,
}
