"""What all checks use: the chart rendered, and documents compared with what Kubernetes and the operators know."""

import copy
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "helm/mineseal"
TOOLS = Path(os.environ["MINESEAL_CHART_TOOLS"])
KUBERNETES = "1.34"
# In C where the package has it: the definitions are megabytes.
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))


def helm_template(settings=(), files=(), release="release"):
    """Runs `helm template`; settings as for --set, files of values by name."""
    command = [TOOLS / "python/bin/helm", "template", release, CHART]
    command += ["--kube-version", KUBERNETES + ".0", "--namespace", "mineseal"]
    for file in files:
        command += ["--values", file]
    for setting in settings:
        command += ["--set-json" if setting.partition("=")[2][:1] in ("[", "{", '"') else "--set", setting]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@cache
def render(*settings, files=(), release="release"):
    """The documents of the chart; fails with Helm's words."""
    done = helm_template(settings, files, release)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, FAST) if document]


def refusal(*settings, files=()):
    """Why the chart refuses the settings; fails if it takes them."""
    done = helm_template(settings, files)
    assert done.returncode != 0, f"{settings} were taken"
    return done.stderr


def values(*files):
    """The chart's values with files laid over; a copy to change."""
    return copy.deepcopy(read_values(*files))


@cache
def read_values(*files):
    def lay_over(below, above):
        for key, value in above.items():
            if isinstance(value, dict) and isinstance(below.get(key), dict):
                lay_over(below[key], value)
            else:
                below[key] = value
        return below

    result = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    for file in files:
        lay_over(result, yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    return result


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def one(documents, kind, name):
    found = [document for document in of_kind(documents, kind) if document["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)} of {[d['metadata']['name'] for d in of_kind(documents, kind)]}"
    return found[0]


def workloads(documents):
    return [document for document in documents if document["kind"] in ("Deployment", "StatefulSet", "Job")]


def pod(workload):
    return workload["spec"]["template"]["spec"]


@cache
def definitions():
    """Schemas of the operators' kinds by (apiVersion, kind), out of their CRDs, with unknown fields forbidden."""
    found = {}
    for file in sorted((TOOLS / "crds").glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(encoding="utf-8"), FAST):
            if not crd:
                continue
            for version in crd["spec"]["versions"]:
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                schema = strict(version["schema"]["openAPIV3Schema"])
                # Of the API server, not of the operator.
                schema.setdefault("properties", {}).update(apiVersion={}, kind={}, metadata={})
                found[key] = schema
    return found


def strict(schema):
    """A structural schema of Kubernetes as JSON schema: what it does not name would be dropped in silence."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            result[key] = {name: strict(inner) for name, inner in value.items()}
        elif key in ("description", "default", "example", "enum", "format", "pattern"):
            result[key] = value
        else:
            result[key] = strict(value)
    result.pop("format", None)
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result


# Read by kustomize, not by a cluster.
UNDEFINED = {"Kustomization"}


def validate(document):
    """Fails with the reason if the cluster would refuse the document or drop a part of it."""
    kind, version = document["kind"], document["apiVersion"]
    name = f"{kind} {document['metadata'].get('name')}"
    if kind in UNDEFINED:
        return
    if (version, kind) in definitions():
        errors = list(jsonschema.Draft7Validator(definitions()[version, kind]).iter_errors(document))
        assert not errors, f"{name}: " + "; ".join(f"{error.json_path}: {error.message}" for error in errors)
        return
    if not version.endswith(".k8s.io/v1") and "." in version.split("/")[0] and "k8s.io" not in version:
        pytest.skip(f"{version} {kind}: its definition could not be fetched here")
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        raise AssertionError(f"{name}: {error}") from None
