"""Over a matrix of values every document is one that a cluster takes; wrong values are refused in words."""

import pytest

from conftest import CHART, of_kind, refusal, render, validate

PRODUCTION = (str(CHART / "values-production.yaml"),)
EMBEDDED = (str(CHART / "values-embedded.yaml"),)

PLATFORMS = (
    'forwarder.platforms=[{"name":"region","kind":"coal-json","url":"https://platform.example.cn/coal",'
    '"clientId":"mineseal","clientSecret":{"name":"region","key":"secret"},"codeTable":{"name":"codes","key":"a.toml"}},'
    '{"name":"county","kind":"coal-json","url":"http://10.0.0.9:8443/coal"}]'
)
EVERYTHING = (
    PLATFORMS,
    "kafka.tls.enabled=true",
    "kafka.tls.caSecret=ca",
    "kafka.tls.userSecret=user",
    "kafka.propertiesSecret=more",
    "clickhouse.passwordSecret=clickhouse",
    "cameras.credentialsSecret=cameras",
    "registration.configMap=mines",
    "registration.prune=true",
    "telemetry.otlpEndpoint=http://collector.monitoring:4318",
    "serviceMonitor.enabled=true",
    "serviceMonitor.labels.release=prometheus",
    "console.ingress.enabled=true",
    "console.ingress.tlsSecret=tls",
    "console.gateway.enabled=true",
    'console.gateway.parentRefs=[{"name":"public","namespace":"gateways"}]',
    "inference.gpu.enabled=true",
    "inference.gpu.nodeSelector.pool=gpu",
    "inference.weightsClaim=weights",
    "inference.weightsFile=own.safetensors",
    "keda.enabled=true",
    "keda.prometheusAddress=http://prometheus.monitoring:9090",
    "services.frame-extractor.autoscaling.enabled=true",
    'services.counter.extraEnv=[{"name":"A","value":"b"}]',
    'services.counter.extraVolumes=[{"name":"more","emptyDir":{}}]',
    'services.counter.extraVolumeMounts=[{"name":"more","mountPath":"/more"}]',
    "services.counter.podAnnotations.a=b",
    "services.counter.priorityClassName=high",
    'extraEnv=[{"name":"TZ","value":"Asia/Shanghai"}]',
    'imagePullSecrets=[{"name":"registry"}]',
    'extraObjects=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"mine"},"data":{"a":"b"}}]',
)

S3 = (
    "evidence.store=s3",
    "evidence.s3.endpoint=https://pictures.example.cn:9000",
    "evidence.s3.region=cn-1",
    "evidence.s3.bucket=pictures",
    "evidence.s3.prefix=site-1/seal",
    "evidence.s3.bucketInHost=true",
    "evidence.s3.credentialsSecret=key",
    "evidence.s3.caSecret=authority",
)

MATRIX = {
    "defaults": ((), ()),
    "one mine": (("mines=1",), ()),
    "a thousand mines on GPUs": (("mines=1000", "inference.gpu.enabled=true", "capacity.camerasPerExtractor=64"), ()),
    "embedded": ((), EMBEDDED),
    "production": ((), PRODUCTION),
    "everything": (EVERYTHING, ()),
    "production and everything": (EVERYTHING, PRODUCTION),
    "nothing more": (("networkPolicy.enabled=false", "prepare.enabled=false", "evidence.existingClaim=there"), ()),
    "pictures in S3": (("evidence.store=s3", "evidence.s3.bucket=pictures", "evidence.s3.credentialsSecret=key"), ()),
    "pictures in S3, production and everything": ((*EVERYTHING, *S3), PRODUCTION),
    "a digest": (("image.digest=sha256:" + "0" * 64,), ()),
    "other names": (("fullnameOverride=seal", "nameOverride=seal"), ()),
}


@pytest.mark.parametrize("case", MATRIX)
def test_every_document_is_one_that_kubernetes_takes(case):
    settings, files = MATRIX[case]
    documents = render(*settings, files=files)
    assert len(of_kind(documents, "Deployment")) == 5 and len(of_kind(documents, "StatefulSet")) == 1
    for document in documents:
        validate(document)
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(names) == len(set(names)), "two documents of the same kind and name"


def test_a_release_is_named_the_usual_way():
    def names(*settings, release="release"):
        return {d["metadata"]["name"] for d in of_kind(render(*settings, release=release), "StatefulSet")}

    assert names() == {"release-mineseal-counter"}
    assert names(release="mineseal") == {"mineseal-counter"}
    assert names("fullnameOverride=seal") == {"seal-counter"}
    assert names("nameOverride=seal") == {"release-seal-counter"}


