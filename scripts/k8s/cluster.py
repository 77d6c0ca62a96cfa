#!/usr/bin/env python3
"""Makes those documents of k8s/ that follow from the code or from the number of mines.

    cluster.py --write               k8s/base/kafka/topics.yaml and users.yaml for the chart's default number of mines
    cluster.py --mines 200 FOLDER    a kustomization over k8s/base for so many mines: `kubectl apply -k FOLDER`
    cluster.py --mines 200 --values helm/mineseal/values-production.yaml FOLDER
"""

import argparse
import math
import os
import re
import sys
from pathlib import Path

import yaml

# Its neighbour is imported out of the checkout, which is to stay as it is.
sys.dont_write_bytecode = True

from capacity import VALUES, capacity  # noqa: E402

ROOT = Path(__file__).parents[2]
KAFKA = ROOT / "k8s/base/kafka"
CLUSTER = "mineseal"
SERVICES = ["frame-extractor", "inference", "counter", "clickhouse-sink", "platform-forwarder", "console", "operator"]


def topics():
    """Name, how it is cut, retention in milliseconds and bytes of each topic, as schemas/src/topics.rs says."""
    text = (ROOT / "schemas/src/topics.rs").read_text(encoding="utf-8")

    def body(function):
        return re.search(rf"fn {function}\(self\)[^{{]*{{(.*?)\n    }}\n", text, re.DOTALL).group(1)

    def arms(function):
        """Variant by variant what a function of one `match` gives."""
        found = {}
        source = re.sub(r"//.*", "", body(function))
        for variants, value in re.findall(r"((?:Self::\w+\s*\|?\s*)+|_\s*)=>\s*([^,]+),", source):
            for variant in re.findall(r"Self::(\w+)", variants) or ["_"]:
                found[variant] = value.strip()
        return found

    constants = {}

    def product(expression):
        """The value of `a * b << c`, of numbers and constants of the file."""
        expression, _, shift = expression.partition("<<")
        factors = [factor.strip().replace("_", "") for factor in re.sub(r"\b[A-Z]\w*", of_constant, expression).split("*")]
        return math.prod(map(int, factors)) << int(shift or 0)

    def of_constant(found):
        return str(constants[found.group()])

    for name, value in re.findall(r"const (\w+): i64 = ([^;]+);", text):
        constants[name] = product(value)

    def number(expression):
        inner = re.fullmatch(r"Some\((.*)\)", expression)
        return product(inner.group(1)) if inner else None

    names, cut = arms("name"), arms("partitions")
    kept, bytes_kept = arms("retention_ms"), arms("retention_bytes")
    return [
        {
            "name": name.strip('"'),
            "cut": cut[variant].removeprefix("Partitions::"),
            "retention_ms": number(kept[variant]),
            "retention_bytes": number(bytes_kept.get(variant, bytes_kept["_"])),
        }
        for variant, name in names.items()
    ]


def topic_config(topic, replication):
    """What crates/bus/src/topics.rs sets when it makes the topic itself."""
    config = {
        "compression.type": "producer",
        "max.message.bytes": 8 << 20,
        "min.insync.replicas": 2 if replication >= 3 else 1,
    }
    if topic["retention_ms"] is None:
        config |= {
            "cleanup.policy": "compact",
            "segment.ms": 3_600_000,
            "segment.bytes": 64 << 20,
            "min.cleanable.dirty.ratio": 0.1,
        }
    else:
        config |= {"cleanup.policy": "delete", "retention.ms": topic["retention_ms"]}
    if topic["retention_bytes"]:
        config |= {
            "retention.bytes": topic["retention_bytes"],
            "segment.bytes": topic["retention_bytes"] // 16,
            "segment.ms": 60_000,
        }
    return config


def topic_documents(values):
    partitions, replication = capacity(values)["partitions"], values["kafka"]["replication"]
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {
                "name": f"{values['kafka']['topicPrefix']}.{topic['name']}",
                "labels": {"strimzi.io/cluster": CLUSTER},
            },
            "spec": {
                "partitions": 1 if topic["cut"] == "One" else partitions,
                "replicas": replication,
                "config": topic_config(topic, replication),
            },
        }
        for topic in topics()
    ]


