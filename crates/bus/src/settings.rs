use std::collections::BTreeMap;
use std::fmt;

/// Which cluster, under which names.
#[derive(Clone, PartialEq, Eq)]
pub struct BusSettings {
    /// `host:port`, several with commas between them.
    pub brokers: String,
    /// First part of every topic's name: `mineseal` gives `mineseal.frames`. Also the first part of groups.
    pub topic_prefix: String,
    /// What the brokers' logs call us.
    pub client_id: String,
    /// Further properties of librdkafka, such as `security.protocol` and `sasl.password`. They win over ours.
    pub properties: BTreeMap<String, String>,
}

impl BusSettings {
    /// The cluster at `brokers` with the usual names and no security.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: "mineseal".to_owned(),
            client_id: "mineseal".to_owned(),
            properties: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for BusSettings {
    /// Shows the names of the properties; their values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BusSettings")
            .field("brokers", &self.brokers)
            .field("topic_prefix", &self.topic_prefix)
            .field("client_id", &self.client_id)
            .field("properties", &self.properties.keys())
            .finish()
    }
}