# The value, and words of the answer: which key, and what it may be.
REFUSED_BY_SCHEMA = [
    ("mines=0", ["mines", "greater than or equal to 1"]),
    ("mines=many", ["mines", "Expected: integer"]),
    ("mines=2.5", ["mines", "Expected: integer"]),
    ("mine=3", ["mine", "not allowed"]),
    ("capacity.headroomPercent=-1", ["capacity.headroomPercent"]),
    ("kafka.brokers=broker", ["kafka.brokers"]),
    ('kafka.brokers=""', ["kafka.brokers"]),
    ("kafka.brokers=null", ["kafka", "brokers is required"]),
    ("services.counter=null", ["services", "counter is required"]),
    ("kafka.partitions=1001", ["kafka.partitions", "1000"]),
    ("kafka.replication=0", ["kafka.replication"]),
    ('kafka.topicPrefix=""', ["kafka.topicPrefix"]),
    ("kafka.properties.sasl\\.password=hush", ["kafka.properties", "sasl.password"]),
    ("clickhouse.url=clickhouse:8123", ["clickhouse.url"]),
    ("clickhouse.database=a;b", ["clickhouse.database"]),
    ("clickhouse.password=hush", ["password", "not allowed"]),
    ("evidence.size=much", ["evidence.size"]),
    ("evidence.accessMode=ReadOnlyMany", ["evidence.accessMode"]),
    ("evidence.store=bucket", ["evidence.store"]),
    ("evidence.s3.endpoint=pictures:9000", ["evidence.s3.endpoint"]),
    ("evidence.s3.endpoint=https://pictures/bucket", ["evidence.s3.endpoint"]),
    ("evidence.s3.bucket=A/b", ["evidence.s3.bucket"]),
    ("evidence.s3.prefix=/a", ["evidence.s3.prefix"]),
    ("evidence.s3.secretAccessKey=hush", ["secretAccessKey", "not allowed"]),
    ("services.counter.replicas=-1", ["services.counter.replicas"]),
    ("services.counter.replica=2", ["services.counter", "replica", "not allowed"]),
    ("services.counters.replicas=2", ["services", "counters", "not allowed"]),
    ("services.counter.gracePeriodSeconds=5", ["services.counter.gracePeriodSeconds", "30"]),
    ("services.counter.resources.limits.memory=1GB", ["services.counter.resources.limits.memory"]),
    ("services.inference.resources.limits.gpu=1", ["services.inference.resources.limits", "gpu", "not allowed"]),
    ("services.counter.autoscaling.threshold=0", ["services.counter.autoscaling.threshold"]),
    ("inference.gpu.resource=gpu", ["inference.gpu.resource"]),
    ("inference.gpu.count=0", ["inference.gpu.count"]),
    ("inference.workers=0", ["inference.workers"]),
    ("console.port=70000", ["console.port", "65535"]),
    ("console.service.type=ExternalName", ["console.service.type"]),
    ("image.pullPolicy=Sometimes", ["image.pullPolicy"]),
    ("image.digest=sha256:abc", ["image.digest"]),
    ('forwarder.platforms=[{"name":"region","kind":"gb","url":"https://a"}]', ["forwarder.platforms.0.kind"]),
    ('forwarder.platforms=[{"name":"region","kind":"coal-json"}]', ["forwarder.platforms.0", "url is required"]),
    ('forwarder.platforms=[{"name":"a","kind":"coal-json","url":"ftp://a"}]', ["forwarder.platforms.0.url"]),
    ("podSecurityContext.runAsUser=0", ["podSecurityContext.runAsUser"]),
    ("networkPolicy.monitoring=[]", ["networkPolicy.monitoring"]),
    ('extraEnv=[{"value":"a"}]', ["extraEnv.0", "name is required"]),
    ("serviceMonitor.interval=soon", ["serviceMonitor.interval"]),
    ("prepare.deadlineSeconds=1", ["prepare.deadlineSeconds"]),
]


@pytest.mark.parametrize(("setting", "words"), REFUSED_BY_SCHEMA, ids=[setting for setting, _ in REFUSED_BY_SCHEMA])
def test_a_wrong_value_is_refused_by_name(setting, words):
    answer = refusal(setting)
    for word in words:
        assert word in answer, answer


