use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use mineseal_schemas::Topic;
use rdkafka::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::lifeline::Lifeline;
use crate::statistics::BusStatistics;

/// Seconds between two warnings that the brokers cannot be reached.
const WARN_AGAIN_SECONDS: i64 = 30;

/// What the client library says, in our log and our counters. Each client has one of its own.
#[derive(Clone, Debug)]
pub struct LoggingContext {
    brokers: Arc<str>,
    prefix: Arc<str>,
    statistics: Arc<BusStatistics>,
    last_warning: Arc<AtomicI64>,
    pub(crate) lifeline: Lifeline,
}

impl LoggingContext {
    pub(crate) fn new(brokers: &str, prefix: &str, statistics: Arc<BusStatistics>) -> Self {
        Self {
            brokers: brokers.into(),
            prefix: prefix.into(),
            statistics,
            last_warning: Arc::new(AtomicI64::new(0)),
            lifeline: Lifeline::default(),
        }
    }

    /// To be called when something was read or written: then the brokers are there.
    pub fn works(&self) {
        if self.statistics.set_unreachable(false) {
            tracing::info!(brokers = %self.brokers, "Kafka is back");
        }
    }
}

impl ClientContext for LoggingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Lost connections come again and again here; `error` below says it once.
        let of_connections = matches!(facility, "FAIL" | "ERROR" | "REQTMOUT" | "BRKMAIN" | "CONNECT");
        match level {
            _ if of_connections => tracing::debug!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            // Only news for who has asked for it, and there it comes as the result of a poll.
            return;
        }
        let lost = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::Resolve
                    | RDKafkaErrorCode::OperationTimedOut
            )
        );
        if !lost {
            tracing::warn!(brokers = %self.brokers, %error, reason, "Kafka reports an error");
            return;
        }
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.statistics.set_unreachable(true);
        }
        let now = seconds_since_1970();
        let last = self.last_warning.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= WARN_AGAIN_SECONDS
            && self
                .last_warning
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if due {
            tracing::warn!(brokers = %self.brokers, reason, "Kafka cannot be reached, trying again until it can");
        }
    }

    fn stats(&self, statistics: Statistics) {
        if self.lifeline.look_after(&statistics, &self.brokers) {
            self.statistics.count_client_without_brokers();
            tracing::warn!(
                client = statistics.name,
                brokers = %self.brokers,
                "the client had lost every broker from its list; the configured ones are in it again"
            );
        }
        // A client that has nothing to read or write finds out here that the brokers are back.
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.works();
        }
        if statistics.client_type != "consumer" {
            return;
        }
        for (name, topic) in &statistics.topics {
            let bare = name
                .strip_prefix(&*self.prefix)
                .map(|rest| rest.trim_start_matches('.'));
            let Some(known) = bare.and_then(|name| name.parse::<Topic>().ok()) else {
                continue;
            };
            let lags = topic
                .partitions
                .values()
                .map(|partition| partition.consumer_lag.max(0));
            self.statistics.set_lag(known, lags.sum());
        }
    }
}

impl ConsumerContext for LoggingContext {}

fn seconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
