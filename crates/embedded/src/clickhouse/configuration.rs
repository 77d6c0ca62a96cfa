//! The engine's own configuration files, written anew at each start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ClickHouseNodeError, ClickHouseNodeSettings};

/// The server's configuration.
pub(super) fn path(settings: &ClickHouseNodeSettings) -> PathBuf {
    settings.data_folder.join("config.xml")
}

/// The server's log.
pub(super) fn log_path(settings: &ClickHouseNodeSettings) -> PathBuf {
    settings.data_folder.join("server.log")
}

/// Tables and rows.
pub(super) fn tables_path(settings: &ClickHouseNodeSettings) -> PathBuf {
    settings.data_folder.join("data")
}

/// Writes both files.
pub(super) fn write(settings: &ClickHouseNodeSettings) -> Result<(), ClickHouseNodeError> {
    let users = settings.data_folder.join("users.xml");
    for (path, text) in [
        (path(settings), server(settings, &users)),
        (users.clone(), users_file(settings)),
    ] {
        fs::write(&path, text).map_err(|source: io::Error| ClickHouseNodeError::Io {
            action: "write",
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

/// Limits that fit beside the rest of the product on one machine, and log files that cannot fill the disk. No
/// system logs are kept: the engine writes those only where the configuration names them.
fn server(settings: &ClickHouseNodeSettings, users: &Path) -> String {
    let log = escaped(&log_path(settings));
    let error_log = escaped(&settings.data_folder.join("server.error.log"));
    let users = escaped(users);
    let memory = bytes(settings.memory_mebibytes);
    format!(
        "<clickhouse>
  <logger>
    <log>{log}</log>
    <errorlog>{error_log}</errorlog>
    <size>10M</size>
    <count>2</count>
  </logger>
  <users_config>{users}</users_config>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <max_concurrent_queries>100</max_concurrent_queries>
  <mark_cache_size>67108864</mark_cache_size>
  <index_mark_cache_size>16777216</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <index_uncompressed_cache_size>0</index_uncompressed_cache_size>
  <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
  <mmap_cache_size>100</mmap_cache_size>
</clickhouse>
"
    )
}

/// One user without a password, let in from this machine only: the engine listens nowhere else either.
fn users_file(settings: &ClickHouseNodeSettings) -> String {
    let memory = bytes(settings.memory_mebibytes) / 5 * 3;
    format!(
        "<clickhouse>
  <profiles>
    <default>
      <max_memory_usage>{memory}</max_memory_usage>
    </default>
  </profiles>
  <users>
    <default>
      <password></password>
      <networks>
        <ip>127.0.0.1</ip>
        <ip>::1</ip>
      </networks>
      <profile>default</profile>
      <quota>default</quota>
    </default>
  </users>
  <quotas>
    <default></default>
  </quotas>
</clickhouse>
"
    )
}

fn bytes(mebibytes: u32) -> u64 {
    u64::from(mebibytes) << 20
}

fn escaped(path: &Path) -> String {
    path.to_string_lossy()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
