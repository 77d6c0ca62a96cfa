"""What is tested, in its order. In each round new mines play, something is done to the cluster in the middle of it, and
in the end every crossing of all mines so far must be counted once."""

import json
import os
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faults
from box import wait_for
from product import RELEASE, ROOT, SERVICES, SPACE

NAMESPACE = ROOT / "k8s/base/namespace.yaml"
# A mine that nobody plays: the chart's own registration makes it.
REGISTERED = '[[mine]]\ncode = "150602999999"\nname = "登记煤矿"\nheadcount_limit = 10\npaused = true\n'


def look_at_image(tar, details):
    """The image's user, and the bill of materials that lies in it."""
    with tarfile.open(tar) as whole:
        index = json.load(whole.extractfile("index.json"))

        def blob(described):
            return whole.extractfile("blobs/sha256/" + described["digest"].removeprefix("sha256:"))

        manifest = json.load(blob(index["manifests"][0]))
        user = json.load(blob(manifest["config"]))["config"]["User"]
        assert user.split(":")[0] not in ("", "0", "root"), f"it runs as {user!r}"
        with tarfile.open(fileobj=blob(manifest["layers"][-1])) as layer:
            bill = json.load(layer.extractfile("usr/share/mineseal/sbom.cdx.json"))
    assert bill["components"]
    details += [f"user {user}", f"{len(bill['components'])} components in its bill of materials"]


def prepare_namespace(cluster, product):
    """What the chart's README asks for before it."""
    cluster.control.box.run("kubectl", "apply", "--server-side", "--filename", NAMESPACE)
    evidence = cluster.state / "evidence"
    evidence.mkdir()
    # A plain folder does not follow fsGroup.
    os.chown(evidence, 10001, 10001)
    clips = next(iter(product.clips.values())).path.parent
    product.apply(
        cluster.shared_volume("evidence", evidence, "ReadWriteMany"),
        cluster.shared_volume("clips", clips, "ReadOnlyMany"),
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "clips"},
         "spec": {"accessModes": ["ReadOnlyMany"], "storageClassName": "clips", "resources": {"requests": {"storage": "1Gi"}}}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mines"}, "data": {"mines.toml": REGISTERED}})


def base(report, cluster, product):
    with report.check("install refused while a Secret that is named is absent"):
        cluster.control.box.run("kubectl", "apply", "--server-side", "--filename", NAMESPACE)
        done = product.install("install", "clickhouse.passwordSecret=absent", minutes=1, check=False)
        assert done.returncode and "there is no Secret absent" in done.stderr, done.stderr
        assert not product.get("pods")["items"]
    with report.check("helm install --wait, Kafka coming late"):
        prepare_namespace(cluster, product)
        with ThreadPoolExecutor(1) as helm:
            installing = helm.submit(product.install, "install")
            wait_for("the Job before the pods waits for Kafka", lambda: "waiting for Kafka" in product.kubectl(
                "logs", f"job/{RELEASE}-prepare", check=False).stdout or installing.done(), 180)
            cluster.engines.start_kafka()
            installing.result()
        release = product.helm("get", "notes", RELEASE)
        assert "is installed as mineseal" in release, release
    with report.check("pods are what the chart promises") as details:
        pods = product.pods()
        services = [pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods.values()]
        assert sorted(set(services)) == sorted(SERVICES) and all(services.count(each) == 2 for each in SERVICES), services
        for name, pod in pods.items():
            security = pod["spec"]["containers"][0]["securityContext"]
            assert security["readOnlyRootFilesystem"] and security["runAsNonRoot"], name
        nodes = sorted({pod["spec"]["nodeName"] for pod in pods.values()})
        assert nodes == ["node1", "node2"], nodes
        # Not only as it is written: the program's own view.
        pod = pods[next(name for name in pods if "-console-" in name)]
        node = product.node_of(pod)
        process = node.main_process(faults.state(pod)["containerID"].removeprefix("containerd://"))
        status = node.box.run("cat", f"/proc/{process}/status")
        mounts = node.box.run("cat", f"/proc/{process}/mounts").splitlines()
        assert "Uid:\t10001\t10001\t10001\t10001" in status and "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
        assert next(line.split()[3] for line in mounts if line.split()[1] == "/").split(",")[0] == "ro", mounts
        details.append(f"{len(pods)} pods on {len(nodes)} nodes, user 10001, no capability, root read-only")
    with report.check("the chart's registration reached the console"):
        wait_for("the registered mine is shown", lambda: "150602999999" in (product.try_shown() or {}), 120)
    played(report, product, "rendered mines are counted as they were")


