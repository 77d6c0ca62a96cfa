//! The node's own files: `server.properties` and the settings of its log.

use std::fs;
use std::path::{Path, PathBuf};

use super::{KafkaListener, KafkaNodeError, KafkaNodeSettings, predecessor};

pub(super) fn path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("server.properties")
}

pub(super) fn log_settings_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("log4j2.xml")
}

pub(super) fn log_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("server.log")
}

/// Of the controller alone, as `predecessor` starts it.
pub(super) fn controller_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("controller.properties")
}

pub(super) fn controller_log_settings_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("controller-log4j2.xml")
}

pub(super) fn controller_log_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("controller.log")
}

/// Writes all of them, at every start: ports and limits may have changed.
pub(super) fn write(settings: &KafkaNodeSettings) -> Result<(), KafkaNodeError> {
    for (path, text) in [
        (path(settings), server_properties(settings)),
        (log_settings_path(settings), log_settings(&log_path(settings))),
        (controller_path(settings), controller_properties(settings)),
        (
            controller_log_settings_path(settings),
            log_settings(&controller_log_path(settings)),
        ),
    ] {
        fs::write(&path, text).map_err(|source| KafkaNodeError::io("write", &path, source))?;
    }
    Ok(())
}

/// A node that is alone keeps its leadership while it stops, and however long it is silent: nobody could take over,
/// and a partition without a leader costs markers of transactions (`predecessor`).
const PATIENCE_OF_ONE: &str = "controlled.shutdown.enable=false
broker.session.timeout.ms=120000
";

/// What depends on how many nodes there are, and on the doors.
struct Parts {
    node: i32,
    voters: String,
    listeners: String,
    advertised: String,
    protocols: String,
    copies: usize,
    copies_written: usize,
    patience: &'static str,
}

/// Several nodes on one busy machine answer each other late: with Kafka's own times they would elect again and again.
const PATIENCE_OF_A_CLUSTER: &str = "controller.quorum.election.timeout.ms=5000
controller.quorum.fetch.timeout.ms=10000
controller.quorum.request.timeout.ms=10000
broker.session.timeout.ms=18000
";

fn parts(settings: &KafkaNodeSettings) -> Parts {
    let alone = [(1, settings.controller_port)];
    let (node, nodes) = match &settings.cluster {
        Some(cluster) => (cluster.node, cluster.nodes.as_slice()),
        None => (1, alone.as_slice()),
    };
    let voters: Vec<String> = nodes
        .iter()
        .map(|(node, port)| format!("{node}@127.0.0.1:{port}"))
        .collect();
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{}", settings.port);
    let mut advertised = listeners.clone();
    let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for (number, listener) in settings.more_listeners.iter().enumerate() {
        let KafkaListener {
            port,
            advertised_port,
        } = listener;
        listeners.push_str(&format!(",DOOR{number}://127.0.0.1:{port}"));
        advertised.push_str(&format!(",DOOR{number}://127.0.0.1:{advertised_port}"));
        protocols.push_str(&format!(",DOOR{number}:PLAINTEXT"));
    }
    listeners.push_str(&format!(",CONTROLLER://127.0.0.1:{}", settings.controller_port));
    let copies = nodes.len().clamp(1, 3);
    Parts {
        node,
        voters: voters.join(","),
        listeners,
        advertised,
        protocols,
        copies,
        copies_written: copies.div_ceil(2),
        patience: if nodes.len() > 1 {
            PATIENCE_OF_A_CLUSTER
        } else {
            PATIENCE_OF_ONE
        },
    }
}

fn server_properties(settings: &KafkaNodeSettings) -> String {
    let Parts {
        node,
        voters,
        listeners,
        advertised,
        protocols,
        copies,
        copies_written,
        patience,
    } = parts(settings);
    // Replication factors and partition counts of the inner topics are those of a few nodes. The cleaner's
    // buffer is 128 MiB by default, a quarter of our whole heap.
    format!(
        "process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={protocols}
inter.broker.listener.name=PLAINTEXT
log.dirs={}
message.max.bytes=8388608
auto.create.topics.enable=false
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={copies_written}
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={copies_written}
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=10000
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=16777216
{patience}",
        settings.data_folder.join("log").display()
    )
}

/// For a node that is alone.
fn controller_properties(settings: &KafkaNodeSettings) -> String {
    let port = settings.controller_port;
    format!(
        "process.roles=controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{port}
controller.listener.names=CONTROLLER
listeners=CONTROLLER://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT
log.dirs={}
broker.session.timeout.ms={}
broker.heartbeat.interval.ms={}
",
        settings.data_folder.join("log").display(),
        predecessor::PATIENCE.as_millis(),
        predecessor::PATIENCE.as_millis() / 4
    )
}

fn log_settings(path: &Path) -> String {
    format!(
        r#"<Configuration status="WARN">
  <Appenders>
    <RollingFile name="file" fileName="{path}" filePattern="{path}.%i">
      <PatternLayout pattern="%d %p %c{{1}} %m%n"/>
      <SizeBasedTriggeringPolicy size="8 MB"/>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="WARN"/>
    <Root level="INFO"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"#,
        path = path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::super::KafkaCluster;
    use super::*;

    fn lines(settings: &KafkaNodeSettings) -> BTreeSet<String> {
        server_properties(settings).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_node_alone_has_one_copy_of_everything() {
        let lines = lines(&KafkaNodeSettings::new("cache", "data"));
        for line in [
            "node.id=1",
            "controller.quorum.voters=1@127.0.0.1:19093",
            "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:19093",
            "advertised.listeners=PLAINTEXT://127.0.0.1:9092",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
        ] {
            assert!(lines.contains(line), "{line} is not in {lines:#?}");
        }
    }

    #[test]
    fn a_node_of_three_with_a_door_for_a_proxy() {
        let mut settings = KafkaNodeSettings::new("cache", "data");
        settings.more_listeners.push(KafkaListener {
            port: 9192,
            advertised_port: 9193,
        });
        settings.cluster = Some(KafkaCluster {
            node: 2,
            nodes: vec![(1, 19091), (2, 19093), (3, 19095)],
            identity: Uuid::nil(),
        });
        let lines = lines(&settings);
        for line in [
            "node.id=2",
            "controller.quorum.voters=1@127.0.0.1:19091,2@127.0.0.1:19093,3@127.0.0.1:19095",
            "listeners=PLAINTEXT://127.0.0.1:9092,DOOR0://127.0.0.1:9192,CONTROLLER://127.0.0.1:19093",
            "advertised.listeners=PLAINTEXT://127.0.0.1:9092,DOOR0://127.0.0.1:9193",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DOOR0:PLAINTEXT",
            "offsets.topic.replication.factor=3",
            "transaction.state.log.min.isr=2",
        ] {
            assert!(lines.contains(line), "{line} is not in {lines:#?}");
        }
    }
}
