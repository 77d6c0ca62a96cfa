"""The capacity formula: in the templates and in capacity.py the same, never less for more, and its sums right."""

import re
import subprocess
import sys

import pytest

from capacity import capacity
from conftest import CHART, ROOT, of_kind, pod, render, values, workloads
from test_values import PRODUCTION

MINES = [1, 2, 3, 7, 10, 23, 49, 50, 51, 100, 199, 200, 333]
SERVICES = ["frame-extractor", "inference", "counter", "clickhouse-sink", "platform-forwarder", "console"]


def for_mines(mines, gpu=False, files=()):
    tree = values(*files)
    tree["mines"] = mines
    tree["inference"]["gpu"]["enabled"] = gpu or tree["inference"]["gpu"]["enabled"]
    return capacity(tree)


def mebibytes(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) * (1024 if unit == "Gi" else 1)


def millicores(quantity):
    text = str(quantity)
    return int(text[:-1]) if text.endswith("m") else 1000 * int(text)


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
@pytest.mark.parametrize("mines", MINES)
def test_the_chart_follows_the_formula(mines, gpu):
    wanted = for_mines(mines, gpu)
    documents = render(f"mines={mines}", f"inference.gpu.enabled={str(gpu).lower()}")
    found = {w["metadata"]["labels"]["app.kubernetes.io/component"]: w for w in workloads(documents) if w["kind"] != "Job"}
    assert {name: w["spec"]["replicas"] for name, w in found.items()} == wanted["replicas"]
    for config in of_kind(documents, "ConfigMap"):
        assert f"partitions = {wanted['partitions']}\n" in config["data"]["mineseal.toml"]
    claim = of_kind(documents, "PersistentVolumeClaim")[0]
    assert claim["spec"]["resources"]["requests"]["storage"] == f"{wanted['evidenceGibibytes']}Gi"
    for service, name in {"frame-extractor": "extractor", "counter": "counter", "console": "console"}.items():
        memory = pod(found[service])["containers"][0]["resources"]
        assert mebibytes(memory["limits"]["memory"]) == wanted[f"{name}Mebibytes"]
        assert mebibytes(memory["requests"]["memory"]) == wanted[f"{name}Mebibytes"] // 2


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
def test_more_mines_never_need_less(gpu):
    def flat(numbers):
        return {**numbers.pop("replicas"), **numbers}

    before = flat(for_mines(1, gpu))
    for mines in range(2, 1001):
        after = flat(for_mines(mines, gpu))
        less = {name: (before[name], value) for name, value in after.items() if value < before[name]}
        # A counter more takes over a share of the others.
        less.pop("counterMebibytes", None)
        assert not less, f"{mines} mines: {less}"
        before = after


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
def test_the_sums_carry_the_load(gpu):
    tree = values()
    c, room = tree["capacity"], 100 + tree["capacity"]["headroomPercent"]
    per_pod = c["framesPerSecondPerGpu"] if gpu else c["framesPerSecondPerWorker"] * tree["inference"]["workers"]
    for mines in range(1, 1001):
        numbers = for_mines(mines, gpu)
        pods = numbers["replicas"]
        assert pods["inference"] * per_pod * 10_000 >= numbers["framesPerSecond"] * c["detectedPercent"] * room
        assert pods["frame-extractor"] * c["camerasPerExtractor"] * 100 >= numbers["cameras"] * room
        assert pods["counter"] * c["minesPerCounter"] >= mines
        assert pods["clickhouse-sink"] * c["rowsPerSecondPerSink"] * 100 >= numbers["framesPerSecond"] * room
        # Every pod has a partition, also when KEDA doubles what it scales.
        for service in ("inference", "counter", "clickhouse-sink"):
            assert 2 * pods[service] <= numbers["partitions"]
        assert pods["frame-extractor"] <= numbers["partitions"]
        # When one counter is lost, the others have room for all mines.
        assert (pods["counter"] - 1) * (numbers["counterMebibytes"] - 512) >= 8 * mines


def test_a_pod_more_is_not_asked_for_than_the_load_needs():
    tree = values()
    c, room = tree["capacity"], 100 + tree["capacity"]["headroomPercent"]
    for mines in range(1, 1001):
        numbers = for_mines(mines)
        pods = numbers["replicas"]["inference"]
        one_less = (pods - 1) * c["framesPerSecondPerWorker"] * tree["inference"]["workers"]
        assert pods == 2 or one_less * 10_000 < numbers["framesPerSecond"] * c["detectedPercent"] * room


@pytest.mark.parametrize("mines", [10, 100])
def test_the_sum_of_requests_is_what_the_table_says(mines):
    documents = render(f"mines={mines}")
    total = sum(
        w["spec"]["replicas"] * millicores(pod(w)["containers"][0]["resources"]["requests"]["cpu"])
        for w in workloads(documents)
        if w["kind"] != "Job"
    )
    assert table(mines)[-1].split("|")[9].strip() == f"{total / 1000:.0f}"


def table(*mines, gpu=False):
    command = [sys.executable, ROOT / "scripts/k8s/capacity.py", *map(str, mines), *(["--gpu"] if gpu else [])]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_tables_in_the_document_are_what_the_command_prints():
    document = (ROOT / "docs/capacity.md").read_text(encoding="utf-8")
    commands = re.findall(r"scripts/k8s/capacity\.py ((?:--gpu )?[\d ]+)\n```\n\n((?:\|.*\n)+)", document)
    assert len(commands) == 2
    for arguments, printed in commands:
        words = arguments.split()
        assert printed.splitlines() == table(*[w for w in words if w.isdigit()], gpu="--gpu" in words)


def test_set_numbers_win_over_derived_ones():
    documents = render("services.inference.replicas=5", "kafka.partitions=60", "evidence.size=7Ti")
    inference = next(w for w in workloads(documents) if w["metadata"]["name"].endswith("-inference"))
    assert inference["spec"]["replicas"] == 5
    assert "partitions = 60\n" in of_kind(documents, "ConfigMap")[0]["data"]["mineseal.toml"]
    assert of_kind(documents, "PersistentVolumeClaim")[0]["spec"]["resources"]["requests"]["storage"] == "7Ti"


def test_production_fits_its_own_formula():
    numbers = for_mines(200, files=PRODUCTION)
    documents = render(files=PRODUCTION)
    assert f"partitions = {numbers['partitions']}\n" in of_kind(documents, "ConfigMap")[0]["data"]["mineseal.toml"]
    assert CHART.exists()
