use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SettingsProblem;
use crate::sections::{
    ClickhouseSettings, ConsoleSettings, CounterSettings, EvidenceSettings, ExtractorSettings,
    ForwarderSettings, InferenceSettings, KafkaSettings, S3Settings, SinkSettings, TelemetrySettings,
};

/// Everything that can be set; each service reads its own sections.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder of the engines that run on this machine, of rendered scenes and of evidence. Empty: `.mineseal`.
    pub data_directory: PathBuf,
    /// The bus.
    pub kafka: KafkaSettings,
    /// The store.
    pub clickhouse: ClickhouseSettings,
    /// Reads the cameras.
    pub extractor: ExtractorSettings,
    /// The detector.
    pub inference: InferenceSettings,
    /// Counts.
    pub counter: CounterSettings,
    /// Into ClickHouse.
    pub sink: SinkSettings,
    /// To the upper platforms.
    pub forwarder: ForwarderSettings,
    /// The web page.
    pub console: ConsoleSettings,
    /// Pictures and clips.
    pub evidence: EvidenceSettings,
    /// Logs, traces, metrics, health.
    pub telemetry: TelemetrySettings,
}

/// A variable of the environment as the caller read it.
pub type EnvironmentVariable = (String, String);

const PREFIX: &str = "MINESEAL_";

/// Variables that begin like settings and mean something else.
const NOT_SETTINGS: [&str; 4] = [
    "MINESEAL_TEST_KAFKA",
    "MINESEAL_TEST_CLICKHOUSE",
    "MINESEAL_CLICKHOUSE_ENGINE",
    "MINESEAL_CACHE",
];

/// Reads `file` if one is given, lays the environment over it and checks the whole.
///
/// `MINESEAL_INFERENCE__WORKERS=2` sets `inference.workers`; `KAFKA_BROKERS` and `CLICKHOUSE_URL` set
/// `kafka.brokers` and `clickhouse.url`.
///
/// # Errors
/// The first value that is wrong: where it stands, what is wrong, how to mend it.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = EnvironmentVariable>,
) -> Result<Settings, SettingsProblem> {
    let mut table = toml::Table::new();
    let mut origin = "built-in defaults".to_owned();
    if let Some(path) = file {
        origin = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| SettingsProblem::Unreadable {
            file: origin.clone(),
            cause: cause.to_string(),
        })?;
        table = parse_file(&origin, &text)?;
    }
    let mut variables: Vec<EnvironmentVariable> = environment.into_iter().collect();
    variables.sort();
    let schema = schema();
    for (name, value) in &variables {
        let path: Vec<String> = match name.as_str() {
            "KAFKA_BROKERS" => vec!["kafka".into(), "brokers".into()],
            "CLICKHOUSE_URL" => vec!["clickhouse".into(), "url".into()],
            other if NOT_SETTINGS.contains(&other) => continue,
            other => match other.strip_prefix(PREFIX) {
                Some(rest) => rest.split("__").map(str::to_ascii_lowercase).collect(),
                None => continue,
            },
        };
        lay_over(&mut table, name, &path, value, is_text(&schema, &path))?;
    }
    let settings: Settings =
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
            let key = error.path().to_string();
            let variable = format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase());
            let place = if variables.iter().any(|(name, _)| *name == variable) {
                variable
            } else {
                origin.clone()
            };
            explain(&place, &key, error.inner().message())
        })?;
    check(&settings, &origin)?;
    check_evidence(&settings.evidence, &origin)?;
    Ok(settings)
}

/// The JSON schema of the file, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Settings).to_value()
}

fn parse_file(origin: &str, text: &str) -> Result<toml::Table, SettingsProblem> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        SettingsProblem::value(
            origin,
            line_of(text, error.span()),
            error.message(),
            "the file must be TOML; `mineseal config show` prints one that works",
        )
    })?;
    // Parsing the text once more straight into the type gives the line of a wrong value.
    if let Err(error) = toml::from_str::<Settings>(text) {
        let key = serde_path_to_error::deserialize::<_, Settings>(toml::Value::Table(table))
            .err()
            .map(|inner| inner.path().to_string())
            .unwrap_or_default();
        let place = format!("{origin}, {}", line_of(text, error.span()));
        return Err(explain(&place, &key, error.message()));
    }
    Ok(table)
}

