//! Is it ready? A metadata answer says so, not a line in the log: just after that line a partition may still
//! answer that it has no leader.

use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;

/// Asks the node for its metadata.
pub(super) struct Probe {
    port: u16,
}

/// A node that is still starting refuses connections; that is no news.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for Quiet {}

impl Probe {
    pub(super) fn new(port: u16) -> Self {
        Self { port }
    }

    pub(super) async fn every_partition_has_a_leader(&self) -> bool {
        let port = self.port;
        tokio::task::spawn_blocking(move || ask(port).unwrap_or(false))
            .await
            .unwrap_or(false)
    }
}

fn ask(port: u16) -> Result<bool, KafkaError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", format!("127.0.0.1:{port}"))
        .set("client.id", "mineseal-embedded");
    let consumer = BaseConsumer::from_config_and_context(&config, Quiet)?;
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(2))?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut leaders = partitions.map(|partition| partition.leader());
    Ok(!metadata.brokers().is_empty() && leaders.all(|leader| leader >= 0))
}