def user_documents(values):
    """A user for each service. Its quota is some times what it needs: it holds who runs wild, not who catches up."""
    c = values["capacity"]
    frames = capacity(values)["framesPerSecond"]
    pictures = frames * c["frameKilobytes"] * 1024 // c["brokers"]
    found = frames * c["detectionBytes"] // c["brokers"]
    least = 16 << 20
    rates = {
        "frame-extractor": (2 * pictures, least),
        "inference": (4 * found, 4 * pictures),
        "counter": (4 * found, 8 * found),
        "clickhouse-sink": (least, 8 * found),
    }
    documents = []
    for service in SERVICES:
        produced, consumed = (max(least, rate) for rate in rates.get(service, (least, 4 * least)))
        documents.append(
            {
                "apiVersion": "kafka.strimzi.io/v1",
                "kind": "KafkaUser",
                "metadata": {"name": f"mineseal-{service}", "labels": {"strimzi.io/cluster": CLUSTER}},
                "spec": {
                    "authentication": {"type": "tls"},
                    "quotas": {
                        "producerByteRate": produced,
                        "consumerByteRate": consumed,
                        "requestPercentage": 200,
                        "controllerMutationRate": 50 if service == "operator" else 10,
                    },
                },
            }
        )
    return documents


def text(documents, said):
    return said + "".join("---\n" + yaml.safe_dump(document, sort_keys=False) for document in documents)


def base_files(values):
    """Files of k8s/ that this script writes, by path."""
    said = "# Made by scripts/k8s/cluster.py --write, for the chart's default number of mines; do not edit.\n"
    return {
        KAFKA / "topics.yaml": text(topic_documents(values), said),
        KAFKA / "users.yaml": text(user_documents(values), said),
    }


def overlay(values, folder):
    """Files of a kustomization over k8s/base for the number of mines in `values`, by path."""
    numbers = capacity(values)
    patches = [
        {"target": {"kind": d["kind"], "name": d["metadata"]["name"]}, "patch": yaml.safe_dump(d, sort_keys=False)}
        for d in [*topic_documents(values), *user_documents(values)]
    ]
    size = f"{numbers['kafkaGibibytesPerBroker']}Gi"
    patches += [
        replacement("KafkaNodePool", "brokers", "/spec/storage/volumes/0/size", size),
        replacement("KafkaNodePool", "brokers", "/spec/replicas", values["capacity"]["brokers"]),
        replacement(
            "StatefulSet",
            "mineseal-clickhouse",
            "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
            f"{numbers['clickhouseGibibytes']}Gi",
        ),
    ]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "k8s/base", folder.resolve())],
        "patches": patches,
    }
    said = f"# Made by scripts/k8s/cluster.py for {values['mines']} mines.\n"
    return {folder / "kustomization.yaml": said + yaml.safe_dump(kustomization, sort_keys=False, width=1000)}


def replacement(kind, name, path, value):
    return {
        "target": {"kind": kind, "name": name},
        "patch": yaml.safe_dump([{"op": "replace", "path": path, "value": value}], sort_keys=False),
    }


def read_values(files, mines=None):
    """The chart's values under those of `files`."""

    def lay_over(below, above):
        for key, value in above.items():
            if isinstance(value, dict) and isinstance(below.get(key), dict):
                lay_over(below[key], value)
            else:
                below[key] = value

    values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    for file in files:
        lay_over(values, yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    if mines:
        values["mines"] = mines
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where the kustomization goes")
    parser.add_argument("--write", action="store_true", help="write the files of k8s/ itself")
    parser.add_argument("--mines", type=int, help="instead of the number in the values")
    parser.add_argument("--values", action="append", default=[], metavar="FILE", help="laid over the chart's values")
    arguments = parser.parse_args()
    if arguments.write == bool(arguments.folder):
        parser.error("give --write, or a folder")
    if arguments.write:
        files = base_files(read_values([]))
    else:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        files = overlay(read_values(arguments.values, arguments.mines), arguments.folder)
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