def played(report, product, name, fault=None):
    """A round: new mines, the fault in the middle, the counts in the end."""
    with report.check(name) as details:
        codes = product.register()
        product.wait_until_running(codes)
        if fault:
            fault(codes, details)
            product.in_mid_run(codes)
        details.append(product.wait_until_counted())


def upgrade(report, cluster, product):
    def roll(_codes, details):
        before = set(product.pods())
        images = sorted({pod["spec"]["containers"][0]["image"] for pod in product.pods().values()})
        cluster.tag(f"docker.io/library/{images[0]}", "docker.io/library/mineseal:next")
        product.install("upgrade", "image.tag=next")
        product.wait_until_ready()
        after = product.pods()
        assert {pod["spec"]["containers"][0]["image"] for pod in after.values()} == {"mineseal:next"}
        details.append(f"{len(after)} pods replaced, {len(before & set(after))} of them under their old names")

    played(report, product, "rolling upgrade of every service in mid-run", roll)


def kill(report, cluster, product):
    def each(_codes, details):
        for _, pod in sorted(product.pods().items()):
            faults.kill_main_process(product, pod)
        details.append(f"{len(product.pods())} programs killed in turn")

    played(report, product, "kill -9 of each pod in turn", each)


def memory(report, cluster, product):
    def fill(_codes, details):
        for service in ("inference", "counter"):
            pod = next(iter(sorted(product.pods(service).items())))[1]
            details.append(f"{service} at its limit of {faults.exhaust_memory(product, pod)} MiB")

    played(report, product, "memory limit reached", fill)


def drain(report, cluster, product):
    def empty(_codes, details):
        node = cluster.nodes[-1]
        fewest, refused = faults.drain(product, node)
        product.wait_until_ready()
        cluster.control.box.run("kubectl", "uncordon", node.name)
        details.append(f"at least {min(fewest.values())} ready of each service, {refused} evictions put off by budgets")

    played(report, product, "node drained under PodDisruptionBudgets", empty)
    with report.check("pods spread over both nodes again"):
        product.kubectl("rollout", "restart", "deployment,statefulset")
        product.wait_until_ready(600)
        assert len({pod["spec"]["nodeName"] for pod in product.pods().values()}) == 2


def lose(report, cluster, product):
    def cut(_codes, details):
        node = cluster.nodes[-1]
        there = [name for name, pod in product.pods().items() if pod["spec"]["nodeName"] == node.name]
        assert there, f"nothing ran on {node.name}"
        details.append(f"{len(there)} pods were on it, noticed after {faults.lose(product, node):.0f} s")
        faults.declare_lost(product, node)
        product.wait_until_ready(600)

    played(report, product, "second node lost", cut)
    with report.check("the lost node comes back"):
        product.control.box.run("kubectl", "delete", "node/node2")
        cluster.add_node(2)


def rollback(report, cluster, product):
    def back(_codes, details):
        revision = json.loads(product.helm("history", RELEASE, "--output=json"))[-1]["revision"]
        done = product.install("upgrade", "image.tag=absent", "image.pullPolicy=Never", "prepare.enabled=false", minutes=1, check=False)
        assert done.returncode, "an upgrade to an image that is not there was taken for done"
        working = [service for service in SERVICES
                   if any(faults.state(pod)["ready"] for pod in product.pods(service).values() if "containerStatuses" in pod["status"])]
        assert working == SERVICES, f"only these had a ready pod after the failed upgrade: {working}"
        product.helm("rollback", RELEASE, revision, "--wait", "--timeout=5m")
        product.wait_until_ready()
        details.append(f"failed upgrade left a ready pod of each service; back at revision {revision}")

    played(report, product, "failed upgrade and rollback in mid-run", back)


