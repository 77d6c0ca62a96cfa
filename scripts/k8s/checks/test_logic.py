"""What the templates decide: who gets which volume, secret, device, port and right."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from conftest import CHART, ROOT, TOOLS, of_kind, one, pod, render, values, workloads
from test_values import EVERYTHING, MATRIX, PRODUCTION, S3

SERVICES = ["frame-extractor", "inference", "counter", "clickhouse-sink", "platform-forwarder", "console"]


def named(documents, service):
    return next(w for w in workloads(documents) if w["metadata"]["name"] == f"release-mineseal-{service}")


@pytest.mark.parametrize("case", MATRIX)
def test_every_pod_is_restricted_and_holds_no_token(case):
    settings, files = MATRIX[case]
    documents = render(*settings, files=files)
    accounts = {a["metadata"]["name"]: a for a in of_kind(documents, "ServiceAccount")}
    for workload in workloads(documents):
        spec = pod(workload)
        name = workload["metadata"]["name"]
        assert spec["automountServiceAccountToken"] is False, name
        assert accounts[spec["serviceAccountName"]]["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, "service links would be read as settings"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert key not in spec, name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}, volume
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}, name
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert requests["cpu"] and requests["memory"] and limits["memory"], name


def test_secrets_are_named_and_never_held():
    documents = render(*EVERYTHING, files=PRODUCTION)
    assert not of_kind(documents, "Secret")
    for workload in workloads(documents):
        for container in pod(workload)["containers"]:
            for variable in container.get("env", []):
                assert not re.search("PASSWORD|SECRET", variable["name"]) or "valueFrom" in variable


# Which Secrets a service sees: those that it uses and no more.
SECRETS = {
    "frame-extractor": {"ca", "mineseal-frame-extractor", "cameras"},
    "inference": {"ca", "mineseal-inference"},
    "counter": {"ca", "mineseal-counter"},
    "clickhouse-sink": {"ca", "mineseal-clickhouse-sink", "clickhouse"},
    "platform-forwarder": {"ca", "mineseal-platform-forwarder", "region"},
    "console": {"ca", "mineseal-console"},
    "prepare": {"ca", "user", "clickhouse"},
    "registration": {"ca", "user"},
}


@pytest.mark.parametrize("service", SECRETS)
def test_a_service_sees_the_secrets_that_it_uses(service):
    spec = pod(named(render(*EVERYTHING, files=PRODUCTION), service))
    assert {v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v} == SECRETS[service]


def test_only_extractors_and_consoles_share_the_evidence():
    for service in SERVICES:
        claims = [v for v in pod(named(render(), service))["volumes"] if "persistentVolumeClaim" in v]
        assert bool(claims) == (service in ("frame-extractor", "console")), service


def test_in_s3_extractors_and_consoles_alone_see_the_key_and_nobody_has_a_volume():
    documents = render(*EVERYTHING, *S3, files=PRODUCTION)
    assert not of_kind(documents, "PersistentVolumeClaim")
    for service in SERVICES:
        volumes = pod(named(documents, service))["volumes"]
        assert not [v for v in volumes if v["name"] == "evidence"]
        shares = {"key", "authority"} if service in ("frame-extractor", "console") else set()
        assert {v["secret"]["secretName"] for v in volumes if "secret" in v} == SECRETS[service] | shares


def test_in_s3_the_configuration_names_the_bucket_and_files_that_are_there():
    documents = render(*S3)
    text = one(documents, "ConfigMap", "release-mineseal")["data"]["mineseal.toml"]
    assert tomllib.loads(text)["evidence"] == {
        "location": "s3://pictures/site-1/seal",
        "s3": {
            "endpoint": "https://pictures.example.cn:9000", "region": "cn-1", "bucket_in_host": True,
            "access_key_id_file": "/secrets/evidence/access-key-id",
            "secret_access_key_file": "/secrets/evidence/secret-access-key",
            "ca_file": "/secrets/evidence-ca/ca.crt",
        },
    }
    for service in ("frame-extractor", "console"):
        mounts = {m["name"]: m["mountPath"] for m in pod(named(documents, service))["containers"][0]["volumeMounts"]}
        assert (mounts["evidence-key"], mounts["evidence-ca"]) == ("/secrets/evidence", "/secrets/evidence-ca")
    settings = ("evidence.store=s3", "evidence.s3.bucket=pictures", "evidence.s3.credentialsSecret=key")
    text = one(render(*settings), "ConfigMap", "release-mineseal")["data"]["mineseal.toml"]
    assert tomllib.loads(text)["evidence"]["location"] == "s3://pictures"


@pytest.mark.parametrize(("endpoint", "port"), [("https://pictures.example.cn:9000", 9000), ("http://pictures", 80), ("", 443)])
def test_in_s3_extractors_and_consoles_alone_reach_the_server(endpoint, port):
    documents = render(*EVERYTHING, *S3, f"evidence.s3.endpoint={endpoint}", "kafka.brokers=a:9093\\,b:9093")
    for component, (out, into) in REACH.items():
        more = {port} if component in ("frame-extractor", "console") else set()
        assert reach(documents, component) == (out | more, into), component


def test_the_volume_of_evidence_stays():
    claim = of_kind(render(), "PersistentVolumeClaim")[0]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(render("evidence.existingClaim=there"), "PersistentVolumeClaim")


def test_the_counter_keeps_its_name_and_waits_for_no_other():
    counter = named(render(), "counter")
    assert counter["kind"] == "StatefulSet"
    assert counter["spec"]["podManagementPolicy"] == "Parallel"
    service = one(render(), "Service", counter["spec"]["serviceName"])
    assert service["spec"]["clusterIP"] == "None"


def test_probes_ask_what_they_mean_and_the_page_of_health_is_served():
    page = (ROOT / "crates/telemetry/src/server.rs").read_text(encoding="utf-8")
    for service in SERVICES:
        container = pod(named(render(), service))["containers"][0]
        for probe, path in [("startup", "/startupz"), ("liveness", "/livez"), ("readiness", "/readyz")]:
            request = container[f"{probe}Probe"]["httpGet"]
            assert request == {"path": path, "port": "metrics"}
            assert f'"{path}"' in page, f"{path} is not served"
        startup = container["startupProbe"]
        # Startup means that Kafka answered once; an outage must not become a loop of restarts.
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 3600


def seconds(file, name):
    text = (ROOT / file).read_text(encoding="utf-8")
    return int(re.search(rf"{name}: Duration = Duration::from_secs\((\d+)\)", text).group(1))


def test_the_grace_is_longer_than_the_longest_drain():
    # Inference gives its frames in hand so long, and then the commit once more.
    drain = 2 * seconds("services/inference/src/service.rs", "DRAIN")
    longest = max(drain, seconds("services/platform-forwarder/src/lane.rs", "DRAIN_DEADLINE"),
                  seconds("services/frame-extractor/src/evidence.rs", "DRAIN_DEADLINE"))
    for service in SERVICES:
        spec = pod(named(render(), service))
        before = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= longest + before + 10, service
        # Only who is sent requests has to wait until they are sent elsewhere.
        assert bool(before) == (service == "console")


def test_a_gpu_goes_to_inference_alone_with_its_place():
    documents = render("inference.gpu.enabled=true", "inference.gpu.nodeSelector.pool=gpu", "inference.gpu.count=2")
    for service in SERVICES:
        spec = pod(named(documents, service))
        limits = spec["containers"][0]["resources"]["limits"]
        assert limits.get("nvidia.com/gpu") == (2 if service == "inference" else None)
        assert spec.get("nodeSelector") == ({"pool": "gpu"} if service == "inference" else None)
        assert bool(spec.get("tolerations")) == (service == "inference")
    spec = pod(named(render(), "inference"))
    assert "tolerations" not in spec and set(spec["containers"][0]["resources"]["limits"]) == {"memory"}


def test_a_build_for_the_gpu_is_used_by_inference_alone():
    documents = render("inference.gpu.enabled=true", "inference.gpu.image.repository=seal-gpu", "image.tag=v7")
    images = {service: pod(named(documents, service))["containers"][0]["image"] for service in SERVICES}
    assert images.pop("inference").startswith("seal-gpu:")
    assert set(images.values()) == {"mineseal:v7"}


def test_more_than_one_pod_has_a_budget_and_one_has_none():
    def budgets(*settings, files=()):
        return {b["metadata"]["labels"]["app.kubernetes.io/component"] for b in
                of_kind(render(*settings, files=files), "PodDisruptionBudget")}

    assert budgets() == set(SERVICES)
    # With one pod a budget would hold up every drain.
    assert budgets(files=MATRIX["embedded"][1]) == set()
    for budget in of_kind(render(), "PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] == 1


def test_a_large_fleet_is_replaced_by_tenths_and_never_with_pods_beside_it():
    # Kubernetes rounds down, and takes one where that gives none.
    for settings in ((), ("mines=200",)):
        for workload in workloads(render(*settings)):
            if workload["kind"] == "Deployment" and workload["metadata"]["name"] != "release-mineseal-console":
                assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "10%"}


def test_labels_select_the_pods_of_one_service():
    documents = render(*EVERYTHING)
    for kind, selector in [("Service", ["selector"]), ("PodDisruptionBudget", ["selector", "matchLabels"])]:
        for document in of_kind(documents, kind):
            wanted = document["spec"]
            for key in selector:
                wanted = wanted[key]
            hits = [w for w in workloads(documents)
                    if wanted.items() <= w["spec"]["template"]["metadata"]["labels"].items()]
            assert len(hits) == 1, document["metadata"]["name"]


def reach(documents, component):
    """Ports that a component may reach, and those where it may be reached; None stands for any."""
    labels = {"app.kubernetes.io/name": "mineseal", "app.kubernetes.io/instance": "release",
              "app.kubernetes.io/component": component}
    out, into, isolated = set(), set(), set()
    for policy in of_kind(documents, "NetworkPolicy"):
        spec = policy["spec"]
        if not spec["podSelector"]["matchLabels"].items() <= labels.items():
            continue
        isolated |= set(spec["policyTypes"])
        for rules, found in [(spec.get("egress", []), out), (spec.get("ingress", []), into)]:
            for rule in rules:
                assert rule.get("ports"), f"{policy['metadata']['name']} opens every port"
                found |= {port["port"] for port in rule["ports"]}
    assert isolated == {"Ingress", "Egress"}, f"{component} is not isolated"
    return out, into


REACH = {
    "frame-extractor": ({53, 9093, 4318, 554}, {9464}),
    "inference": ({53, 9093, 4318}, {9464}),
    "counter": ({53, 9093, 4318}, {9464}),
    "clickhouse-sink": ({53, 9093, 4318, 8123}, {9464}),
    "platform-forwarder": ({53, 9093, 4318, 443, 8443}, {9464}),
    "console": ({53, 9093, 4318}, {9464, 8080}),
    "prepare": ({53, 9093, 4318, 8123}, {9464}),
    "registration": ({53, 9093, 4318}, {9464}),
}


@pytest.mark.parametrize("component", REACH)
def test_a_pod_reaches_what_it_needs_and_no_more(component):
    documents = render(*EVERYTHING, "kafka.brokers=a:9093\\,b:9093")
    assert reach(documents, component) == REACH[component]


def test_the_preparing_job_reads_the_new_values_and_runs_first():
    documents = render("kafka.topicPrefix=fresh")
    job = one(documents, "Job", "release-mineseal-prepare")
    config = next(v["configMap"]["name"] for v in pod(job)["volumes"] if "configMap" in v)
    before = [one(documents, "ConfigMap", config), one(documents, "ServiceAccount", pod(job)["serviceAccountName"])]
    for document in [job, *before]:
        assert "pre-upgrade" in document["metadata"]["annotations"]["helm.sh/hook"]
        assert "pre-install" in document["metadata"]["annotations"]["helm.sh/hook"]
    for document in before:
        assert int(document["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
    assert 'topic_prefix = "fresh"' in before[0]["data"]["mineseal.toml"]
    assert pod(job)["containers"][0]["command"] == ["/usr/local/bin/mineseal"]
    assert pod(job)["containers"][0]["args"][-1] == "prepare"
    assert not of_kind(render("prepare.enabled=false"), "Job")


def test_the_same_configuration_is_read_by_all_and_its_change_rolls_the_pods():
    def annotation(*settings):
        return {w["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
                for w in workloads(render(*settings)) if w["kind"] != "Job"}

    assert len(annotation()) == 1
    assert annotation() != annotation("telemetry.filter=debug")
    # What does not change the configuration must not restart what it does not concern.
    assert annotation() == annotation("services.console.replicas=3")


def test_large_numbers_among_the_properties_of_kafka_are_written_out(tmp_path):
    # Numbers of a file are floats for Helm.
    file = tmp_path / "values.yaml"
    file.write_text("kafka: {properties: {fetch.max.bytes: 12345678, socket.keepalive.enable: true, client.rack: 1e3x}}\n")
    text = one(render(files=(file,)), "ConfigMap", "release-mineseal")["data"]["mineseal.toml"]
    assert tomllib.loads(text)["kafka"]["properties"] == {
        "fetch.max.bytes": "12345678", "socket.keepalive.enable": "true", "client.rack": "1e3x"}


def stored_topics():
    """Names of the topics that the sink stores, out of its source."""
    table = re.search(r"^stored_topics! \{(.*?)^\}", (ROOT / "services/clickhouse-sink/src/tables.rs").read_text(encoding="utf-8"),
                      re.MULTILINE | re.DOTALL).group(1)
    names = dict(re.findall(r'Self::(\w+) => "([a-z-]+)"', (ROOT / "schemas/src/topics.rs").read_text(encoding="utf-8")))
    return [names[topic] for topic in re.findall(r"^    (\w+) =>", table, re.MULTILINE)]


def test_keda_scales_what_follows_lag_between_the_derived_and_the_partitions():
    documents = render("keda.enabled=true")
    scaled = {s["metadata"]["labels"]["app.kubernetes.io/component"]: s["spec"]
              for s in of_kind(documents, "ScaledObject")}
    assert set(scaled) == {"inference", "counter", "clickhouse-sink"}
    for name, spec in scaled.items():
        assert {trigger["metadata"]["consumerGroup"] for trigger in spec["triggers"]} == {f"mineseal.{name}"}
        # What asks twice between two commits sees lag that stands still, which does not count.
        assert all(trigger["useCachedMetrics"] is True and trigger["metadata"]["excludePersistentLag"] == "true"
                   for trigger in spec["triggers"])
    # Named, all of them: without a name KEDA takes every topic of the broker until the group has committed something.
    topics = {name: [trigger["metadata"]["topic"] for trigger in spec["triggers"]] for name, spec in scaled.items()}
    assert topics["inference"] == ["mineseal.frames"]
    assert topics["counter"] == ["mineseal.detections"]
    assert sorted(topics["clickhouse-sink"]) == sorted(f"mineseal.{topic}" for topic in stored_topics())
    for service, spec in scaled.items():
        target = named(documents, service)
        assert spec["scaleTargetRef"]["kind"] == target["kind"]
        assert spec["scaleTargetRef"]["name"] == target["metadata"]["name"]
        assert "replicas" not in target["spec"], "Helm and KEDA would pull at the same number"
        assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= 24
        assert spec["fallback"]["replicas"] == spec["minReplicaCount"]
    assert "replicas" in named(documents, "console")["spec"]


def test_groups_and_topics_of_keda_are_those_of_the_services():
    sources = {
        "inference": ("services/inference/src/record.rs", r'SERVICE: &str = "inference"'),
        "counter": ("services/counter/src/settings.rs", r'group: "counter"'),
        "clickhouse-sink": ("services/clickhouse-sink/src/settings.rs", r'group: "clickhouse-sink"'),
    }
    for file, pattern in sources.values():
        assert re.search(pattern, (ROOT / file).read_text(encoding="utf-8")), f"{file}: {pattern}"


def test_every_command_is_a_program_of_this_repository():
    for workload in workloads(render(*EVERYTHING)):
        program = pod(workload)["containers"][0]["command"][0].removeprefix("/usr/local/bin/")
        name = program.removeprefix("mineseal-")
        manifest = (ROOT / "services" / name / "Cargo.toml").read_text(encoding="utf-8")
        assert re.search(rf'^name = "{program}"$', manifest, re.MULTILINE), program


def test_the_notes_tell_what_to_do_next(tmp_path):
    # `helm template` does not print the notes: a copy of the chart has them in a document.
    copy = tmp_path / "mineseal"
    shutil.copytree(CHART, copy)
    (copy / "templates/printed.yaml").write_text('text: {{ include "mineseal.notes" . | quote }}\n', encoding="utf-8")

    def notes(*settings):
        command = [TOOLS / "python/bin/helm", "template", "release", copy, "--namespace", "mineseal"]
        command += ["--kube-version", "1.34.0", "--show-only", "templates/printed.yaml"]
        for setting in settings:
            command += ["--set", setting]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return yaml.safe_load(done.stdout)["text"]

    text = notes()
    for words in ["24 partitions", "mines apply /dev/stdin", "port-forward svc/release-mineseal-console", "No upper platform",
                  "Nobody measures"]:
        assert words in text, text
    text = notes("registration.configMap=mines", "console.ingress.enabled=true", "serviceMonitor.enabled=true")
    assert "ConfigMap mines" in text and "http://mineseal.example.cn" in text
    assert "mines apply" not in text and "Nobody measures" not in text


def test_every_value_is_used():
    used = "".join(file.read_text(encoding="utf-8") for file in (CHART / "templates").iterdir())

    def leaves(tree):
        for key, value in tree.items():
            yield key
            if isinstance(value, dict) and key not in ("resources", "services", "properties"):
                yield from leaves(value)

    tree = values()
    for service in tree.pop("services").values():
        tree.setdefault("service", {}).update(service)
    tree.pop("service")["podSecurityContext"] = None
    for key in leaves({key: value for key, value in tree.items() if key != "podSecurityContext"}):
        if key in ("kubernetes.io/metadata.name", "matchLabels", "namespaceSelector", "requests", "limits", "cpu", "memory"):
            continue
        assert re.search(rf"\.{key}\b", used), f"{key} is in values.yaml and nowhere used"


def test_the_live_cluster_gets_two_pods_of_each_service():
    """What `make test-k8s` kills, drains and upgrades has to have another that goes on."""
    documents = render(files=(str(ROOT / "scripts/k8s/live/values.yaml"),), release="mineseal")
    pods = {w["metadata"]["labels"]["app.kubernetes.io/component"]: w["spec"]["replicas"] for w in workloads(documents) if w["kind"] != "Job"}
    assert pods == dict.fromkeys(SERVICES, 2)
    assert len(of_kind(documents, "PodDisruptionBudget")) == len(SERVICES)
