"""Writes helm/mineseal/values.schema.json: what each value may be. `--check` only compares.

JSON has neither comments nor names for what repeats (Helm reads `$ref` of one file only, and six services are alike),
so the schema is made here.
"""

import json
import sys
from pathlib import Path

TARGET = Path(__file__).parents[2] / "helm/mineseal/values.schema.json"


def text(description, pattern=None, **more):
    schema = {"type": "string", "description": description, **more}
    if pattern:
        schema["pattern"] = pattern
    return schema


def number(description, low, high):
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def truth(description):
    return {"type": "boolean", "description": description}


def section(description, required=None, **properties):
    """A map of known keys. All are there, because values.yaml has them all, unless `required` says which must be: who
    sets one to null would take the default away."""
    required = properties if required is None else required
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def free(description):
    return {"type": "object", "description": description}


def items(description, of=None):
    return {"type": "array", "description": description, "items": of or {"type": "object"}}


NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
NAME_OR_NOTHING = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$"
KEY = r"^[-._a-zA-Z0-9]+$"
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
QUANTITY_OR_NOTHING = r"^([0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?)?$"
BROKERS = r"^[A-Za-z0-9.-]+:[0-9]{1,5}(,[A-Za-z0-9.-]+:[0-9]{1,5})*$"
URL = r"^https?://[^\s/]+(/\S*)?$"
URL_OR_NOTHING = r"^(https?://[^\s/]+(/\S*)?)?$"

PORT = number("a port", 1, 65535)
PEERS = items("peers, as in a NetworkPolicy", {"type": "object", "minProperties": 1})
ENVIRONMENT = items(
    "variables, as in a container",
    {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {"name": {"type": "string", "minLength": 1}, "value": {"type": "string"}, "valueFrom": free("")},
    },
)


def quantities(description):
    """Amounts by resource; anything with a slash is a device, counted in whole ones."""
    amount = {"type": ["string", "integer", "number"], "pattern": QUANTITY}
    return {
        "type": "object",
        "description": description,
        "properties": {
            "cpu": amount,
            "memory": {"type": "string", "pattern": QUANTITY_OR_NOTHING},
            "ephemeral-storage": amount,
        },
        "patternProperties": {"^[a-z0-9.-]+/[A-Za-z0-9._-]+$": {"type": ["integer", "string"], "pattern": "^[0-9]+$"}},
        "additionalProperties": False,
    }


RESOURCES = section("as in a container", [], requests=quantities("what is kept for it"), limits=quantities("the most"))

SERVICE = section(
    "one service",
    replicas=number("pods; 0: from mines", 0, 1000),
    # The longest drain is inference's: 10 s for frames in hand and 10 s for the commit.
    gracePeriodSeconds=number("from SIGTERM to SIGKILL; the drain takes up to 20 s", 30, 3600),
    kafkaUserSecret=text("Secret with user.crt and user.key", NAME_OR_NOTHING),
    resources=RESOURCES,
    autoscaling=section(
        "by KEDA",
        enabled=truth("where keda.enabled is true"),
        maxReplicas=number("0: twice the pods, at most the partitions", 0, 1000),
        threshold=number("records behind, or cameras, for each pod", 1, 10_000_000),
    ),
    priorityClassName=text("a PriorityClass", NAME_OR_NOTHING),
    nodeSelector=free("labels of nodes"),
    tolerations=items("as in a pod"),
    affinity=free("as in a pod"),
    podAnnotations=free("of its pods"),
    extraEnv=ENVIRONMENT,
    extraVolumes=items("as in a pod"),
    extraVolumeMounts=items("as in a container"),
)

SERVICES = ["frame-extractor", "inference", "counter", "clickhouse-sink", "platform-forwarder", "console"]

SECRET_KEY = section("a key of a Secret or ConfigMap", ["name", "key"], name=text("its name", NAME), key=text("the key", KEY))

