//! The jars, by their Maven coordinates, in a cache folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{KAFKA_VERSION, KafkaNodeError, KafkaProgress};

/// The version of log4j that Kafka 4.4.0 itself depends on; the binding to slf4j is not among its dependencies.
const LOG4J_VERSION: &str = "2.25.5";

const MAVEN_REMEDY: &str = "install it with `apt-get install -y maven default-jre-headless`";

/// Folder with all jars. Fetches them if they are not there: into a folder beside it, renamed when complete, so
/// that a cut run leaves nothing that looks whole.
pub(super) async fn ensure_jars(
    cache_folder: &Path,
    progress: &(impl Fn(KafkaProgress) + Send + Sync),
) -> Result<PathBuf, KafkaNodeError> {
    fs::create_dir_all(cache_folder).map_err(|source| KafkaNodeError::io("create", cache_folder, source))?;
    let cache_folder = cache_folder
        .canonicalize()
        .map_err(|source| KafkaNodeError::io("find", cache_folder, source))?;
    let jars = cache_folder.join(format!("kafka-{KAFKA_VERSION}"));
    if jars.exists() {
        return Ok(jars);
    }
    progress(KafkaProgress::Fetching);
    let work = tempfile::Builder::new()
        .prefix("fetching-kafka-")
        .tempdir_in(&cache_folder)
        .map_err(|source| KafkaNodeError::io("create a folder in", &cache_folder, source))?;
    let project = work.path().join("pom.xml");
    fs::write(&project, project_file()).map_err(|source| KafkaNodeError::io("write", &project, source))?;
    let fetched = work.path().join("jars");
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&project)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", fetched.display()))
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| KafkaNodeError::Fetch {
            detail: match source.kind() {
                io::ErrorKind::NotFound => format!("`mvn` was not found; {MAVEN_REMEDY}"),
                _ => format!("`mvn` does not start: {source}"),
            },
        })?;
    let broker = fetched.join(format!("kafka_2.13-{KAFKA_VERSION}.jar"));
    if !output.status.success() || !broker.exists() {
        let said = String::from_utf8_lossy(&output.stdout);
        let last_lines: Vec<&str> = said.lines().rev().take(8).collect();
        let last_lines: Vec<&str> = last_lines.into_iter().rev().collect();
        return Err(KafkaNodeError::Fetch {
            detail: format!(
                "it ended with {}; is the Maven repository within reach? It said:\n{}",
                output.status,
                last_lines.join("\n")
            ),
        });
    }
    match fs::rename(&fetched, &jars) {
        Ok(()) => Ok(jars),
        // Another process was faster.
        Err(_) if jars.exists() => Ok(jars),
        Err(source) => Err(KafkaNodeError::io("move the jars to", &jars, source)),
    }
}

fn project_file() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>mineseal</groupId><artifactId>kafka-jars</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{}{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
        dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
        dependency("org.apache.logging.log4j", "log4j-core", LOG4J_VERSION),
    )
}
