"""KEDA beside the control plane, and nodes that are only simulated (kwok)."""

import json

from authority import openssl
from box import wait_for
from control import ADDRESS

ALL_PODS = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}


class Keda:
    """KEDA's operator and its server of metrics as processes of the first box, known to the API server by an address."""

    def __init__(self, control, binaries):
        self.control, box, authority = control, control.box, control.authority
        kubectl = box.run
        kubectl("kubectl", "create", "namespace", "keda")
        kubectl("kubectl", "apply", "--server-side", "--filename", binaries / "keda-definitions")
        kubectl("kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        # Certificates of its own, where it looks for them.
        authority.issue("keda", "/CN=keda-operator", f"subjectAltName=DNS:localhost,DNS:keda-metrics.keda.svc,IP:{ADDRESS},IP:127.0.0.1",
                        "extendedKeyUsage=serverAuth,clientAuth")
        folder = box.state / "keda"
        folder.mkdir()
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", authority["keda.key"], "-out", folder / "tls.key")
        (folder / "tls.crt").write_bytes(authority["keda.crt"].read_bytes())
        (folder / "ca.crt").write_bytes(authority["ca.crt"].read_bytes())
        config = f"--kubeconfig={control.administrator}"
        box.start("keda-operator", binaries / "keda-operator", config, "--metrics-bind-address=127.0.0.1:18080",
                  "--health-probe-bind-address=127.0.0.1:18081", "--metrics-service-bind-address=127.0.0.1:9666",
                  f"--cert-dir={folder}", "--enable-cert-rotation=false",
                  environment={"POD_NAMESPACE": "keda", "POD_NAME": "keda-operator", "WATCH_NAMESPACE": "",
                               "OPERATOR_NAME": "keda-operator", "KEDA_CLUSTER_OBJECT_NAMESPACE": "keda"})
        box.start("keda-adapter", binaries / "keda-adapter", config, "--port=18082", "--secure-port=6444",
                  "--metrics-service-address=localhost:9666", f"--cert-dir={folder}", f"--tls-cert-file={folder}/tls.crt",
                  f"--tls-private-key-file={folder}/tls.key", f"--lister-kubeconfig={control.administrator}",
                  f"--authentication-kubeconfig={control.administrator}", f"--authorization-kubeconfig={control.administrator}",
                  f"--client-ca-file={authority['ca.crt']}",
                  environment={"POD_NAMESPACE": "keda", "WATCH_NAMESPACE": ""})
        service = {"namespace": "keda", "name": "keda-metrics"}
        documents = [
            {"apiVersion": "v1", "kind": "Service", "metadata": service, "spec": {"ports": [{"port": 443, "targetPort": 6444}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": {**service, "labels": {"kubernetes.io/service-name": "keda-metrics"}},
             "ports": [{"name": "", "port": 6444, "protocol": "TCP"}],
             "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}]},
            {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
             "spec": {"group": "external.metrics.k8s.io", "version": "v1beta1", "service": service, "insecureSkipTLSVerify": True,
                      "groupPriorityMinimum": 100, "versionPriority": 100}},
        ]
        box.run("kubectl", "apply", "--server-side", "--filename=-",
                given=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
        wait_for("KEDA serves metrics", lambda: box.run("kubectl", "get", "--raw=/apis/external.metrics.k8s.io/v1beta1",
                                                        check=False).returncode == 0, 180, while_waiting=control.refuse_ended)


def simulate_nodes(control, binaries, count):
    """Nodes without a machine: whatever is put on them is said to run at once."""
    box = control.box
    stages = binaries / "kwok-stages"
    files = [stages / "node/fast/node-initialize.yaml", stages / "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
             *sorted((stages / "pod/fast").glob("pod-*.yaml"))]
    config = box.state / "kwok.yaml"
    config.write_text("\n---\n".join(file.read_text() for file in files))
    box.start("kwok", binaries / "kwok", f"--config={config}", f"--kubeconfig={control.administrator}", "--manage-all-nodes=false",
              "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake", "--cidr=10.250.0.0/16", f"--node-ip={ADDRESS}",
              "--node-lease-duration-seconds=40", "--server-address=127.0.0.1:10247")
    room = {"cpu": "64", "memory": "512Gi", "pods": "200"}
    nodes = [{"apiVersion": "v1", "kind": "Node",
              "metadata": {"name": f"simulated-{number}", "annotations": {"kwok.x-k8s.io/node": "fake"},
                           "labels": {"kubernetes.io/hostname": f"simulated-{number}", "kubernetes.io/os": "linux", "simulated": "yes",
                                      "topology.kubernetes.io/zone": f"room-{number % 3}"}},
              "spec": {"taints": [ALL_PODS]}, "status": {"allocatable": room, "capacity": room}} for number in range(1, count + 1)]
    box.run("kubectl", "apply", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))
    box.run("kubectl", "wait", "--for=condition=Ready", "node", "--selector=simulated=yes", "--timeout=120s", seconds=130)
