#!/usr/bin/env python3
"""Numbers of pods: by the lag of a real Kafka (KEDA), and six hundred simulated ones (kwok).

    scale.py --programs target/release [--rounds lag,simulated] [--logs FOLDER]

Like test.py, whose cluster it uses with one node. The last line says how many checks passed and failed.
"""

import json
import re
import sys
import time
from pathlib import Path

import rounds
from box import wait_for
from harness import with_cluster
from simulated import ALL_PODS, Keda, simulate_nodes

# As in lag.yaml, and the least that the chart derives for the others.
MOST = 4
LEAST = {"inference": 1, "counter": 2, "clickhouse-sink": 2}
# A data centre of six hundred pods, of which none runs.
SIMULATED = {"inference": 380, "frame-extractor": 160, "counter": 40, "clickhouse-sink": 12, "platform-forwarder": 4, "console": 4}
NODES = 6
LARGE = {
    "mines": 500, "kafka": {"partitions": 500}, "prepare": {"enabled": False}, "registration": {"configMap": ""},
    "evidence": {"existingClaim": "pictures"},
    "services": {service: {"replicas": count, "nodeSelector": {"simulated": "yes"}, "tolerations": [ALL_PODS], "extraVolumes": [],
                           "extraVolumeMounts": []} for service, count in SIMULATED.items()},
}


def lag(report, cluster, product):
    """Detectors of the real product by what Kafka holds for them."""
    (binaries,) = cluster.beside
    with report.check("KEDA"):
        Keda(cluster.control, binaries)
    with report.check("install with KEDA's objects") as details:
        rounds.prepare_namespace(cluster, product)
        cluster.engines.start_kafka()
        product.install("install", values=[Path(__file__).with_name("lag.yaml")])
        product.kubectl("wait", "--for=condition=Ready", "scaledobject", "--all", "--timeout=180s", seconds=200)
        scaled = [each["metadata"]["labels"]["app.kubernetes.io/component"] for each in product.get("scaledobjects")["items"]]
        assert sorted(scaled) == ["clickhouse-sink", "counter", "inference"], scaled
        # Nothing waits yet: each must come to the number that it is to have at the least, from the one that helm leaves.
        wait_for("each service has its least", lambda: {name: ready(product, name) for name in scaled} == LEAST, 180, pause=1)
        details.append(", ".join(f"{name} {number}" for name, number in sorted(LEAST.items())))
    if report.failed:
        return
    with report.check("detectors follow the lag of Kafka") as details:
        for _ in range(2):
            product.register()
        began = time.monotonic()
        behind, grown = [], []

        def all_there():
            behind.append(frames_behind(product))
            number = ready(product, "inference")
            if number > len(grown) + 1:
                grown.extend([time.monotonic() - began] * (number - 1 - len(grown)))
            return number == MOST

        wait_for(f"{MOST} detectors", all_there, 600, pause=1)
        each = ", ".join(f"{number} after {seconds:.0f} s" for number, seconds in enumerate(grown, 2))
        details.append(f"{each}, at most {max(behind):.0f} frames behind")
        frames = {mine: (clip.frames,) for mine, clip in product.mines.items()}
        wait_for("every frame is looked at", lambda: product.frames() == frames, 900, pause=1)
        done = time.monotonic()
        details.append(f"all frames looked at after {done - began:.0f} s")
        wait_for("one detector again", lambda: ready(product, "inference") == 1, 900, pause=1)
        details.append(f"back to 1 within {time.monotonic() - done:.0f} s")
        details.append(product.wait_until_counted(120))
        others = {name: ready(product, name) for name in LEAST if name != "inference"}
        assert others == {name: LEAST[name] for name in others}, f"others grew where nothing was behind: {others}"
    # KEDA must take its own objects back, or they would stay for ever.
    rounds.uninstall(report, cluster, product)


def ready(product, service):
    kind = "statefulset" if service == "counter" else "deployment"
    return product.get(f"{kind}/mineseal-{service}")["status"].get("readyReplicas", 0)