pub(crate) fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let start = span.map_or(0, |range| range.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    format!("line {}", before.matches('\n').count() + 1)
}

fn explain(place: &str, key: &str, message: &str) -> SettingsProblem {
    let help = if message.starts_with("unknown field") {
        "remove the key, or spell it as in the list above"
    } else {
        "`mineseal config schema` says what each key takes"
    };
    SettingsProblem::value(place, key, message.trim(), help)
}

fn lay_over(
    table: &mut toml::Table,
    variable: &str,
    path: &[String],
    value: &str,
    text: bool,
) -> Result<(), SettingsProblem> {
    let Some((last, parents)) = path.split_last() else {
        return Ok(());
    };
    let mut current = table;
    for parent in parents {
        let entry = current
            .entry(parent.clone())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        current = entry.as_table_mut().ok_or_else(|| {
            SettingsProblem::value(
                variable,
                path.join("."),
                format!("{parent} is not a section"),
                "two underscores separate a section from its key, as in MINESEAL_INFERENCE__WORKERS",
            )
        })?;
    }
    // A number, a truth value or a list is read as TOML; anything else, and a plain word, as text. Where the setting is
    // text, so is a password of digits; quotes around the whole are TOML's there too.
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .filter(|parsed| parsed.is_str() || !text)
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    current.insert(last.clone(), parsed);
    Ok(())
}

/// Whether the setting at `path` takes text and nothing else. A key that is not in the schema does not.
fn is_text(schema: &serde_json::Value, path: &[String]) -> bool {
    let resolved = |node: &serde_json::Value| match node.get("$ref").and_then(serde_json::Value::as_str) {
        Some(reference) => schema.pointer(reference.trim_start_matches('#')).cloned(),
        None => Some(node.clone()),
    };
    let found = path.iter().try_fold(schema.clone(), |node, key| {
        let inner = node
            .get("properties")
            .and_then(|properties| properties.get(key))
            .or_else(|| node.get("additionalProperties"))?;
        resolved(inner)
    });
    match found.as_ref().and_then(|node| node.get("type")) {
        Some(serde_json::Value::String(kind)) => kind == "string",
        Some(serde_json::Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        _ => false,
    }
}

/// Whether a device has a name that the extractor knows.
fn decodes(device: &str) -> bool {
    match device.split_once(':') {
        None => matches!(device, "cpu" | "vaapi"),
        Some(("vaapi", node)) => node.starts_with('/') && !node.contains('\0'),
        Some(("cuda", number)) => number.parse::<u16>().is_ok(),
        Some(_) => false,
    }
}

fn check(settings: &Settings, origin: &str) -> Result<(), SettingsProblem> {
    let wrong = |key: &str, what: String, help: &str| Err(SettingsProblem::value(origin, key, what, help));
    for (key, address) in [
        ("console.listen", &settings.console.listen),
        ("telemetry.listen", &settings.telemetry.listen),
    ] {
        if address.parse::<SocketAddr>().is_err() {
            return wrong(
                key,
                format!("{address:?} is not an address with a port"),
                "write it as 127.0.0.1:8080",
            );
        }
    }
    let kafka = &settings.kafka;
    if !(1..=1000).contains(&kafka.partitions) {
        return wrong(
            "kafka.partitions",
            format!("{} is not in 1..=1000", kafka.partitions),
            "6 serves some 60 mines",
        );
    }
    if !(1..=9).contains(&kafka.replication) {
        return wrong(
            "kafka.replication",
            format!("{} is not in 1..=9", kafka.replication),
            "1 broker: 1; 3 brokers: 3",
        );
    }
    let extractor = &settings.extractor;
    if !(64..=3840).contains(&extractor.picture_width) || !extractor.picture_width.is_multiple_of(2) {
        return wrong(
            "extractor.picture_width",
            format!("{} is not an even number in 64..=3840", extractor.picture_width),
            "640 is what the detector needs",
        );
    }
    if !(1..=100).contains(&extractor.jpeg_quality) {
        return wrong(
            "extractor.jpeg_quality",
            format!("{} is not in 1..=100", extractor.jpeg_quality),
            "75 is usual",
        );
    }
    if !(0.5..=600.0).contains(&extractor.stall_seconds) {
        return wrong(
            "extractor.stall_seconds",
            format!("{} is not in 0.5..=600", extractor.stall_seconds),
            "5 is usual",
        );
    }
    if !decodes(&extractor.decode_device) {
        return wrong(
            "extractor.decode_device",
            format!("{:?} is no device", extractor.decode_device),
            "cpu, vaapi, vaapi:/dev/dri/renderD128 or cuda:0",
        );
    }
    let inference = &settings.inference;
    for (key, side) in [
        ("inference.input_width", inference.input_width),
        ("inference.input_height", inference.input_height),
    ] {
        if side % 32 != 0 || side > 4096 {
            return wrong(
                key,
                format!("{side} is not a multiple of 32 up to 4096"),
                "0 takes what the weights suggest",
            );
        }
    }
    let on_device = |number: &str| number.parse::<u16>().is_ok();
    if inference.device != "cpu" && !inference.device.strip_prefix("cuda:").is_some_and(on_device) {
        return wrong(
            "inference.device",
            format!("{:?} is no device", inference.device),
            "cpu, or cuda:0 for the first NVIDIA device",
        );
    }
    if !(1..=256).contains(&inference.batch) {
        return wrong(
            "inference.batch",
            format!("{} is not in 1..=256", inference.batch),
            "4 on a CPU",
        );
    }
    if !(0.0..1.0).contains(&inference.score_threshold) {
        return wrong(
            "inference.score_threshold",
            format!("{} is not in 0..1", inference.score_threshold),
            "0.1 is usual",
        );
    }
    if !(1..=10_000).contains(&settings.counter.commit_interval_milliseconds) {
        return wrong(
            "counter.commit_interval_milliseconds",
            "not in 1..=10000".into(),
            "100 is usual",
        );
    }
    if settings.counter.batch_records == 0 || settings.sink.batch_rows == 0 {
        return wrong(
            "counter.batch_records, sink.batch_rows",
            "0 would send nothing".into(),
            "leave them out",
        );
    }
    let database = &settings.clickhouse.database;
    if database.is_empty()
        || !database
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return wrong(
            "clickhouse.database",
            format!("{database:?} is not a plain name"),
            "letters, digits and _ only",
        );
    }
    for platform in &settings.forwarder.platform {
        if !platform.url.starts_with("http://") && !platform.url.starts_with("https://") {
            return wrong(
                "forwarder.platform.url",
                format!("{:?} is not an HTTP URL", platform.url),
                "https://host/base",
            );
        }
    }
    Ok(())
}

