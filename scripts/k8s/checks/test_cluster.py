"""k8s/: what the operators take, in step with the code and with the chart."""

import re
import shutil
import subprocess

import pytest
import yaml

import cluster
from capacity import capacity
from conftest import CHART, ROOT, of_kind, one, pod, render, validate, workloads
from test_values import EMBEDDED, PRODUCTION

kustomize = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here: nothing builds the overlays")


def base():
    folder = ROOT / "k8s/base"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    files = {str(file.relative_to(folder)) for file in folder.rglob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == files, "a file of k8s/base is not in its kustomization"
    return [d for file in listed for d in yaml.safe_load_all((folder / file).read_text(encoding="utf-8")) if d]


def built(folder):
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_every_document_is_one_that_the_operators_take():
    for document in base():
        validate(document)


@kustomize
@pytest.mark.parametrize("folder", ["k8s", "k8s/overlays/single"])
def test_the_kustomizations_build_what_the_operators_take(folder):
    documents = built(ROOT / folder)
    assert len(documents) > 10
    for document in documents:
        validate(document)
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "mineseal"


def test_a_field_that_the_operators_do_not_know_is_found():
    kafka = one(base(), "Kafka", "mineseal")
    kafka["spec"]["kafka"]["raks"] = {}
    with pytest.raises(AssertionError, match="raks"):
        validate(kafka)
    scaled = of_kind(render("keda.enabled=true"), "ScaledObject")[0]
    wrong = {**scaled, "spec": {**scaled["spec"], "minReplicas": 1}}
    with pytest.raises(AssertionError, match="minReplicas"):
        validate(wrong)


@pytest.mark.parametrize("path", cluster.base_files(cluster.read_values([])), ids=lambda path: path.name)
def test_what_is_made_is_up_to_date(path):
    wanted = cluster.base_files(cluster.read_values([]))[path]
    assert path.read_text(encoding="utf-8") == wanted, "run scripts/k8s/cluster.py --write"


def test_topics_are_those_of_the_code():
    source = (ROOT / "schemas/src/topics.rs").read_text(encoding="utf-8")
    count = int(re.search(r"ALL: \[Self; (\d+)\]", source).group(1))
    topics = cluster.topics()
    assert len(topics) == count
    assert {t["name"]: t["retention_ms"] for t in topics if t["name"] in ("frames", "alarms", "mines")} == {
        "frames": 600_000, "alarms": 400 * 86_400_000, "mines": None}
    # The settings that the program gives a topic itself, in both places.
    source = (ROOT / "crates/bus/src/topics.rs").read_text(encoding="utf-8")
    body = source[source.index("fn configuration("):]
    known = set(re.findall(r'"([a-z]+(?:\.[a-z]+)+)"', body))
    used = {key for topic in topics for key in cluster.topic_config(topic, 3)}
    assert used == known
    biggest = re.search(r"MAX_MESSAGE_BYTES: usize = (\d+) << (\d+);",
                        (ROOT / "crates/bus/src/publisher.rs").read_text(encoding="utf-8"))
    assert cluster.topic_config(topics[0], 3)["max.message.bytes"] == int(biggest[1]) << int(biggest[2])
    assert one(base(), "Kafka", "mineseal")["spec"]["kafka"]["config"]["message.max.bytes"] == 8 << 20


@pytest.mark.parametrize("files", [(), PRODUCTION], ids=["defaults", "production"])
def test_topics_and_the_chart_agree_on_partitions(files):
    values = cluster.read_values(files)
    config = next(d for d in of_kind(render(files=files), "ConfigMap"))["data"]["mineseal.toml"]
    alone = {f"mineseal.{topic['name']}" for topic in cluster.topics() if topic["cut"] == "One"}
    assert "mineseal.dead-letters" in alone and "mineseal.frames" not in alone
    for topic in cluster.topic_documents(values):
        wanted = 1 if topic["metadata"]["name"] in alone else capacity(values)["partitions"]
        assert topic["spec"]["partitions"] == wanted
        assert f"partitions = {capacity(values)['partitions']}\n" in config
        assert f"replication = {topic['spec']['replicas']}\n" in config


def sizes(documents):
    pool = one(documents, "KafkaNodePool", "brokers")
    server = one(documents, "StatefulSet", "mineseal-clickhouse")
    return (pool["spec"]["replicas"], pool["spec"]["storage"]["volumes"][0]["size"],
            server["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"])


def wanted_sizes(values):
    numbers = capacity(values)
    return (values["capacity"]["brokers"], f"{numbers['kafkaGibibytesPerBroker']}Gi", f"{numbers['clickhouseGibibytes']}Gi")


def test_disks_are_those_of_the_formula():
    assert sizes(base()) == wanted_sizes(cluster.read_values([]))


@kustomize
def test_the_small_overlay_fits_the_embedded_values():
    documents = built(ROOT / "k8s/overlays/single")
    assert sizes(documents) == wanted_sizes(cluster.read_values(EMBEDDED))
    assert not of_kind(documents, "KafkaTopic"), "the chart's job makes them with one copy"
    config = one(documents, "Kafka", "mineseal")["spec"]["kafka"]["config"]
    assert {value for key, value in config.items() if "replication.factor" in key or "isr" in key
            or "insync" in key} == {1}


@kustomize
@pytest.mark.parametrize("mines", [3, 500])
def test_an_overlay_for_other_numbers_of_mines_builds(mines, tmp_path):
    copy = tmp_path / "k8s/base"
    shutil.copytree(ROOT / "k8s/base", copy)
    values = cluster.read_values(PRODUCTION, mines)
    # Beside the copy, as k8s/overlays/ours is beside k8s/base: kustomize takes relative paths only.
    folder = tmp_path / "k8s/overlays/ours"
    folder.mkdir(parents=True)
    for path, text in cluster.overlay(values, ROOT / "k8s/overlays/ours").items():
        (folder / path.name).write_text(text, encoding="utf-8")
    documents = built(folder)
    assert sizes(documents) == wanted_sizes(values)
    partitions = {t["spec"]["partitions"] for t in of_kind(documents, "KafkaTopic")}
    assert partitions == {1, capacity(values)["partitions"]}
    for document in documents:
        validate(document)


def test_three_brokers_in_different_rooms():
    kafka = one(base(), "Kafka", "mineseal")["spec"]["kafka"]
    assert kafka["rack"] == {"topologyKey": "topology.kubernetes.io/zone"}
    for pool in of_kind(base(), "KafkaNodePool"):
        assert pool["spec"]["replicas"] == 3
        assert pool["metadata"]["labels"]["strimzi.io/cluster"] == "mineseal"
    assert kafka["config"]["min.insync.replicas"] == 2


def test_every_service_has_its_user_with_a_quota_that_lets_it_work():
    users = {u["metadata"]["name"]: u["spec"]["quotas"] for u in of_kind(base(), "KafkaUser")}
    secrets = set()
    for workload in workloads(render(files=PRODUCTION)):
        secrets |= {v["secret"]["secretName"] for v in pod(workload)["volumes"] if v["name"] == "kafka-user"}
    assert secrets == set(users), "the Secrets in values-production.yaml are those of the KafkaUsers"
    values = cluster.read_values([])
    pictures = capacity(values)["framesPerSecond"] * values["capacity"]["frameKilobytes"] * 1024 // 3
    assert users["mineseal-frame-extractor"]["producerByteRate"] >= 2 * pictures
    assert users["mineseal-inference"]["consumerByteRate"] >= 4 * pictures


def test_clickhouse_is_restricted_and_has_its_password_from_a_secret():
    server = one(base(), "StatefulSet", "mineseal-clickhouse")
    container = pod(server)["containers"][0]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and security["runAsNonRoot"] and not security["allowPrivilegeEscalation"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "mineseal-clickhouse", "key": "password"}
    config = one(base(), "ConfigMap", "mineseal-clickhouse")["data"]
    assert f'from_env="{container["env"][0]["name"]}"' in config["users.xml"]
    import xml.etree.ElementTree as tree

    for text in config.values():
        tree.fromstring(text)
    assert "mineseal-clickhouse:8123" in (CHART / "values.yaml").read_text(encoding="utf-8")
