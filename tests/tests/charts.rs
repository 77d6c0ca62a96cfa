//! The chart and the cluster's own documents are what Kubernetes takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Helm from the path, or as `scripts/helm.sh` builds it from its Go module.
fn helm() -> Option<PathBuf> {
    let output = Command::new(root().join("scripts/helm.sh")).output().unwrap();
    let path = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| PathBuf::from(path.trim()))
}

fn template(settings: &[&str]) -> Option<Vec<Value>> {
    let Some(helm) = helm() else {
        println!("skipped: the chart needs helm, and there is neither helm nor Go to build it");
        return None;
    };
    let mut command = Command::new(helm);
    command
        .args(["template", "release", "--kube-version", "1.34.0"])
        .arg(root().join("helm/mineseal"));
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    Some(documents(&String::from_utf8(output.stdout).unwrap()))
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

fn typed<T: DeserializeOwned + serde::Serialize>(document: &Value) -> T {
    let name = format!("{:?} {:?}", document["kind"], document["metadata"]["name"]);
    let value: T =
        serde_yaml_ng::from_value(document.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    // What the type does not know would be dropped in silence by the cluster: compare what is left.
    let back = serde_yaml_ng::to_value(&value).unwrap();
    assert_keeps(document, &back, &name);
    value
}

fn assert_keeps(written: &Value, kept: &Value, path: &str) {
    if let Value::Mapping(map) = written {
        for (key, value) in map {
            let key_text = key.as_str().unwrap_or("?");
            let empty = value.as_mapping().is_some_and(serde_yaml_ng::Mapping::is_empty) || value.is_null();
            assert!(
                empty || kept.get(key).is_some(),
                "{path}: the field {key_text} is not known to Kubernetes"
            );
            if let Some(kept) = kept.get(key) {
                assert_keeps(value, kept, &format!("{path}.{key_text}"));
            }
        }
    } else if let (Value::Sequence(written), Value::Sequence(kept)) = (written, kept) {
        for (index, (written, kept)) in written.iter().zip(kept).enumerate() {
            assert_keeps(written, kept, &format!("{path}[{index}]"));
        }
    }
}

fn check(document: &Value) -> &str {
    let kind = document["kind"].as_str().unwrap();
    match kind {
        "Deployment" => drop(typed::<Deployment>(document)),
        "StatefulSet" => drop(typed::<StatefulSet>(document)),
        "Job" => drop(typed::<Job>(document)),
        "ConfigMap" => drop(typed::<ConfigMap>(document)),
        "Namespace" => drop(typed::<Namespace>(document)),
        "Service" => drop(typed::<Service>(document)),
        "ServiceAccount" => drop(typed::<ServiceAccount>(document)),
        "PersistentVolumeClaim" => drop(typed::<PersistentVolumeClaim>(document)),
        "PodDisruptionBudget" => drop(typed::<PodDisruptionBudget>(document)),
        "Ingress" => drop(typed::<Ingress>(document)),
        "NetworkPolicy" => drop(typed::<NetworkPolicy>(document)),
        // The operators' own kinds have no type here; `make check-chart` compares them with their definitions.
        "Kafka" | "KafkaNodePool" | "KafkaTopic" | "KafkaUser" => {}
        other => panic!("{other} is not expected"),
    }
    kind
}

#[test]
fn every_document_is_a_typed_object() {
    let Some(documents) = template(&["console.ingress.enabled=true"]) else {
        return;
    };
    let kinds: Vec<&str> = documents.iter().map(check).collect();
    // The counter has a lasting name; the other five services do not need one.
    for (kind, count) in [("Deployment", 5), ("StatefulSet", 1)] {
        let found = kinds.iter().filter(|found| **found == kind).count();
        assert_eq!(found, count, "{kind}: {kinds:?}");
    }
    for kind in [
        "Job",
        "ConfigMap",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ServiceAccount",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing");
    }
}

#[test]
fn inference_asks_for_a_gpu_where_one_is_wanted_and_nobody_else_does() {
    let Some(documents) = template(&["inference.gpu.enabled=true"]) else {
        return;
    };
    for document in documents
        .iter()
        .filter(|document| document["kind"] == "Deployment")
    {
        let deployment: Deployment = typed(document);
        let pod = deployment.spec.unwrap().template.spec.unwrap();
        let limits = pod.containers[0].resources.clone().unwrap().limits.unwrap();
        let is_inference = deployment.metadata.name.unwrap().ends_with("-inference");
        assert_eq!(limits.contains_key("nvidia.com/gpu"), is_inference);
    }
}

#[test]
fn the_configuration_in_the_chart_is_one_that_the_program_takes() {
    let everything = [
        "forwarder.platforms[0].name=region,forwarder.platforms[0].kind=coal-json,forwarder.platforms[0].url=https://platform.example.cn/coal",
        "forwarder.platforms[0].clientId=seal,forwarder.platforms[0].clientSecret.name=a,forwarder.platforms[0].clientSecret.key=b",
        "forwarder.platforms[0].codeTable.name=a,forwarder.platforms[0].codeTable.key=b",
        "kafka.tls.enabled=true,kafka.tls.caSecret=ca,kafka.tls.userSecret=user",
        "clickhouse.passwordSecret=a,cameras.credentialsSecret=a",
        "inference.weightsClaim=a,inference.weightsFile=own.safetensors",
        "telemetry.otlpEndpoint=http://collector:4318",
    ];
    let properties = ["kafka.properties.security\\.protocol=SSL"];
    for settings in [&everything[..], &properties[..], &[]] {
        let Some(documents) = template(settings) else {
            return;
        };
        for config in documents
            .iter()
            .filter(|document| document["kind"] == "ConfigMap")
        {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("mineseal.toml");
            std::fs::write(&file, config["data"]["mineseal.toml"].as_str().unwrap()).unwrap();
            let output = Command::new(mineseal_system_tests::program("mineseal").unwrap())
                .args(["--config", file.to_str().unwrap(), "config", "check"])
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{settings:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn what_the_cluster_must_have_is_typed_too() {
    let folder = root().join("k8s/base");
    let list: Value =
        serde_yaml_ng::from_str(&std::fs::read_to_string(folder.join("kustomization.yaml")).unwrap())
            .unwrap();
    for resource in list["resources"].as_sequence().unwrap() {
        let file = folder.join(resource.as_str().unwrap());
        for document in documents(&std::fs::read_to_string(&file).unwrap()) {
            check(&document);
        }
    }
}
