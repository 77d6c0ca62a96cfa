use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[kafka]`: the bus.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSettings {
    /// Brokers as `host:port,host:port`. Empty: start Apache Kafka on this machine.
    pub brokers: String,
    /// Port of the broker that is started on this machine; the port after it is the controller's.
    pub embedded_port: u16,
    /// Before every topic's name; a dot is put between.
    pub topic_prefix: String,
    /// Partitions of each topic when it is created. More than the largest number of counters.
    pub partitions: i32,
    /// Copies of each partition when a topic is created.
    pub replication: i32,
    /// Passed to librdkafka as they are, for example `security.protocol`.
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            embedded_port: 9092,
            topic_prefix: "mineseal".to_owned(),
            partitions: 6,
            replication: 1,
            properties: BTreeMap::new(),
        }
    }
}

/// `[clickhouse]`: the store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClickhouseSettings {
    /// HTTP URL. Empty: start the ClickHouse engine on this machine.
    pub url: String,
    /// Port of the engine that is started on this machine.
    pub embedded_port: u16,
    /// Database; created when it is absent.
    pub database: String,
    /// User.
    pub user: String,
    /// File that holds the password; empty for none.
    pub password_file: PathBuf,
}

impl Default for ClickhouseSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            embedded_port: 8123,
            database: "mineseal".to_owned(),
            user: "default".to_owned(),
            password_file: PathBuf::new(),
        }
    }
}

/// `[extractor]`: reads the cameras.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExtractorSettings {
    /// Width of published pictures, pixels; a multiple of 2.
    pub picture_width: u32,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: i32,
    /// A live source that gives nothing for so long is opened anew.
    pub stall_seconds: f64,
    /// What decodes cameras and files: `cpu`, `vaapi` (Intel, AMD; `vaapi:/dev/dri/renderD129` for another than the first
    /// device) or `cuda:0` for NVDEC of the first NVIDIA device. What the device cannot do the processor does.
    pub decode_device: String,
    /// Files are not paced by their own time: for replay and tests.
    pub as_fast_as_possible: bool,
    /// Seconds of encoded video that are kept of every live camera, for clips of alarms.
    pub evidence_ring_seconds: f64,
    /// Of every live camera no more than so many megabytes of it are kept in memory.
    pub evidence_ring_megabytes: u32,
    /// Folder with one file `user:password` for each credential that the registrations name.
    pub credentials_directory: PathBuf,
}

impl Default for ExtractorSettings {
    fn default() -> Self {
        Self {
            picture_width: 640,
            jpeg_quality: 75,
            stall_seconds: 5.0,
            decode_device: "cpu".to_owned(),
            as_fast_as_possible: false,
            evidence_ring_seconds: 30.0,
            evidence_ring_megabytes: 20,
            credentials_directory: PathBuf::new(),
        }
    }
}

/// `[inference]`: the detector.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceSettings {
    /// Weights in safetensors. Empty: the weights that the product brings for rendered scenes.
    pub weights: PathBuf,
    /// Width of the detector's input, a multiple of 32; 0: what the weights suggest.
    pub input_width: u32,
    /// Height of the detector's input, a multiple of 32; 0: what the weights suggest.
    pub input_height: u32,
    /// Where the net runs: `cpu`, or `cuda:0` for the first NVIDIA device, with a program that was built for it.
    pub device: String,
    /// Single-threaded detectors; 0: half of the cores, at least one. On a device each decodes pictures and has a stream
    /// of its own.
    pub workers: usize,
    /// Pictures in a batch at most; on a device 32 is a good choice.
    pub batch: usize,
    /// A batch waits so long for more pictures.
    pub batch_wait_milliseconds: u64,
    /// Boxes below are dropped.
    pub score_threshold: f32,
}

impl Default for InferenceSettings {
    fn default() -> Self {
        Self {
            weights: PathBuf::new(),
            input_width: 0,
            input_height: 0,
            device: "cpu".to_owned(),
            workers: 0,
            batch: 4,
            batch_wait_milliseconds: 20,
            score_threshold: 0.1,
        }
    }
}

/// `[counter]`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CounterSettings {
    /// A name that no other living counter has and that survives a restart, such as that of a pod in a StatefulSet:
    /// with it a restarted counter takes its own place at once. Empty for none.
    pub instance: String,
    /// A transaction is committed after so long.
    pub commit_interval_milliseconds: u64,
    /// Or after so many records.
    pub batch_records: usize,
}

impl Default for CounterSettings {
    fn default() -> Self {
        Self {
            instance: String::new(),
            commit_interval_milliseconds: 100,
            batch_records: 500,
        }
    }
}

/// `[sink]`: into ClickHouse.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkSettings {
    /// Rows are sent after so long.
    pub batch_interval_milliseconds: u64,
    /// Or after so many.
    pub batch_rows: usize,
}

impl Default for SinkSettings {
    fn default() -> Self {
        Self {
            batch_interval_milliseconds: 500,
            batch_rows: 20_000,
        }
    }
}

/// `[forwarder]`: to the upper platforms.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwarderSettings {
    /// Where results are sent. Empty under `mineseal up`: a stand-in platform on this machine.
    pub platform: Vec<PlatformSettings>,
}

/// Which interface a platform speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformKind {
    /// JSON arrays with OAuth2.
    CoalJson,
}

/// One upper platform.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformSettings {
    /// Its name: part of the consumer group, so do not change it.
    pub name: String,
    /// Its interface.
    pub kind: PlatformKind,
    /// Base URL.
    pub url: String,
    /// OAuth2 client; empty: none.
    #[serde(default)]
    pub client_id: String,
    /// File that holds the client's secret; empty for none.
    #[serde(default)]
    pub client_secret_file: PathBuf,
    /// Table that maps alarm kinds to the platform's codes; empty: the product's own.
    #[serde(default)]
    pub code_table: PathBuf,
}

/// `[console]`: the web page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleSettings {
    /// Address and port.
    pub listen: String,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
        }
    }
}

/// `[evidence]`: where pictures and clips are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceSettings {
    /// A folder, or `s3://BUCKET/PREFIX` of an S3 server. Empty: `evidence` in the data folder.
    pub location: String,
    /// How the S3 server is reached.
    pub s3: S3Settings,
}

/// `[evidence.s3]`: the S3 server, where `evidence.location` begins with `s3://`. Secrets are files that are named here;
/// without them the variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct S3Settings {
    /// Address of the server, such as `https://pictures.example.cn:9000`. Empty: Amazon's.
    pub endpoint: String,
    /// Region; empty: `AWS_REGION`, else us-east-1, which most servers take.
    pub region: String,
    /// File that holds the access key's ID. Read once, at the start.
    pub access_key_id_file: PathBuf,
    /// File that holds the access key's secret half.
    pub secret_access_key_file: PathBuf,
    /// File with the certificate (PEM) of the authority that the server's is signed by; empty: those of the system.
    pub ca_file: PathBuf,
    /// The bucket stands in the host's name, as Amazon has it, and not in the path.
    pub bucket_in_host: bool,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[telemetry]`: logs, traces, metrics, health.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Text or JSON.
    pub format: LogFormat,
    /// Which events are logged, in the syntax of tracing's `EnvFilter`.
    pub filter: String,
    /// OTLP endpoint over HTTP, such as `http://collector:4318`. Empty: no traces leave.
    pub otlp_endpoint: String,
    /// Address of `/metrics`, `/livez`, `/readyz`, `/startupz`.
    pub listen: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
            otlp_endpoint: String::new(),
            listen: "127.0.0.1:9464".to_owned(),
        }
    }
}
