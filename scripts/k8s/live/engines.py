"""The Kafka and the ClickHouse engine that the chart takes for granted, in the first box, where pods reach them."""

import os
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

from box import Failed, wait_for
from control import ADDRESS

KAFKA = f"{ADDRESS}:9092"
CLICKHOUSE = f"http://{ADDRESS}:8123"
USERS = """<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password></password>
    <networks><ip>127.0.0.1</ip><ip>::1</ip><ip>10.199.0.0/16</ip><ip>10.244.0.0/16</ip></networks>
    <profile>default</profile><quota>default</quota>
  </default></users>
</clickhouse>
"""


def cache():
    return Path(os.environ.get("MINESEAL_CACHE") or Path.home() / ".cache/mineseal")


def fetched(programs):
    """Kafka's jars and ClickHouse's library, fetched by the product's own launchers when they are not there yet."""
    def found():
        jars, libraries = sorted(cache().glob("kafka-*/kafka_2.13-*.jar")), sorted(cache().glob("chdb-*/libchdb.so"))
        return (jars[-1].parent, libraries[-1]) if jars and libraries else None

    if not found():
        services = programs / "mineseal-test-services"
        done = subprocess.run([services, "--cache", cache(), "--", "true"], capture_output=True, text=True, check=False)
        if done.returncode or not found():
            raise Failed(f"{services} did not fetch Kafka and ClickHouse: {done.stderr[-2000:]}")
    return found()


class Engines:
    """ClickHouse is started at once, Kafka when it is told: an installation has to wait for it."""

    def __init__(self, box, programs):
        self.box = box
        self.jars, library = fetched(programs)
        folder = box.state / "clickhouse"
        folder.mkdir()
        (folder / "users.xml").write_text(USERS)
        (folder / "config.xml").write_text(
            f"<clickhouse><logger><log>{escape(str(folder))}/server.log</log></logger>"
            f"<users_config>{escape(str(folder))}/users.xml</users_config>"
            f"<max_server_memory_usage>2147483648</max_server_memory_usage></clickhouse>")
        box.start("clickhouse", programs / "mineseal-clickhouse-engine", "--library", library, "--data", folder / "data",
                  "--host", ADDRESS, "--config-file", folder / "config.xml")

    def start_kafka(self):
        folder = self.box.state / "kafka"
        folder.mkdir()
        properties = folder / "server.properties"
        properties.write_text("\n".join([
            "process.roles=broker,controller", "node.id=1", f"controller.quorum.voters=1@{ADDRESS}:9093",
            "controller.listener.names=CONTROLLER", f"listeners=PLAINTEXT://{KAFKA},CONTROLLER://{ADDRESS}:9093",
            f"advertised.listeners=PLAINTEXT://{KAFKA}", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"log.dirs={folder}/log", "message.max.bytes=8388608", "auto.create.topics.enable=false",
            "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=8", "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=8", "group.initial.rebalance.delay.ms=0",
            # Alone it keeps its leadership however long the busy machine silences it (KAFKA-20734).
            "broker.session.timeout.ms=120000", ""]))
        self.java("kafka.tools.StorageTool", "format", "-t", "bWluZXNlYWwtdGVzdC1rOA", "-c", properties)
        self.box.start("kafka", *self.java_command("kafka.Kafka", properties, heap=512))

    def java_command(self, name, *arguments, heap=128):
        return ["java", f"-Xmx{heap}m", "-XX:+UseSerialGC", "-cp", f"{self.jars}/*", name, *arguments]

    def java(self, name, *arguments, seconds=120):
        return self.box.run(*self.java_command(name, *arguments), seconds=seconds)

    def wait_until_ready(self):
        wait_for("ClickHouse answers", lambda: self.query("SELECT 1") == [["1"]], 120, while_waiting=self.refuse_ended)

    def refuse_ended(self):
        if ended := self.box.ended():
            raise Failed(f"{', '.join(ended)} ended; see {self.box.logs}")

    def ask(self, text):
        """The end of a statement for ClickHouse: what it wrote, and how it went."""
        ask = ("import sys, urllib.request\n"
               "print(urllib.request.urlopen(sys.argv[1], data=sys.stdin.buffer.read(), timeout=30).read().decode(), end='')")
        return self.box.run("python3", "-c", ask, f"{CLICKHOUSE}/", given=text, check=False)

    def query(self, text):
        """Rows as lists of strings; none where it cannot be asked."""
        return [line.split("\t") for line in self.ask(f"{text} FORMAT TabSeparated").stdout.splitlines()]

    def execute(self, text):
        done = self.ask(text)
        if done.returncode:
            raise Failed(f"{text}: {done.stderr[-1000:]}")
