//! One broker, or three, each with a door for each counter that leads through a proxy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mineseal_embedded::{KafkaCluster, KafkaListener, KafkaNode, KafkaNodeSettings, free_port};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use uuid::Uuid;

use crate::proxy::{Line, Proxy};

pub(crate) struct Brokers {
    settings: Vec<KafkaNodeSettings>,
    nodes: Vec<Option<KafkaNode>>,
}

/// The lines of one counter, to every broker.
pub(crate) struct Lines {
    proxies: Vec<Proxy>,
    /// What its client connects to.
    pub(crate) brokers: String,
}

impl Lines {
    pub(crate) fn set(&self, line: Line) {
        for proxy in &self.proxies {
            proxy.set(line);
        }
    }
}

impl Brokers {
    /// Starts `count` brokers that keep their logs in `folder`, and the lines of `counters` counters.
    pub(crate) async fn start(count: usize, counters: usize, folder: &Path) -> (Self, Vec<Lines>) {
        let cache = std::env::var_os("MINESEAL_CACHE").map_or_else(
            || Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            PathBuf::from,
        );
        let port = || free_port().unwrap();
        let mut settings: Vec<KafkaNodeSettings> = (0..count)
            .map(|number| {
                let data = folder.join(format!("broker-{number}"));
                let mut settings = KafkaNodeSettings::new(&cache, data);
                (settings.port, settings.controller_port) = (port(), port());
                settings.start_timeout = Duration::from_secs(600);
                let listeners = (0..counters).map(|_| KafkaListener {
                    port: port(),
                    advertised_port: port(),
                });
                settings.more_listeners = listeners.collect();
                settings
            })
            .collect();
        if count > 1 {
            let nodes: Vec<(i32, u16)> = (1..)
                .zip(settings.iter().map(|node| node.controller_port))
                .collect();
            let identity = Uuid::now_v7();
            for (node, settings) in (1..).zip(&mut settings) {
                settings.cluster = Some(KafkaCluster {
                    node,
                    nodes: nodes.clone(),
                    identity,
                });
            }
        }
        let mut lines = Vec::new();
        for counter in 0..counters {
            let mut proxies = Vec::new();
            let mut brokers = Vec::new();
            for node in &settings {
                let KafkaListener {
                    port,
                    advertised_port,
                } = node.more_listeners[counter];
                proxies.push(Proxy::start(advertised_port, port).await);
                brokers.push(format!("127.0.0.1:{advertised_port}"));
            }
            lines.push(Lines {
                proxies,
                brokers: brokers.join(","),
            });
        }
        let starting: Vec<_> = settings
            .iter()
            .map(|node| tokio::spawn(KafkaNode::start(node.clone(), |_| {})))
            .collect();
        let mut nodes = Vec::new();
        for node in starting {
            nodes.push(Some(node.await.unwrap().unwrap()));
        }
        (Self { settings, nodes }, lines)
    }

    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// What the tests' own clients connect to, with no proxy between.
    pub(crate) fn addresses(&self) -> String {
        let addresses: Vec<String> = self
            .settings
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        addresses.join(",")
    }

    /// As the power switch would, but for what the operating system has not written yet.
    pub(crate) async fn kill(&mut self, number: usize) {
        let mut node = self.nodes[number].take().unwrap();
        let killed = Command::new("kill")
            .args(["-9", &node.process_number().to_string()])
            .status();
        assert!(killed.unwrap().success());
        node.ended().await.unwrap();
    }

    /// In good order.
    pub(crate) async fn stop(&mut self, number: usize) {
        self.nodes[number].take().unwrap().stop().await.unwrap();
    }

    pub(crate) async fn start_again(&mut self, number: usize) {
        let node = KafkaNode::start(self.settings[number].clone(), |_| {}).await;
        self.nodes[number] = Some(node.unwrap());
    }

    /// Waits until every copy of every partition is there: only then may the next broker fall.
    pub(crate) async fn wait_until_whole(&self, patience: Duration) -> bool {
        let addresses = self.addresses();
        let copies = self.count();
        let look = move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &addresses)
                .create()
                .unwrap();
            let began = Instant::now();
            while began.elapsed() < patience {
                let metadata = consumer.fetch_metadata(None, Duration::from_secs(5));
                let whole = metadata.is_ok_and(|metadata| {
                    metadata.brokers().len() == copies
                        && metadata.topics().iter().all(|topic| {
                            let mut partitions = topic.partitions().iter();
                            partitions.all(|partition| {
                                partition.leader() >= 0 && partition.isr().len() == partition.replicas().len()
                            })
                        })
                });
                if whole {
                    return true;
                }
                std::thread::park_timeout(Duration::from_millis(300));
            }
            false
        };
        tokio::task::spawn_blocking(look).await.unwrap()
    }

    pub(crate) async fn stop_all(&mut self) {
        for node in self.nodes.iter_mut().filter_map(Option::take) {
            node.stop().await.unwrap();
        }
    }
}