fn check_evidence(evidence: &EvidenceSettings, origin: &str) -> Result<(), SettingsProblem> {
    let wrong = |key: &str, what: &str, help: &str| Err(SettingsProblem::value(origin, key, what, help));
    let s3 = &evidence.s3;
    if !evidence.location.starts_with("s3://") && *s3 != S3Settings::default() {
        return wrong(
            "evidence.s3",
            "is set, while evidence.location is a folder",
            "set evidence.location to s3://BUCKET/PREFIX, or take evidence.s3 out",
        );
    }
    if !s3.endpoint.is_empty() && !s3.endpoint.starts_with("http://") && !s3.endpoint.starts_with("https://")
    {
        return wrong(
            "evidence.s3.endpoint",
            "is not an HTTP URL",
            "https://host:port, without the bucket",
        );
    }
    if s3.access_key_id_file.as_os_str().is_empty() != s3.secret_access_key_file.as_os_str().is_empty() {
        return wrong(
            "evidence.s3.access_key_id_file, evidence.s3.secret_access_key_file",
            "one is set and the other is not",
            "name a file for both, or neither and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> EnvironmentVariable {
        (name.to_owned(), value.to_owned())
    }

    fn load_text(text: &str) -> Result<Settings, SettingsProblem> {
        let folder = std::env::temp_dir().join(format!("mineseal-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!(
            "{:x}.toml",
            text.len() * 31 + text.bytes().map(usize::from).sum::<usize>()
        ));
        std::fs::write(&path, text).unwrap();
        load(Some(&path), [])
    }

    #[test]
    fn the_environment_lies_over_the_defaults() {
        let settings = load(
            None,
            [
                variable("MINESEAL_INFERENCE__WORKERS", "3"),
                variable("MINESEAL_KAFKA__TOPIC_PREFIX", "test."),
                variable("KAFKA_BROKERS", "broker:9092"),
                variable("HOME", "/root"),
            ],
        )
        .unwrap();
        assert_eq!(settings.inference.workers, 3);
        assert_eq!(settings.kafka.topic_prefix, "test.");
        assert_eq!(settings.kafka.brokers, "broker:9092");
    }

    #[test]
    fn text_that_reads_as_a_number_stays_text() {
        let secret = "MINESEAL_KAFKA__PROPERTIES__SASL.PASSWORD";
        for value in [
            "12345",
            "1.50",
            "true",
            "1979-05-27",
            "[7]",
            "{ a = 1 }",
            "0123",
            "a b",
            "",
        ] {
            let settings = load(None, [variable(secret, value)]).unwrap();
            assert_eq!(settings.kafka.properties["sasl.password"], value);
        }
        let settings = load(
            None,
            [
                variable(secret, "\"12345\""),
                variable("MINESEAL_KAFKA__PROPERTIES__SOCKET.TIMEOUT.MS", "30000"),
                variable("MINESEAL_KAFKA__TOPIC_PREFIX", "7"),
                variable("MINESEAL_DATA_DIRECTORY", "2026"),
                variable("MINESEAL_KAFKA__PARTITIONS", "12"),
            ],
        )
        .unwrap();
        // Quotes of its own were asked for once.
        assert_eq!(settings.kafka.properties["sasl.password"], "12345");
        assert_eq!(settings.kafka.properties["socket.timeout.ms"], "30000");
        assert_eq!(settings.kafka.topic_prefix, "7");
        assert_eq!(settings.data_directory, Path::new("2026"));
        assert_eq!(settings.kafka.partitions, 12);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let problem = load(None, [variable("MINESEAL_INFERENCE__WORKERS", "many")])
            .unwrap_err()
            .to_string();
        assert!(problem.contains("MINESEAL_INFERENCE__WORKERS"), "{problem}");
        assert!(problem.contains("inference.workers"), "{problem}");
    }

    #[test]
    fn a_wrong_value_names_file_line_and_key() {
        let problem = load_text("[inference]\nworkers = \"two\"\n")
            .unwrap_err()
            .to_string();
        assert!(
            problem.contains("line 2") && problem.contains("inference.workers"),
            "{problem}"
        );
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let problem = load_text("[console]\nlissten = \"127.0.0.1:1\"\n")
            .unwrap_err()
            .to_string();
        assert!(
            problem.contains("lissten") && problem.contains("listen"),
            "{problem}"
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (text, key) in [
            ("[console]\nlisten = \"nowhere\"\n", "console.listen"),
            ("[extractor]\njpeg_quality = 0\n", "extractor.jpeg_quality"),
            (
                "[extractor]\ndecode_device = \"cuda\"\n",
                "extractor.decode_device",
            ),
            (
                "[extractor]\ndecode_device = \"vaapi:0\"\n",
                "extractor.decode_device",
            ),
            ("[inference]\ninput_width = 100\n", "inference.input_width"),
            ("[inference]\ndevice = \"gpu\"\n", "inference.device"),
            ("[inference]\ndevice = \"cuda:first\"\n", "inference.device"),
            ("[clickhouse]\ndatabase = \"a;b\"\n", "clickhouse.database"),
            ("[evidence.s3]\nendpoint = \"http://a\"\n", "evidence.s3"),
            (
                "[evidence]\nlocation = \"s3://b\"\ns3.endpoint = \"a:9000\"\n",
                "evidence.s3.endpoint",
            ),
            (
                "[evidence]\nlocation = \"s3://b\"\ns3.access_key_id_file = \"/id\"\n",
                "evidence.s3.secret_access_key_file",
            ),
        ] {
            let problem = load_text(text).unwrap_err().to_string();
            assert!(problem.contains(key), "{problem}");
        }
        for right in [
            "[inference]\ndevice = \"cuda:1\"\n",
            "[extractor]\ndecode_device = \"cuda:0\"\n",
            "[extractor]\ndecode_device = \"vaapi:/dev/dri/renderD129\"\n",
        ] {
            load_text(right).unwrap();
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let text = toml::to_string(&Settings::default()).unwrap();
        load_text(&text).unwrap();
    }
}
