"""Secrets and ConfigMaps that are named and not there, told before anything is installed.

Helm asks an API server; here one that knows nothing but Secrets and ConfigMaps.
"""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import CHART, TOOLS

SETTINGS = [
    "clickhouse.passwordSecret=clickhouse",
    "kafka.tls.enabled=true",
    "kafka.tls.caSecret=ca",
    "kafka.tls.userSecret=user",
    "services.counter.kafkaUserSecret=counter",
    "registration.configMap=mines",
    "evidence.store=s3",
    "evidence.s3.bucket=pictures",
    "evidence.s3.credentialsSecret=key",
    "evidence.s3.caSecret=authority",
]
THERE = {
    "secrets": {"clickhouse": ["password"], "ca": ["ca.crt"], "user": ["user.crt", "user.key"],
                "counter": ["user.crt", "user.key"], "key": ["access-key-id", "secret-access-key"],
                "authority": ["ca.crt"]},
    "configmaps": {"mines": ["mines.toml"]},
}


class Server(ThreadingHTTPServer):
    """The few answers of an API server that `lookup` asks for."""

    def __init__(self, there):
        super().__init__(("127.0.0.1", 0), Handler)
        self.there = there
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if path == "/version":
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
        if path == "/api/v1":
            resources = [{"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
                         for name, kind in (("secrets", "Secret"), ("configmaps", "ConfigMap"))]
            return {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources}
        for name, objects in self.server.there.items():
            if path == f"/api/v1/namespaces/mineseal/{name}":
                kind = {"secrets": "Secret", "configmaps": "ConfigMap"}[name]
                items = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": one}, "data": dict.fromkeys(keys, "")}
                         for one, keys in objects.items()]
                return {"apiVersion": "v1", "kind": f"{kind}List", "metadata": {}, "items": items}
        return None

    def do_GET(self):  # noqa: N802: the name that the library calls
        answer = self.answer()
        body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
                                     "reason": "NotFound"}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def install(there, *settings):
    """`helm template` with a cluster to look into: what it said, and what it asked for."""
    with Server(there) as server:
        command = [TOOLS / "python/bin/helm", "template", "release", CHART, "--dry-run=server", "--namespace", "mineseal",
                   "--kube-apiserver", f"http://127.0.0.1:{server.server_port}"]
        for setting in [*SETTINGS, *settings]:
            command += ["--set", setting]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, server.asked


def without(kind, name, key=None):
    there = json.loads(json.dumps(THERE))
    if key:
        there[kind][name].remove(key)
    else:
        del there[kind][name]
    return there


def test_what_is_there_is_taken():
    done, asked = install(THERE)
    assert "/api/v1/namespaces/mineseal/secrets" in asked
    assert done.returncode == 0, done.stderr
    assert "kind: StatefulSet" in done.stdout


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (without("secrets", "clickhouse"),
         ["clickhouse.passwordSecret: there is no Secret clickhouse in the namespace mineseal",
          "kubectl -n mineseal create secret generic clickhouse --from-file=password=FILE"]),
        (without("secrets", "counter"), ["services.counter.kafkaUserSecret", "no Secret counter"]),
        (without("secrets", "user", "user.key"), ["kafka.tls.userSecret", "has no key user.key"]),
        (without("secrets", "key"),
         ["evidence.s3.credentialsSecret: there is no Secret key", "--from-file=access-key-id=FILE"]),
        (without("secrets", "key", "secret-access-key"),
         ["evidence.s3.credentialsSecret", "has no key secret-access-key"]),
        (without("secrets", "authority"), ["evidence.s3.caSecret", "no Secret authority"]),
        (without("configmaps", "mines"),
         ["registration.configMap", "kubectl -n mineseal create configmap mines --from-file=mines.toml=FILE"]),
        ({"secrets": {}, "configmaps": {}}, ["no Secret ca", "no Secret user", "no ConfigMap mines"]),
    ],
    ids=["secret", "secret of a service", "key", "S3 key", "half of an S3 key", "S3 authority", "config map", "everything"],
)
def test_what_is_missing_is_told_with_what_to_do(there, words):
    done, _ = install(there)
    assert done.returncode != 0
    for word in words:
        assert word in done.stderr, done.stderr


def test_the_check_can_be_left_out():
    done, asked = install({"secrets": {}, "configmaps": {}}, "checkReferences=false")
    assert not asked
    assert done.returncode == 0, done.stderr
