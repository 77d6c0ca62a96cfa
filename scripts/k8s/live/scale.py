#!/usr/bin/env python3
"""Numbers of pods: by the lag of a real Kafka (KEDA), and six hundred simulated ones (kwok).

    scale.py --programs target/release [--logs FOLDER]

Like test.py, whose cluster it uses with one node. The last line says how many checks passed and failed.
"""

import json
import re
import sys
import time

import rounds
from box import wait_for
from harness import with_cluster
from product import SERVICES
from simulated import ALL_PODS, Keda, simulate_nodes

MOST = 4
LAG = ["keda.enabled=true", "keda.pollingSeconds=3", "keda.cooldownSeconds=15", "registration.configMap=",
       "services.inference.replicas=1", f"services.inference.autoscaling.maxReplicas={MOST}",
       "services.frame-extractor.extraEnv[0].name=MINESEAL_EXTRACTOR__AS_FAST_AS_POSSIBLE",
       "services.frame-extractor.extraEnv[0].value=true"]
# A data centre of six hundred pods, of which none runs.
SIMULATED = {"inference": 380, "frame-extractor": 160, "counter": 40, "clickhouse-sink": 12, "platform-forwarder": 4, "console": 4}


def by_lag(report, cluster, product):
    with report.check("install with KEDA's objects"):
        rounds.prepare_namespace(cluster, product)
        cluster.engines.start_kafka()
        product.install("install", *LAG)

    def pods():
        return product.get("deployment/mineseal-inference")["status"].get("readyReplicas", 0)

    with report.check("detectors follow the lag of Kafka") as details:
        wait_for("one detector to begin with", lambda: pods() == 1, 120, pause=1)
        for _ in range(4):
            product.register()
        began = time.monotonic()
        wait_for(f"{MOST} detectors", lambda: pods() == MOST, 600, pause=1)
        details.append(f"1 to {MOST} in {time.monotonic() - began:.0f} s")
        details.append(product.wait_until_counted(1500))
        began = time.monotonic()
        wait_for("one detector again", lambda: pods() == 1, 900, pause=2)
        details.append(f"back to 1 {time.monotonic() - began:.0f} s after the last crossing")


def requests(product):
    """Requests that the API server answered so far, and those that it refused or failed at."""
    text = product.control.box.run("kubectl", "get", "--raw=/metrics")
    found = re.findall(r'^apiserver_request_total\{.*?code="(\d+)".*?\} (\S+)$', text, re.MULTILINE)
    return sum(float(count) for _, count in found), sum(float(count) for code, count in found if code == "429" or code[0] == "5")


def six_hundred(report, cluster, product, binaries):
    space, box = "simulated", product.control.box
    settings = ["evidence.existingClaim=pictures", "registration.configMap=", "prepare.enabled=false", "kafka.partitions=500", "mines=500"]
    for service, count in SIMULATED.items():
        settings += [f"services.{service}.replicas={count}", f"services.{service}.nodeSelector.simulated=yes",
                     *(f"services.{service}.tolerations[0].{key}={value}" for key, value in ALL_PODS.items()),
                     f"services.{service}.extraVolumes=null", f"services.{service}.extraVolumeMounts=null"]
    assert set(SIMULATED) == set(SERVICES)

    def helm(verb, *more):
        began, (asked, _) = time.monotonic(), requests(product)
        box.run("helm", "--namespace", space, verb, "large", product.chart, "--values", product.values, "--wait", "--timeout=15m",
                *(f"--set={setting}" for setting in [*settings, *more]), seconds=960)
        return time.monotonic() - began, requests(product)[0] - asked

    with report.check("six hundred simulated pods") as details:
        simulate_nodes(product.control, binaries, 6)
        box.run("kubectl", "create", "namespace", space)
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "pictures", "namespace": space},
                 "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "shared", "resources": {"requests": {"storage": "1Gi"}}}}
        folder = cluster.state / "pictures"
        folder.mkdir()
        product.apply(cluster.shared_volume("pictures", folder, "ReadWriteMany"), claim)
        failed_before = requests(product)[1]
        seconds, asked = helm("install")
        details.append(f"installed and ready in {seconds:.0f} s with {asked:.0f} requests")
        pods = json.loads(box.run("kubectl", "--namespace", space, "get", "pods", "--output=json"))["items"]
        assert len(pods) == sum(SIMULATED.values()) == 600, len(pods)
        for service, count in SIMULATED.items():
            on = [pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["labels"]["app.kubernetes.io/component"] == service]
            each = [on.count(f"simulated-{number}") for number in range(1, 7)]
            assert sum(each) == count and max(each) - min(each) <= 2, f"{service} by node: {each}"
        seconds, asked = helm("upgrade", "telemetry.filter=debug")
        details.append(f"all replaced in {seconds:.0f} s with {asked:.0f} requests")
        failed = requests(product)[1] - failed_before
        assert not failed, f"the API server refused or failed {failed:.0f} requests"


def scale(report, cluster, product):
    (binaries,) = cluster.beside
    with report.check("KEDA"):
        Keda(cluster.control, binaries)
    by_lag(report, cluster, product)
    six_hundred(report, cluster, product, binaries)


if __name__ == "__main__":
    sys.exit(with_cluster(__doc__, {"scale": scale}, nodes=1, more=["scale"]))
