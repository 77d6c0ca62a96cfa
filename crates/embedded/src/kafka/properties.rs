//! The node's own files: `server.properties` and the settings of its log.

use std::fs;
use std::path::PathBuf;

use super::{KafkaNodeError, KafkaNodeSettings};

pub(super) fn path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("server.properties")
}

pub(super) fn log_settings_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("log4j2.xml")
}

pub(super) fn log_path(settings: &KafkaNodeSettings) -> PathBuf {
    settings.data_folder.join("server.log")
}

/// Writes both, at every start: ports and limits may have changed.
pub(super) fn write(settings: &KafkaNodeSettings) -> Result<(), KafkaNodeError> {
    for (path, text) in [
        (path(settings), server_properties(settings)),
        (log_settings_path(settings), log_settings(settings)),
    ] {
        fs::write(&path, text).map_err(|source| KafkaNodeError::io("write", &path, source))?;
    }
    Ok(())
}

fn server_properties(settings: &KafkaNodeSettings) -> String {
    let KafkaNodeSettings {
        port,
        controller_port,
        data_folder,
        ..
    } = settings;
    // Replication factors and partition counts of the inner topics are those of a single node. The cleaner's
    // buffer is 128 MiB by default, a quarter of our whole heap.
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={}
message.max.bytes=8388608
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=10000
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=16777216
",
        data_folder.join("log").display()
    )
}

fn log_settings(settings: &KafkaNodeSettings) -> String {
    let path = log_path(settings);
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
