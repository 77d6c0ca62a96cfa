use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mineseal_schemas::Topic;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use tokio::time::{Instant, sleep};

use crate::context::LoggingContext;
use crate::error::BusError;
use crate::publisher::Publisher;
use crate::settings::BusSettings;
use crate::statistics::BusStatistics;

/// A cluster and our names in it. Cheap to clone; all clones share one producer and one set of counters.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: BusSettings,
    statistics: Arc<BusStatistics>,
    context: LoggingContext,
    publisher: OnceLock<Publisher>,
}

impl Bus {
    /// Checks the settings. Does not wait for a broker: it may come later.
    ///
    /// # Errors
    /// When the client library refuses the settings.
    pub fn connect(settings: BusSettings) -> Result<Self, BusError> {
        tracing::debug!(mended = mineseal_librdkafka::mended(), "client library");
        let statistics = Arc::new(BusStatistics::default());
        let context = LoggingContext::new(&settings.brokers, &settings.topic_prefix, Arc::clone(&statistics));
        let bus = Self(Arc::new(Shared {
            settings,
            statistics,
            context,
            publisher: OnceLock::new(),
        }));
        bus.client_config()
            .create_native_config()
            .map_err(|source| bus.settings_error(source))?;
        Ok(bus)
    }

    /// As given.
    #[must_use]
    pub fn settings(&self) -> &BusSettings {
        &self.0.settings
    }

    /// The counters of this process.
    #[must_use]
    pub fn statistics(&self) -> &Arc<BusStatistics> {
        &self.0.statistics
    }

    /// What a topic is called in this cluster.
    #[must_use]
    pub fn topic_name(&self, topic: Topic) -> String {
        topic.with_prefix(&self.0.settings.topic_prefix)
    }

    /// What a group is called in this cluster: with the prefix of the topics.
    #[must_use]
    pub fn group_name(&self, group: &str) -> String {
        match self.0.settings.topic_prefix.as_str() {
            "" => group.to_owned(),
            prefix => format!("{prefix}.{group}"),
        }
    }

    /// The topic behind a name in this cluster.
    #[must_use]
    pub fn topic_of(&self, name: &str) -> Option<Topic> {
        Topic::ALL
            .into_iter()
            .find(|topic| self.topic_name(*topic) == name)
    }

    /// Settings that every client of this cluster needs, for those who need a client of their own.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let BusSettings {
            brokers,
            client_id,
            properties,
            ..
        } = &self.0.settings;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("client.id", client_id)
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "3000")
            .set("socket.keepalive.enable", "true")
            .set("topic.metadata.refresh.interval.ms", "60000")
            // What `lifeline` looks at.
            .set("statistics.interval.ms", "5000");
        for (name, value) in properties {
            config.set(name, value);
        }
        config
    }

    /// What such a client should report to.
    #[must_use]
    pub fn context(&self) -> LoggingContext {
        self.0.context.clone()
    }

    /// The writer that all of this process share.
    ///
    /// # Errors
    /// When the client library refuses the settings.
    pub fn publisher(&self) -> Result<Publisher, BusError> {
        if let Some(publisher) = self.0.publisher.get() {
            return Ok(publisher.clone());
        }
        let fresh = Publisher::new(self)?;
        Ok(self.0.publisher.get_or_init(|| fresh).clone())
    }

    /// Waits until a broker answers.
    ///
    /// # Errors
    /// When none does within `deadline`.
    pub async fn wait_until_ready(&self, deadline: Duration) -> Result<(), BusError> {
        let began = Instant::now();
        while began.elapsed() < deadline {
            if self.metadata_answers(Duration::from_secs(2).min(deadline)).await {
                self.0.context.works();
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Err(self.unreachable(began.elapsed()))
    }

    async fn metadata_answers(&self, timeout: Duration) -> bool {
        let bus = self.clone();
        let ask = move || -> Result<bool, KafkaError> {
            let client: BaseConsumer<LoggingContext> =
                bus.client_config().create_with_context(bus.context())?;
            Ok(!client.fetch_metadata(None, timeout)?.brokers().is_empty())
        };
        matches!(tokio::task::spawn_blocking(ask).await, Ok(Ok(true)))
    }

    pub(crate) fn unreachable(&self, waited: Duration) -> BusError {
        BusError::Unreachable {
            brokers: self.0.settings.brokers.clone(),
            waited,
        }
    }

    pub(crate) fn settings_error(&self, source: KafkaError) -> BusError {
        BusError::Settings {
            brokers: self.0.settings.brokers.clone(),
            source,
        }
    }
}