CAPACITY = {
    name: number(description, low, high)
    for name, description, low, high in [
        ("camerasPerMine", "cameras of a mine", 1, 1000),
        ("framesPerSecondPerCamera", "sampled frames of a camera in a second, on average", 1, 60),
        ("detectedPercent", "share of the frames that the detector looks at", 1, 100),
        ("headroomPercent", "on top of everything", 0, 400),
        ("framesPerSecondPerWorker", "frames that a detector thread on one CPU core takes in a second", 1, 10_000),
        ("framesPerSecondPerGpu", "frames that one GPU takes in a second", 1, 1_000_000),
        ("camerasPerExtractor", "cameras that one extractor pod reads", 1, 1000),
        ("cameraMebibytes", "memory of a live camera in an extractor, MiB", 20, 10_000),
        ("minesPerCounter", "mines that one counter pod carries", 1, 10_000),
        ("rowsPerSecondPerSink", "rows that one sink pod stores in a second", 1, 10_000_000),
        ("frameKilobytes", "a published picture, KiB", 1, 8192),
        ("detectionBytes", "a record of detections", 1, 1_000_000),
        ("eventsPerMinePerDay", "crossings, headcounts, activity, alarms of a mine in a day", 1, 10_000_000),
        ("eventBytes", "such a record", 1, 1_000_000),
        ("alarmsPerMinePerDay", "alarms with a picture", 0, 100_000),
        ("pictureKilobytes", "a kept picture, KiB", 1, 8192),
        ("clipKilobytes", "a kept clip, KiB", 0, 1_000_000),
        ("evidenceDays", "days of pictures and clips that the volume holds", 1, 4000),
        ("latencyRowBytes", "a row of frame_latencies on disk", 1, 10_000),
        ("eventRowBytes", "any other row on disk", 1, 10_000),
        ("rowDays", "days that rows are kept", 1, 4000),
        ("brokers", "Kafka brokers", 1, 1000),
    ]
}

PLATFORM = section(
    "an upper platform",
    ["name", "kind", "url"],
    name=text("part of the consumer group and of paths", r"^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$"),
    kind={"enum": ["coal-json"], "description": "its interface"},
    url=text("base URL", URL),
    clientId=text("OAuth2 client"),
    clientSecret=SECRET_KEY,
    codeTable=SECRET_KEY,
)

