"""The control plane in the first box: etcd, API server, controllers, scheduler."""

from authority import CLIENT, SERVER, Authority
from box import Failed, wait_for

ADDRESS = "10.199.0.1"
SERVICES = "10.96.0.0/16"


class Control:
    def __init__(self, box):
        self.box = box
        self.authority = authority = Authority(box.state / "certificates", f"https://{ADDRESS}:6443")
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"]
        alternatives = [f"DNS:{name}" for name in names] + [f"IP:{address}" for address in ("127.0.0.1", "10.96.0.1", ADDRESS)]
        authority.issue("apiserver", "/CN=kube-apiserver", f"subjectAltName={','.join(alternatives)}", SERVER)
        authority.issue("to-kubelet", "/O=system:masters/CN=apiserver", CLIENT)
        authority.issue("front-proxy", "/CN=front-proxy-client", CLIENT, authority="front-proxy-ca")
        self.administrator = authority.user("admin", "/O=system:masters/CN=admin")
        box.environment["KUBECONFIG"] = str(self.administrator)
        # A bridge that the other nodes' cables come to.
        box.run("ip", "link", "add", "lan", "type", "bridge")
        box.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "lan")
        box.run("ip", "link", "set", "lan", "up")
        # The API server wants a way out to find its own address by.
        box.run("ip", "route", "add", "default", "dev", "lan")
        self.start()

    def start(self):
        box, authority = self.box, self.authority
        box.start("etcd", "etcd", "--data-dir", box.state / "etcd", "--unsafe-no-fsync", "--log-level", "warn")
        box.start(
            "apiserver", "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={ADDRESS}",
            f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            f"--tls-cert-file={authority['apiserver.crt']}", f"--tls-private-key-file={authority['apiserver.key']}",
            f"--client-ca-file={authority['ca.crt']}",
            f"--service-account-key-file={authority['accounts.pub']}",
            f"--service-account-signing-key-file={authority['accounts.key']}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--kubelet-client-certificate={authority['to-kubelet.crt']}", f"--kubelet-client-key={authority['to-kubelet.key']}",
            f"--kubelet-certificate-authority={authority['ca.crt']}", "--kubelet-preferred-address-types=InternalIP",
            # For APIs that others serve: metrics that pods are scaled by.
            f"--requestheader-client-ca-file={authority['front-proxy-ca.crt']}",
            "--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={authority['front-proxy.crt']}", f"--proxy-client-key-file={authority['front-proxy.key']}",
            "--enable-aggregator-routing=true",
            # Pods leave a lost node after seconds instead of five minutes.
            "--default-not-ready-toleration-seconds=5", "--default-unreachable-toleration-seconds=5")
        wait_for("the API server answers", lambda: box.run("kubectl", "get", "--raw=/readyz", check=False).stdout == "ok", 240,
                 while_waiting=self.refuse_ended)
        for name, user in (("kube-controller-manager", "controllers"), ("kube-scheduler", "scheduler")):
            config = authority.user(user, f"/CN=system:{name}")
            more = []
            if user == "controllers":
                more = ["--use-service-account-credentials=true", f"--root-ca-file={authority['ca.crt']}",
                        f"--service-account-private-key-file={authority['accounts.key']}",
                        f"--cluster-signing-cert-file={authority['ca.crt']}", f"--cluster-signing-key-file={authority['ca.key']}",
                        "--node-monitor-grace-period=20s", "--horizontal-pod-autoscaler-sync-period=5s",
                        "--horizontal-pod-autoscaler-downscale-stabilization=20s"]
            box.start(user, name, *(f"--{which}kubeconfig={config}" for which in ("", "authentication-", "authorization-")),
                      "--bind-address=127.0.0.1", "--leader-elect=false", *more)
        wait_for("the default account is there",
                 lambda: box.run("kubectl", "get", "serviceaccount", "default", check=False).returncode == 0, 120,
                 while_waiting=self.refuse_ended)

    def refuse_ended(self):
        if ended := self.box.ended():
            raise Failed(f"{', '.join(ended)} ended; see {self.box.logs}")