def refuse(report, cluster, product):
    """An older mineseal over a database that a newer one has made."""
    del cluster
    with report.check("upgrade refused over the database of a newer mineseal") as details:
        product.engines.execute("INSERT INTO mineseal.schema_migrations (version, name, checksum) VALUES (999, 'of the future', 0)")
        try:
            before = {name: faults.state(pod)["containerID"] for name, pod in product.pods().items()}
            done = product.install("upgrade", "telemetry.filter=debug", "prepare.deadlineSeconds=30", minutes=3, check=False)
            log = product.kubectl("logs", f"job/{RELEASE}-prepare")
            assert done.returncode and "made by a newer build" in log, f"{done.stderr} {log}"
            assert before == {name: faults.state(pod)["containerID"] for name, pod in product.pods().items()}, "pods were touched"
            details.append(log.strip().splitlines()[-1][:200])
        finally:
            product.engines.execute("ALTER TABLE mineseal.schema_migrations DELETE WHERE version = 999 SETTINGS mutations_sync = 1")


def documents(report, cluster, product):
    """All that the chart and k8s/ hold, for the API server with the operators' definitions, to take or to refuse."""
    kubectl = product.control.box.run
    tools = Path(subprocess.run([ROOT / "scripts/k8s/tools.sh"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    with report.check("operators' definitions are taken") as details:
        found = sorted((tools / "crds").glob("*.yaml"))
        for file in found:
            kubectl("kubectl", "apply", "--server-side", "--filename", file)
        kubectl("kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        kubectl("kubectl", "create", "namespace", "monitoring")
        kubectl("kubectl", "apply", "--server-side", "--filename", NAMESPACE)
        details.append(", ".join(file.stem for file in found))
    charts = {
        "with defaults": [],
        "for one small node": ["--values", product.chart / "values-embedded.yaml"],
        "for a data centre": ["--values", product.chart / "values-production.yaml"],
        "for a data centre, by a Gateway": ["--values", product.chart / "values-production.yaml", "--set",
                                            "console.gateway.enabled=true,console.ingress.enabled=false,registration.configMap=mines",
                                            "--set-json", 'console.gateway.parentRefs=[{"name":"edge"}]'],
    }
    texts = {f"the chart {name}": (SPACE, lambda more=more: product.helm("template", RELEASE, product.chart, *more))
             for name, more in charts.items()}
    for folder in ("k8s", "k8s/overlays/single", "k8s/monitoring"):
        texts[folder] = (None, lambda folder=folder: kubectl("kubectl", "kustomize", ROOT / folder))
    for name, (space, text) in texts.items():
        with report.check(f"{name} is taken by the API server") as details:
            done = kubectl("kubectl", *(["--namespace", space] if space else []), "apply", "--server-side", "--dry-run=server",
                           "--validate=strict", "--filename=-", given=text(), check=False)
            # What Pod Security or an old version has against it is a warning only.
            assert not done.returncode and "Warning" not in done.stderr, done.stderr
            details.append(f"{len(done.stdout.splitlines())} documents")


def uninstall(report, cluster, product):
    with report.check("uninstall leaves the volume of pictures and nothing else"):
        product.helm("uninstall", RELEASE, "--wait", "--timeout=5m")
        # Pods go within their grace period.
        wait_for("pods are gone", lambda: not product.get("pods", f"--selector=app.kubernetes.io/instance={RELEASE}")["items"], 120)
        left = faults.everything_of(product, RELEASE)
        assert left == [f"persistentvolumeclaim/{RELEASE}-evidence"], f"in {SPACE} there still are {left}"


ROUNDS = {"documents": documents, "base": base, "refuse": refuse, "upgrade": upgrade, "kill": kill, "memory": memory, "drain": drain, "lose": lose, "rollback": rollback,
          "uninstall": uninstall}
