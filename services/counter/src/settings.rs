use std::time::Duration;

use crate::corrections::CorrectionKeys;

/// How the counter works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterSettings {
    /// The group whose members share the mines; without the prefix of the topics.
    pub group: String,
    /// A name that no other living counter of this cluster has and that survives a restart, such as the name of a
    /// pod in a StatefulSet: with it a restarted counter takes its own place at once. Without it a counter that
    /// was killed is missed after `session_timeout`, and its open transaction ends after `transaction_timeout`.
    pub instance: Option<String>,
    /// A transaction is committed when it is so old. Longest time that an output waits.
    pub commit_interval: Duration,
    /// A transaction is committed when it holds so many records.
    pub max_records: usize,
    /// After so long the brokers abort a transaction that nobody ends.
    pub transaction_timeout: Duration,
    /// Silence after which the group gives our partitions to others.
    pub session_timeout: Duration,
    /// Who may correct headcounts. Without any key every correction is refused.
    pub correction_keys: CorrectionKeys,
}

impl Default for CounterSettings {
    fn default() -> Self {
        Self {
            group: "counter".to_owned(),
            instance: None,
            commit_interval: Duration::from_millis(100),
            max_records: 500,
            transaction_timeout: Duration::from_secs(15),
            session_timeout: Duration::from_secs(10),
            correction_keys: CorrectionKeys::default(),
        }
    }
}