# Values that are right one by one. The answer names the key, what is wrong and what to do.
CONTRADICTIONS = {
    "fewer partitions than pods": (
        ("services.inference.replicas=30",),
        ["services.inference.replicas", "24 partitions", "raise kafka.partitions"],
    ),
    "fewer partitions than derived pods": (("kafka.partitions=4",), ["frame-extractor", "4 partitions", "Lower it"]),
    "limit under request": (
        ("services.clickhouse-sink.resources.limits.memory=128Mi",),
        ["services.clickhouse-sink.resources.limits.memory", "128Mi", "256Mi", "Raise the limit"],
    ),
    "limit under request in other units": (
        ("services.console.resources.limits.cpu=50m",),
        ["services.console.resources.limits.cpu", "50m", "100m"],
    ),
    "limit under the derived request": (
        ("services.counter.resources.limits.memory=1Mi",),
        ["services.counter.resources.limits.memory", "1Mi"],
    ),
    "two device kinds": (
        ("inference.gpu.enabled=true", "services.inference.resources.limits.amd\\.com/gpu=1"),
        ["two kinds of device", "amd.com/gpu", "nvidia.com/gpu", "take the other out"],
    ),
    "a device without a GPU": (
        ("services.inference.resources.limits.nvidia\\.com/gpu=1",),
        ["inference.gpu.enabled is false", "inference.gpu.enabled=true"],
    ),
    "a device where none is used": (("services.counter.resources.limits.nvidia\\.com/gpu=1",), ["only inference"]),
    "more mines than partitions": (("mines=5000",), ["mines: 5000", "1000", "inference.gpu.enabled=true"]),
    "a volume of one node for many": (
        ("evidence.accessMode=ReadWriteOnce",),
        ["evidence.accessMode", "ReadWriteMany", "replicas=1"],
    ),
    "S3 without a bucket": (
        ("evidence.store=s3", "evidence.s3.credentialsSecret=key"),
        ["evidence.s3.bucket", "Set the name"],
    ),
    "S3 without a key": (
        ("evidence.store=s3", "evidence.s3.bucket=pictures"),
        ["evidence.s3.credentialsSecret", "access-key-id", "secret-access-key"],
    ),
    "S3 with a volume": (
        ("evidence.store=s3", "evidence.s3.bucket=pictures", "evidence.s3.credentialsSecret=key", "evidence.size=7Gi"),
        ["evidence.size", "evidence.store=folder"],
    ),
    "a folder with a bucket": (("evidence.s3.bucket=pictures",), ["evidence.s3.bucket", "evidence.store=s3"]),
    "a folder with a server": (
        ("evidence.s3.endpoint=https://pictures.example.cn",),
        ["evidence.s3.endpoint", "evidence.store=s3"],
    ),
    "weights without a file": (("inference.weightsClaim=a",), ["inference.weightsFile", "Set the name"]),
    "a file without weights": (("inference.weightsFile=a",), ["inference.weightsClaim", "PersistentVolumeClaim"]),
    "TLS without an authority": (("kafka.tls.enabled=true",), ["kafka.tls.caSecret", "cluster-ca-cert"]),
    "TLS twice": (
        ("kafka.tls.enabled=true", "kafka.tls.caSecret=ca", "kafka.properties.ssl\\.ca\\.location=/ca"),
        ["kafka.properties", "ssl.ca.location", "Take it out"],
    ),
    "a certificate without TLS": (("kafka.tls.userSecret=user",), ["kafka.tls.enabled", "Set it to true"]),
    "one certificate of many": (
        ("kafka.tls.enabled=true", "kafka.tls.caSecret=ca", "services.counter.kafkaUserSecret=a"),
        ["kafka.tls.userSecret", "services.counter.kafkaUserSecret"],
    ),
    "one port for two": (("console.port=9464",), ["telemetry.metricsPort", "9464", "another port"]),
    "a route to nowhere": (("console.gateway.enabled=true",), ["console.gateway.parentRefs", "Name the Gateway"]),
    "two platforms of one name": (
        (
            'forwarder.platforms=[{"name":"a","kind":"coal-json","url":"https://a"},'
            '{"name":"a","kind":"coal-json","url":"https://b"}]',
        ),
        ["forwarder.platforms", "two are called a"],
    ),
    "a scaled console": (
        ("keda.enabled=true", "services.console.autoscaling.enabled=true"),
        ["services.console.autoscaling.enabled", "not scaled"],
    ),
    "less at most than at least": (
        ("keda.enabled=true", "services.inference.autoscaling.maxReplicas=3"),
        ["services.inference.autoscaling.maxReplicas", "3 is less than the 8"],
    ),
    "more at most than partitions": (
        ("keda.enabled=true", "services.inference.autoscaling.maxReplicas=100"),
        ["services.inference.autoscaling.maxReplicas", "24 partitions"],
    ),
    "extractors without Prometheus": (
        ("keda.enabled=true", "services.frame-extractor.autoscaling.enabled=true"),
        ["keda.prometheusAddress"],
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_values_that_contradict_are_refused_with_what_to_do(case):
    settings, words = CONTRADICTIONS[case]
    answer = refusal(*settings)
    for word in words:
        assert word in answer, answer
