#!/usr/bin/env python3
"""The capacity formula of docs/capacity.md, once more beside the chart's templates; the checks compare the two.

    capacity.py 10 100 1000           a table for so many mines
    capacity.py --gpu 10 100 1000     with the detector on GPUs
    capacity.py --json 100            all numbers
"""

import argparse
import json
from pathlib import Path

VALUES = Path(__file__).parents[2] / "helm/mineseal/values.yaml"
MEBIBYTE, GIBIBYTE, DAY = 1 << 20, 1 << 30, 86_400


def divide_up(a, b):
    return -(-a // b)


def capacity(values):
    """Everything that follows from `mines` and the assumptions in the chart's `values`; whole numbers."""
    c, mines, gpu = values["capacity"], values["mines"], values["inference"]["gpu"]
    room = 100 + c["headroomPercent"]
    cameras = mines * c["camerasPerMine"]
    frames = cameras * c["framesPerSecondPerCamera"]
    pod = c["framesPerSecondPerWorker"] * values["inference"]["workers"]
    if gpu["enabled"]:
        pod = c["framesPerSecondPerGpu"] * gpu["count"]
    replicas = {
        "inference": max(2, divide_up(frames * c["detectedPercent"] * room, 10_000 * pod)),
        "frame-extractor": max(2, divide_up(cameras * room, 100 * c["camerasPerExtractor"])),
        "counter": max(2, divide_up(mines, c["minesPerCounter"])),
        "clickhouse-sink": max(2, divide_up(frames * room, 100 * c["rowsPerSecondPerSink"])),
        "platform-forwarder": 2,
        "console": 2,
    }
    scaled = max(replicas[name] for name in ("inference", "counter", "clickhouse-sink"))
    most = max(2 * scaled, divide_up(3 * replicas["frame-extractor"], 2))
    partitions = values["kafka"]["partitions"] or 12 * divide_up(most, 12)

    # A partition of frames holds 1 GiB and a segment of a sixteenth at most, 10 minutes and a segment of one minute.
    frame_bytes = min(
        partitions * 1088 * MEBIBYTE, frames * c["frameKilobytes"] * 1024 * 660 + partitions * 64 * MEBIBYTE
    )
    # A day, and the segment that is written to, which closes after 1 GiB or 7 days.
    rate = frames * c["detectionBytes"] * DAY
    detection_bytes = rate + min(partitions * GIBIBYTE, 7 * rate)
    event_bytes = mines * c["eventsPerMinePerDay"] * c["eventBytes"] * 407
    compacted_bytes = partitions * 512 * MEBIBYTE
    topic_bytes = (frame_bytes + detection_bytes + event_bytes + compacted_bytes) * room // 100
    row_bytes = (
        frames * DAY * 7 * c["latencyRowBytes"] + mines * c["eventsPerMinePerDay"] * c["rowDays"] * c["eventRowBytes"]
    )
    evidence_bytes = mines * c["alarmsPerMinePerDay"] * c["evidenceDays"] * 1024 * (c["pictureKilobytes"] + c["clipKilobytes"])
    return {
        "cameras": cameras,
        "framesPerSecond": frames,
        "partitions": partitions,
        "replicas": replicas,
        "kafkaGibibytesPerBroker": divide_up(topic_bytes * values["kafka"]["replication"], c["brokers"] * GIBIBYTE),
        "clickhouseGibibytes": divide_up(row_bytes * 2 * room, 100 * GIBIBYTE),
        "evidenceGibibytes": divide_up(evidence_bytes * room, 100 * GIBIBYTE),
        "extractorMebibytes": 512 + c["camerasPerExtractor"] * c["cameraMebibytes"],
        "counterMebibytes": 512 + 8 * divide_up(mines, replicas["counter"] - 1),
        "consoleMebibytes": 512 + 16 * mines,
    }


def cores(values, numbers):
    """CPU cores that all pods ask for."""

    def amount(text):
        return int(text[:-1]) if text.endswith("m") else 1000 * int(text)

    services = values["services"]
    return sum(
        (services[name]["replicas"] or derived) * amount(str(services[name]["resources"]["requests"]["cpu"]))
        for name, derived in numbers["replicas"].items()
    ) / 1000


def main():
    import yaml

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mines", type=int, nargs="+")
    parser.add_argument("--gpu", action="store_true", help="the detector runs on GPUs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    values["inference"]["gpu"]["enabled"] = arguments.gpu
    if not arguments.json:
        print("| mines | cameras | frames/s | partitions | extractors | inference | counters | sinks | cores "
              "| Kafka GiB/broker | ClickHouse GiB | evidence GiB |")
        print("|" + "---:|" * 12)
    for mines in arguments.mines:
        values["mines"] = mines
        numbers = capacity(values)
        if arguments.json:
            print(json.dumps({"mines": mines, **numbers}, indent=2))
            continue
        pods = numbers["replicas"]
        row = [mines, numbers["cameras"], numbers["framesPerSecond"], numbers["partitions"], pods["frame-extractor"],
               pods["inference"], pods["counter"], pods["clickhouse-sink"], f"{cores(values, numbers):.0f}",
               numbers["kafkaGibibytesPerBroker"], numbers["clickhouseGibibytes"], numbers["evidenceGibibytes"]]
        print("| " + " | ".join(str(cell) for cell in row) + " |")


if __name__ == "__main__":
    main()