# Every key of values.yaml; `global` is of a chart that holds this one.
TOP = """mines capacity nameOverride fullnameOverride image imagePullSecrets kafka clickhouse evidence cameras registration
    forwarder telemetry serviceMonitor console inference keda networkPolicy services prepare podSecurityContext
    checkReferences extraEnv extraObjects""".split()

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "values of mineseal",
    **section(
        "see values.yaml",
        TOP,
        mines=number("how many mines this installation carries", 1, 5000),
        capacity=section("what the formula assumes (docs/capacity.md)", **CAPACITY),
        nameOverride=text("instead of the chart's name", r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"),
        fullnameOverride=text("before every name", r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"),
        image=section(
            "of all services",
            repository=text("registry and name, without a tag", r"^[a-z0-9][a-z0-9._/:-]*$"),
            tag=text("empty: the chart's appVersion", r"^[A-Za-z0-9_.-]*$"),
            digest=text("sha256:...", r"^(sha256:[0-9a-f]{64})?$"),
            pullPolicy={"enum": ["Always", "IfNotPresent", "Never"], "description": "as in a container"},
        ),
        imagePullSecrets=items("names of Secrets"),
        kafka=section(
            "the bus",
            brokers=text("host:port, several with commas", BROKERS),
            topicPrefix=text("before every topic's name", r"^[a-zA-Z0-9._-]{1,100}$"),
            partitions=number("0: from mines", 0, 1000),
            replication=number("copies of each partition", 1, 9),
            properties={
                "type": "object",
                "description": "of librdkafka; secrets go into propertiesSecret",
                "propertyNames": {"not": {"pattern": "password|secret|^ssl\\.key\\.pem$"}},
                "additionalProperties": {"type": ["string", "integer", "boolean"]},
            },
            propertiesSecret=text("a Secret of variables", NAME_OR_NOTHING),
            tls=section(
                "encryption and client certificates",
                enabled=truth("speak TLS"),
                caSecret=text("Secret with ca.crt", NAME_OR_NOTHING),
                userSecret=text("Secret with user.crt and user.key", NAME_OR_NOTHING),
            ),
        ),
        clickhouse=section(
            "the store",
            url=text("HTTP URL", URL),
            database=text("made when it is absent", r"^[A-Za-z0-9_]+$"),
            user=text("user", minLength=1),
            passwordSecret=text("Secret with the key password", NAME_OR_NOTHING),
        ),
        evidence=section(
            "pictures of alarms",
            store={"enum": ["folder", "s3"], "description": "a volume, or a bucket of an S3 server"},
            s3=section(
                "an S3 server",
                endpoint=text("URL without the bucket; empty: Amazon's", r"^(https?://[^\s/]+/?)?$"),
                region=text("empty: us-east-1", r"^[a-z0-9-]*$"),
                bucket=text("its name", r"^([a-z0-9][-a-z0-9.]{1,61}[a-z0-9])?$"),
                prefix=text("before every object's name, without slashes at its ends", r"^([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)?$"),
                bucketInHost=truth("BUCKET.HOST instead of HOST/BUCKET"),
                credentialsSecret=text("Secret with access-key-id and secret-access-key", NAME_OR_NOTHING),
                caSecret=text("Secret with ca.crt", NAME_OR_NOTHING),
            ),
            size=text("empty: from mines", QUANTITY_OR_NOTHING),
            storageClass=text("empty: the cluster's own", NAME_OR_NOTHING),
            accessMode={"enum": ["ReadWriteMany", "ReadWriteOnce"], "description": "of the volume"},
            existingClaim=text("a PersistentVolumeClaim", NAME_OR_NOTHING),
        ),
        cameras=section("the cameras", credentialsSecret=text("Secret of user:password by name", NAME_OR_NOTHING)),
        registration=section(
            "mines and cameras",
            configMap=text("a ConfigMap", NAME_OR_NOTHING),
            key=text("the file in it", KEY),
            prune=truth("remove what the file does not name"),
        ),
        forwarder=section("to upper platforms", platforms=items("upper platforms", PLATFORM)),
        telemetry=section(
            "logs, traces, metrics",
            otlpEndpoint=text("OTLP over HTTP", URL_OR_NOTHING),
            filter=text("of logs", minLength=1),
            metricsPort=PORT,
        ),
        serviceMonitor=section(
            "for the Prometheus operator",
            enabled=truth("make it"),
            interval=text("between two scrapes", r"^[0-9]+(ms|s|m)$"),
            labels=free("by which Prometheus finds it"),
        ),
        console=section(
            "the page",
            port=PORT,
            service=section("", type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}),
            ingress=section(
                "by an Ingress",
                enabled=truth("make it"),
                className=text("an IngressClass", NAME_OR_NOTHING),
                host=text("its name", r"^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$"),
                annotations=free("of the Ingress"),
                tlsSecret=text("Secret with tls.crt and tls.key", NAME_OR_NOTHING),
            ),
            gateway=section(
                "by the Gateway API",
                enabled=truth("make an HTTPRoute"),
                parentRefs=items("the Gateways"),
                hostnames=items("names", {"type": "string", "pattern": r"^[a-z0-9*]([-a-z0-9.]*[a-z0-9])?$"}),
            ),
        ),
        inference=section(
            "the detector",
            workers=number("detector threads of a pod", 1, 256),
            gpu=section(
                "GPUs",
                enabled=truth("ask for one"),
                resource=text("as the device plugin calls it", r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"),
                count=number("for each pod", 1, 16),
                nodeSelector=free("labels of nodes"),
                tolerations=items("as in a pod"),
                image=section("of a build for it", repository=text("registry and name"), tag=text("its tag")),
            ),
            weightsClaim=text("a PersistentVolumeClaim", NAME_OR_NOTHING),
            weightsFile=text("a file in it", r"^[^/\s]*$"),
        ),
        keda=section(
            "numbers of pods by lag",
            enabled=truth("make ScaledObjects"),
            pollingSeconds=number("between two looks", 1, 3600),
            cooldownSeconds=number("before pods go", 0, 86400),
            prometheusAddress=text("URL", URL_OR_NOTHING),
        ),
        networkPolicy=section(
            "what goes in and out",
            enabled=truth("make them"),
            dns={**PEERS, "minItems": 1},
            monitoring={**PEERS, "minItems": 1},
            users={**PEERS, "minItems": 1},
            kafka=PEERS,
            clickhouse=PEERS,
            platforms=PEERS,
            collector=PEERS,
            objectStore=PEERS,
            cameras=PEERS,
            cameraPorts={**items("of the cameras", PORT), "minItems": 1},
        ),
        services=section("of each service", **{name: SERVICE for name in SERVICES}),
        prepare=section(
            "the Job before",
            enabled=truth("make it"),
            deadlineSeconds=number("for all attempts", 30, 86400),
            resources=RESOURCES,
        ),
        podSecurityContext=section(
            "of every pod; the rest of Pod Security `restricted` is fixed",
            ["runAsUser", "runAsGroup", "fsGroup"],
            runAsUser=number("not root", 1, 2**31),
            runAsGroup=number("not root", 1, 2**31),
            fsGroup=number("of volumes", 1, 2**31),
            supplementalGroups=items("further groups", {"type": "integer"}),
        ),
        checkReferences=truth("refuse while a named Secret or ConfigMap is not there"),
        extraEnv=ENVIRONMENT,
        extraObjects=items("further documents", {"type": "object", "required": ["apiVersion", "kind"]}),
        # Charts that hold this one may set them.
        **{"global": free("of the chart above")},
    ),
}

if __name__ == "__main__":
    wanted = json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"
    if "--check" in sys.argv:
        if TARGET.read_text(encoding="utf-8") != wanted:
            sys.exit(f"{TARGET} is not what this script writes: run python3 {sys.argv[0]}")
    else:
        TARGET.write_text(wanted, encoding="utf-8")
