//! What the engineers look at: every service as a process of its own, scraped by a real Prometheus, its traces in a real
//! OpenTelemetry Collector. `make test-observability` brings both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mineseal_scene::{DemoCourse, Scene, SceneKind, SceneScript, write_video};
use mineseal_system_tests::{Engines, Site, free_port, program};
use serde_json::Value;

const SERVICES: [&str; 6] = [
    "frame-extractor",
    "inference",
    "counter",
    "clickhouse-sink",
    "platform-forwarder",
    "console",
];
/// Those that a picture goes through on its way to a row.
const WAY: [&str; 4] = ["frame-extractor", "inference", "counter", "clickhouse-sink"];
const PATIENCE: Duration = Duration::from_secs(300);

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(mut command: Command, log: &Path) -> Running {
    let log = File::create(log).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    Running(command.spawn().unwrap())
}

fn tool(name: &str) -> PathBuf {
    let folder = std::env::var("OBSERVABILITY_TOOLS").expect("run it by `make test-observability`");
    Path::new(&folder).join(name)
}

fn mines(site: &Site) -> PathBuf {
    let clip = site.path("shaft.mp4");
    let script = SceneScript::demo(
        SceneKind::ShaftMouth,
        21,
        60.0,
        DemoCourse::Working { peak_people: 4 },
    );
    let scene = Scene::new(script).unwrap();
    let line = scene.lines()[0].line;
    write_video(&scene, &clip, |_, _| {}).unwrap();
    let path = site.path("mines.toml");
    let text = format!(
        r#"
[[mine]]
code = "150602999106"
name = "观测"
headcount_limit = 20
[[mine.camera]]
code = "150602004199969991064201"
name = "主井口"
place = 42
source = "{}"
repeat = true
frames_per_second = 5
analyses = ["person_crossing"]
[[mine.camera.line]]
name = "mouth"
from = [{}, {}]
to = [{}, {}]
"#,
        clip.display(),
        line.from.x,
        line.from.y,
        line.to.x,
        line.to.y
    );
    fs::write(&path, text).unwrap();
    path
}

fn finish(mut command: Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn start_collector(site: &Site) -> (Running, String, PathBuf) {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let config = site.path("collector.yaml");
    let text = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: \"{address}\"}}}}}}}}\n\
         exporters: {{debug: {{verbosity: detailed, sampling_initial: 1000000}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
         pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}\n"
    );
    fs::write(&config, text).unwrap();
    let log = site.path("collector.log");
    let mut command = Command::new(tool("collector"));
    command.arg("--config").arg(&config);
    (start(command, &log), format!("http://{address}"), log)
}

/// For each trace the services that had a part in it, read from what the collector prints.
fn traces(log: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    let (mut traces, mut service) = (BTreeMap::<String, BTreeSet<String>>::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.split("-> service.name: Str(").nth(1) {
            name.trim_end_matches(')').clone_into(&mut service);
        } else if let Some(trace) = line.trim().strip_prefix("Trace ID") {
            let trace = trace.trim_start_matches([' ', ':']).to_owned();
            traces.entry(trace).or_default().insert(service.clone());
        }
    }
    traces
}

fn start_prometheus(site: &Site, targets: &[String]) -> (Running, String) {
    let rules: Value = serde_yaml_ng::from_str(include_str!("../../k8s/monitoring/rules.yaml")).unwrap();
    let rules = serde_yaml_ng::to_string(&rules["spec"]).unwrap();
    fs::write(site.path("rules.yml"), rules).unwrap();
    let targets = serde_json::to_string(targets).unwrap();
    let text = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: [rules.yml]\n\
         scrape_configs:\n  - job_name: mineseal\n    static_configs: [{{targets: {targets}, labels: {{namespace: tests}}}}]\n"
    );
    fs::write(site.path("prometheus.yml"), text).unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let mut command = Command::new(tool("prometheus"));
    command
        .arg(format!("--config.file={}", site.path("prometheus.yml").display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            site.path("prometheus").display()
        ))
        .arg(format!("--web.listen-address={address}"));
    (start(command, &site.path("prometheus.log")), address)
}

async fn asked(address: &str, path: &str, query: &[(&str, &str)]) -> Option<Value> {
    let url = reqwest::Url::parse_with_params(&format!("http://{address}/api/v1/{path}"), query).unwrap();
    reqwest::get(url).await.ok()?.json().await.ok()
}

/// Waits until `found` finds what it looks for.
async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus and a collector: make test-observability"]
async fn prometheus_scrapes_every_service_and_traces_reach_from_camera_to_row() {
    let site = Site::new(Engines::Shared).unwrap();
    let (_collector, endpoint, spans) = start_collector(&site);
    let mines = mines(&site);
    finish(site.command(&["prepare"]).unwrap());
    finish(
        site.command(&["mines", "apply", &mines.to_string_lossy()])
            .unwrap(),
    );

    let mut running = Vec::new();
    let mut targets = Vec::new();
    for service in SERVICES {
        let listen = format!("127.0.0.1:{}", free_port().unwrap());
        let settings = site.command(&[]).unwrap();
        let mut command = Command::new(program(&format!("mineseal-{service}")).unwrap());
        command
            .envs(
                settings
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("MINESEAL_TELEMETRY__LISTEN", &listen)
            .env("MINESEAL_TELEMETRY__OTLP_ENDPOINT", &endpoint)
            .env("MINESEAL_DATA_DIRECTORY", site.path("data"));
        running.push(start(command, &site.path(&format!("{service}.log"))));
        targets.push(listen);
    }
    let (_prometheus, prometheus) = start_prometheus(&site, &targets);

    let states = until("every service is scraped", async || {
        let answer = asked(&prometheus, "targets", &[]).await?;
        let states: Vec<String> = answer["data"]["activeTargets"]
            .as_array()?
            .iter()
            .map(|target| format!("{} {}", target["health"], target["lastError"]))
            .collect();
        let up = states.iter().filter(|state| state.starts_with("\"up\"")).count();
        (up == SERVICES.len()).then_some(states)
    })
    .await;
    assert_eq!(states.len(), SERVICES.len());
    for service in SERVICES {
        until(service, async || {
            let query = format!("count({{service=\"{service}\",__name__=~\"mineseal_.*\"}})");
            let answer = asked(&prometheus, "query", &[("query", &query)]).await?;
            answer["data"]["result"][0]["value"][1]
                .as_str()?
                .parse::<u32>()
                .ok()
        })
        .await;
    }
    until("recorded series", async || {
        let query = [("query", "mineseal:received:rate5m{service=\"counter\"} > 0")];
        asked(&prometheus, "query", &query).await?["data"]["result"]
            .get(0)
            .cloned()
    })
    .await;
    let rules = asked(&prometheus, "rules", &[]).await.unwrap();
    let groups = rules["data"]["groups"].as_array().unwrap();
    let all: Vec<&Value> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert!(all.len() > 10, "{rules:#}");
    for rule in &all {
        assert_eq!(rule["health"], "ok", "{rule:#}");
    }
    let down = all
        .iter()
        .find(|rule| rule["name"] == "MinesealServiceDown")
        .unwrap();
    assert_eq!(down["state"], "inactive", "{down:#}");

    let whole = until("a trace from the camera to a row", async || {
        let wanted: BTreeSet<String> = WAY.iter().map(|name| (*name).to_owned()).collect();
        traces(&spans)
            .into_values()
            .find(|services| services.is_superset(&wanted))
    })
    .await;
    println!(
        "{} rules, {} targets, a trace through {whole:?}",
        all.len(),
        states.len()
    );
}
