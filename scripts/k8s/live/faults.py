"""What is done to the running product."""

import json
import subprocess
import time

from box import Failed, wait_for

# Grows inside the container's limit until the kernel must end somebody, and is itself the last that it would take: what
# a leak in the service would do. It goes when the service is gone.
GROW = r"""
import os, sys
group, process, limit = sys.argv[1:]
open("/proc/self/oom_score_adj", "w").write("-1000")
open(group, "w").write(str(os.getpid()))
held = []
for _ in range(int(limit) // 2**20 + 64):
    if not os.path.exists(f"/proc/{process}"):
        break
    held.append(b"\1" * 2**20)
"""


def state(pod):
    return pod["status"]["containerStatuses"][0]


def wait_until_restarted(product, before, seconds=300):
    """Until a pod's container was started once more and is ready; why the last one ended."""
    name = before["metadata"]["name"]

    def again():
        now = state(product.get(f"pod/{name}"))
        return now if now["restartCount"] > state(before)["restartCount"] and now["ready"] else None

    return wait_for(f"{name} is ready again", again, seconds, pause=0.5)["lastState"]["terminated"]


def kill_main_process(product, pod):
    """kill -9 of a pod's program."""
    node = product.node_of(pod)
    node.signal(node.main_process(state(pod)["containerID"].removeprefix("containerd://")))
    ended = wait_until_restarted(product, pod)
    assert ended["exitCode"] == 137, f"{pod['metadata']['name']} ended with {ended}"


def exhaust_memory(product, pod):
    """Fills a pod's memory up to its limit until the kernel ends its program."""
    node = product.node_of(pod)
    process = node.main_process(state(pod)["containerID"].removeprefix("containerd://"))
    lines = [line.split(":", 2) for line in node.box.run("cat", f"/proc/{process}/cgroup").splitlines()]
    unified = next((path for number, _, path in lines if number == "0"), "/")
    group = next((f"/sys/fs/cgroup/memory{path}" for _, kinds, path in lines if "memory" in kinds.split(",")),
                 f"/sys/fs/cgroup{unified}")
    limit_file = next(file for file in ("memory.limit_in_bytes", "memory.max")
                      if not node.box.run("test", "-e", f"{group}/{file}", check=False).returncode)
    limit = node.box.run("cat", f"{group}/{limit_file}").strip()
    node.box.run("python3", "-c", GROW, f"{group}/cgroup.procs", process, limit, seconds=300, check=False)
    ended = wait_until_restarted(product, pod)
    assert ended["reason"] == "OOMKilled", f"{pod['metadata']['name']} ended with {ended}"
    return int(limit) >> 20


def drain(product, node, seconds=600):
    """Empties a node while the budgets are watched: the fewest ready pods that each service had meanwhile."""
    kubectl = product.control.box.enter("kubectl", "drain", node.name, "--ignore-daemonsets", "--delete-emptydir-data",
                                        f"--timeout={seconds}s")
    draining = subprocess.Popen(kubectl, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=product.control.box.environment)
    fewest = {}
    while True:
        over = draining.poll() is not None
        for budget in product.get("poddisruptionbudgets")["items"]:
            name, healthy = budget["metadata"]["name"], budget["status"]["currentHealthy"]
            fewest[name] = min(fewest.get(name, healthy), healthy)
        if over:
            break
        time.sleep(0.5)
    said = draining.stdout.read()
    if draining.returncode:
        raise Failed(f"drain of {node.name}: {said[-2000:]}")
    left = [name for name, pod in product.pods().items() if pod["spec"].get("nodeName") == node.name]
    assert not left, f"still on {node.name}: {left}"
    assert fewest and min(fewest.values()) >= 1, f"a service had no ready pod: {fewest}"
    return fewest, said.count("Cannot evict pod as it would violate the pod's disruption budget")


def lose(product, node):
    """Cuts a node's power; the seconds until the cluster knows."""
    began = time.monotonic()
    node.remove()

    def unknown():
        conditions = json.loads(product.control.box.run("kubectl", "get", f"node/{node.name}", "--output=json"))["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] != "True" for each in conditions)

    wait_for(f"{node.name} is known as lost", unknown, 180)
    return time.monotonic() - began


def declare_lost(product, node):
    """What an operator does when a machine will not come back soon: its StatefulSet's pods may then start elsewhere."""
    product.control.box.run("kubectl", "taint", "node", node.name, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")


def everything_of(product, release):
    """Kind and name of all that is left of a release in its namespace."""
    kinds = product.control.box.run("kubectl", "api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    kinds = [kind for kind in kinds if not kind.startswith("events")]
    found = product.kubectl("get", ",".join(kinds), f"--selector=app.kubernetes.io/instance={release}", "--output=name",
                            "--ignore-not-found").split()
    found += product.kubectl("get", "secrets", "--selector=owner=helm", "--output=name", "--ignore-not-found").split()
    return sorted(set(found))
