"""The test cluster: two nodes in boxes of their own, the engines beside, and everything taken away in the end."""

import shutil
import tempfile
import time
from pathlib import Path

from box import Box
from control import Control
from engines import Engines
from node import Node, pause_image


class Cluster:
    def __init__(self, programs, binaries, images, keep_logs):
        self.programs, self.binaries, self.logs = programs, binaries, keep_logs
        shutil.rmtree(keep_logs, ignore_errors=True)
        keep_logs.mkdir(parents=True)
        # On a real disk: containerd's overlays lie on no tmpfs.
        self.state = Path(tempfile.mkdtemp(prefix="mineseal-k8s-", dir="/var/tmp"))
        self.boxes, self.nodes, self.images, self.tags = [], [], [], []
        self.images = [self.state / "pause.tar", *images]
        pause_image(binaries / "pause", self.images[0])
        self.control = self.engines = None
        # Folders of what was built beside Kubernetes.
        self.beside = []

    def start(self):
        """Seconds until the control plane answered, and until the first node was ready."""
        began = time.monotonic()
        first = self.box("node1")
        self.control = Control(first)
        planned = time.monotonic() - began
        self.engines = Engines(first, self.programs)
        self.nodes.append(Node(1, first, self.control, self.images))
        self.nodes[0].wait_until_ready()
        return planned, time.monotonic() - began

    def box(self, name):
        box = Box(name, self.state / f"{name}-{len(self.boxes)}", self.logs, self.binaries)
        self.boxes.append(box)
        return box

    def add_node(self, number):
        node = Node(number, self.box(f"node{number}"), self.control, self.images)
        self.nodes = [each for each in self.nodes if each.number != number] + [node]
        for old, new in self.tags:
            node.tag(old, new)
        node.wait_until_ready()
        return node

    def tag(self, old, new):
        """A further name of an image, on all nodes and on those to come."""
        self.tags.append((old, new))
        for node in self.nodes:
            node.tag(old, new)

    def shared_volume(self, name, folder, mode):
        """A volume that all nodes reach, as a claim of the same class asks for it."""
        return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
                "spec": {"capacity": {"storage": "1Gi"}, "accessModes": [mode], "storageClassName": name if name == "clips" else "shared",
                         "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": str(folder)}}}

    def keep(self):
        """What a failed test is looked into by: the cluster's documents and events, and the pods' logs."""
        box = self.boxes[0]
        for file, command in {
            "events.txt": ["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"],
            "everything.yaml": ["get", "all,pvc,pdb,configmaps", "--namespace=mineseal", "--output=yaml"],
            "nodes.txt": ["describe", "nodes"],
            "pods.txt": ["describe", "pods", "--namespace=mineseal"],
        }.items():
            done = box.run("kubectl", *command, check=False)
            (self.logs / file).write_text(done.stdout + done.stderr)
        for each in self.boxes:
            if (each.state / "log/pods").is_dir():
                shutil.copytree(each.state / "log/pods", self.logs / f"{each.state.name}-pods", dirs_exist_ok=True)

    def stop(self):
        for node in self.nodes:
            node.remove()
        for box in self.boxes:
            box.kill()
        shutil.rmtree(self.state, ignore_errors=True)