def frames_behind(product):
    """What KEDA last told the autoscaler, all pods together."""
    status = product.get("horizontalpodautoscaler/keda-hpa-mineseal-inference")["status"]
    told = [each["external"]["current"] for each in status.get("currentMetrics") or [] if "external" in each]
    value = told[0].get("averageValue", "0") if told else "0"
    number = float(value[:-1]) / 1000 if value.endswith("m") else float(value)
    return number * status.get("currentReplicas", 1)


def requests(product):
    """Requests that the API server answered so far, and those that it refused or failed at."""
    text = product.control.box.run("kubectl", "get", "--raw=/metrics")
    found = re.findall(r'^apiserver_request_total\{.*?code="(\d+)".*?\} (\S+)$', text, re.MULTILINE)
    return sum(float(count) for _, count in found), sum(float(count) for code, count in found if code == "429" or code[0] == "5")


def simulated(report, cluster, product):
    """The chart at the size of a large data centre, on nodes that only say that pods run."""
    (binaries,) = cluster.beside
    space, box = "simulated", product.control.box
    values = cluster.state / "simulated.json"
    values.write_text(json.dumps(LARGE))

    def pods():
        return json.loads(box.run("kubectl", "--namespace", space, "get", "pods", "--output=json"))["items"]

    def helm(verb, *more):
        """Seconds until all pods were ready, and requests that the API server had meanwhile."""
        began, (asked, failed) = time.monotonic(), requests(product)
        box.run("helm", "--namespace", space, verb, "large", product.chart, "--values", product.values, "--values", values, "--wait",
                "--timeout=20m", *(f"--set={setting}" for setting in more), seconds=1260)
        # Helm is content with a tenth less.
        for service in SIMULATED:
            kind = "statefulset" if service == "counter" else "deployment"
            box.run("kubectl", "--namespace", space, "rollout", "status", f"{kind}/large-mineseal-{service}", "--timeout=600s",
                    seconds=610)
        seconds = time.monotonic() - began
        now_asked, now_failed = requests(product)
        assert now_failed == failed, f"the API server refused or failed {now_failed - failed:.0f} requests"
        return f"{seconds:.0f} s, {now_asked - asked:.0f} requests, {(now_asked - asked) / seconds:.0f} a second"

    with report.check("600 simulated pods are placed and ready") as details:
        simulate_nodes(product.control, binaries, NODES)
        box.run("kubectl", "create", "namespace", space)
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "pictures", "namespace": space},
                 "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "shared", "resources": {"requests": {"storage": "1Gi"}}}}
        folder = cluster.state / "pictures"
        folder.mkdir()
        box.run("kubectl", "apply", "--server-side", "--filename=-", given=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": [cluster.shared_volume("pictures", folder, "ReadWriteMany"), claim]}))
        details.append(helm("install"))
        found = pods()
        assert len(found) == sum(SIMULATED.values()) == 600, len(found)
        for service, count in SIMULATED.items():
            on = [pod["spec"]["nodeName"] for pod in found if pod["metadata"]["labels"]["app.kubernetes.io/component"] == service]
            each = [on.count(f"simulated-{number}") for number in range(1, NODES + 1)]
            assert sum(each) == count and max(each) - min(each) <= 2, f"{service} by node: {each}"
        details.append(f"each service even over {NODES} nodes")
    with report.check("600 simulated pods are replaced") as details:
        before = {pod["metadata"]["uid"] for pod in pods()}
        details.append(helm("upgrade", "telemetry.filter=debug"))
        after = {pod["metadata"]["uid"] for pod in pods() if "deletionTimestamp" not in pod["metadata"]}
        assert len(after) == 600 and not before & after, f"{len(before & after)} of {len(after)} pods are still the old ones"


if __name__ == "__main__":
    sys.exit(with_cluster(__doc__, {"lag": lag, "simulated": simulated}, nodes=1, more=["scale"]))
