"""A node: containerd, kubelet and kube-proxy in a box, with a cable to the box of the control plane."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from authority import SERVER
from box import Failed, make_cgroup, remove_cgroup, wait_for
from control import ADDRESS

sys.path.insert(0, str(Path(__file__).parents[1]))
import image  # noqa: E402

PAUSE = "mineseal.test/pause:1"
CONTAINERD = """
version = 2
root = "{state}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  # No more precious than what the machine runs beside.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def pause_image(program, out):
    """The image that holds a pod's namespaces."""
    layer = image.Layer()
    layer.file("pause", program.read_bytes(), 0o755)
    out.write_bytes(image.oci(PAUSE, "1", [layer.tar()], ["/pause"])[0])


class Node:
    """Node `number`, from 1; the first shares the control plane's box. Its pods have 10.244.(16 · number).0/20."""

    def __init__(self, number, box, control, images):
        self.number, self.box, self.control = number, box, control
        self.name, self.address, self.pods = box.name, f"10.199.0.{number}", f"10.244.{16 * number}.0/20"
        self.cgroup = f"mineseal-test-{os.getpid()}-{self.name}"
        if number > 1:
            self.connect(control.box)
        self.start(images)

    def connect(self, first):
        cable = f"node{self.number}"
        # The machine alone knows both boxes' process numbers.
        subprocess.run(["nsenter", f"--target={first.first}", "--net", "ip", "link", "add", cable, "type", "veth",
                        "peer", "name", "lan", "netns", str(self.box.first)], check=True, capture_output=True)
        first.run("ip", "link", "set", cable, "master", "lan", "up")
        first.run("ip", "route", "replace", self.pods, "via", self.address)
        self.box.run("ip", "address", "add", f"{self.address}/24", "dev", "lan")
        self.box.run("ip", "link", "set", "lan", "up")
        self.box.run("ip", "route", "add", "default", "via", ADDRESS)
        self.box.environment["KUBECONFIG"] = str(self.control.administrator)

    def start(self, images):
        box, state, authority = self.box, self.box.state, self.control.authority
        make_cgroup(self.cgroup)
        authority.issue(f"{self.name}-serving", f"/O=system:nodes/CN=system:node:{self.name}",
                        f"subjectAltName=DNS:{self.name},IP:{self.address}", SERVER)
        kubelet_config = authority.user(self.name, f"/O=system:nodes/CN=system:node:{self.name}")
        proxy_config = authority.user(f"{self.name}-proxy", "/CN=system:kube-proxy")

        (state / "containerd.toml").write_text(CONTAINERD.format(state=state, pause=PAUSE))
        (state / "cni").mkdir()
        (state / "cni" / "10-pods.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [
            {"type": "bridge", "bridge": "pods", "isGateway": True, "hairpinMode": True, "ipMasq": False,
             "ipam": {"type": "host-local", "ranges": [[{"subnet": self.pods}]], "routes": [{"dst": "0.0.0.0/0"}],
                      "dataDir": "/run/cni-addresses"}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}))
        (state / "kubelet.yaml").write_text(json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "failCgroupV1": False, "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self.cgroup}", "enforceNodeAllocatable": [],
            "failSwapOn": False, "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": str(authority["ca.crt"])}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(authority[f"{self.name}-serving.crt"]),
            "tlsPrivateKeyFile": str(authority[f"{self.name}-serving.key"]),
            "clusterDomain": "cluster.local", "clusterDNS": ["10.96.0.10"], "resolvConf": "",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "nodeStatusUpdateFrequency": "5s",
        }))
        (state / "proxy.yaml").write_text(json.dumps({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
            "clusterCIDR": "10.244.0.0/16", "hostnameOverride": self.name,
            "clientConnection": {"kubeconfig": str(proxy_config)}, "conntrack": {"maxPerCore": 0, "min": 0},
        }))

        box.start("containerd", "containerd", "--config", state / "containerd.toml")
        wait_for("containerd answers", lambda: box.run("ctr", "version", check=False).returncode == 0, 60, while_waiting=self.refuse_ended)
        for each in images:
            self.load(each)
        box.start("kubelet", "kubelet", f"--config={state}/kubelet.yaml", f"--kubeconfig={kubelet_config}",
                  f"--hostname-override={self.name}", f"--node-ip={self.address}", "--cert-dir=/var/lib/kubelet/pki")
        box.start("proxy", "kube-proxy", f"--config={state}/proxy.yaml")

    def load(self, tar):
        self.box.run("ctr", "--namespace=k8s.io", "images", "import", tar, seconds=300)

    def tag(self, old, new):
        self.box.run("ctr", "--namespace=k8s.io", "images", "tag", "--force", old, new)

    def wait_until_ready(self, seconds=180):
        kubectl = self.control.box.run
        wait_for(f"{self.name} is registered", lambda: kubectl("kubectl", "get", f"node/{self.name}", check=False).returncode == 0,
                 seconds, while_waiting=self.refuse_ended)
        kubectl("kubectl", "wait", "--for=condition=Ready", f"node/{self.name}", f"--timeout={seconds}s", seconds=seconds + 10)

    def refuse_ended(self):
        if ended := self.box.ended():
            raise Failed(f"{', '.join(ended)} ended on {self.name}; see {self.box.logs}")

    def main_process(self, container):
        """Process number, inside the box, of a container's main process."""
        for line in self.box.run("ctr", "--namespace=k8s.io", "tasks", "list").splitlines():
            fields = line.split()
            if fields and fields[0] == container:
                return int(fields[1])
        raise Failed(f"{container} does not run on {self.name}")

    def signal(self, process, number=signal.SIGKILL):
        self.box.run("kill", f"-{int(number)}", process)

    def remove(self):
        """Ends it at once and takes away what it left with the kernel."""
        self.box.kill()
        remove_cgroup(self.cgroup)
