#!/usr/bin/env python3
"""Writes the Grafana dashboards of k8s/monitoring/dashboards. `--check` only compares.

A panel is one line here: title in Chinese and English, unit, expressions. The checks compare every metric that is named
with the declarations in the sources.
"""

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "k8s/monitoring/dashboards"
SOURCE = {"type": "prometheus", "uid": "${source}"}
PLACE = 'namespace=~"$namespace"'


def panel(title, unit, *targets, kind="timeseries", wide=12, high=8, thresholds=()):
    """One panel; a target is an expression and its legend."""
    steps = [{"color": "green", "value": None}] + [{"color": color, "value": value} for value, color in thresholds]
    return {
        "title": title,
        "type": kind,
        "datasource": SOURCE,
        "size": (wide, high),
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}}
        if kind == "stat"
        else {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(targets)
        ],
    }


def stat(title, unit, expression, *thresholds):
    return panel(title, unit, (expression, ""), kind="stat", wide=6, high=4, thresholds=thresholds)


def dashboard(uid, title, *panels):
    """Panels from left to right, and down where the row of 24 columns is full."""
    placed, x, y, row = [], 0, 0, 0
    for number, one in enumerate(panels, 1):
        wide, high = one.pop("size")
        if x + wide > 24:
            x, y, row = 0, y + row, 0
        placed.append({"id": number, **one, "gridPos": {"x": x, "y": y, "w": wide, "h": high}})
        x, row = x + wide, max(row, high)
    return {
        "uid": f"mineseal-{uid}",
        "title": title,
        "tags": ["mineseal"],
        "schemaVersion": 39,
        "timezone": "Asia/Shanghai",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "label": "数据源", "type": "datasource", "query": "prometheus"},
                {
                    "name": "namespace",
                    "label": "命名空间",
                    "type": "query",
                    "datasource": SOURCE,
                    "query": "label_values(mineseal_rebalances, namespace)",
                    "includeAll": True,
                    "allValue": ".*",
                    "current": {"text": "All", "value": "$__all"},
                },
            ]
        },
        "links": [{"type": "dashboards", "tags": ["mineseal"], "title": "mineseal", "asDropdown": True}],
        "panels": placed,
    }


def rate(metric, by, more=""):
    return f"sum by ({by}) (rate({metric}{{{PLACE}{more}}}[5m]))"


DASHBOARDS = {
    "overview": dashboard(
        "overview",
        "mineseal 总览 Overview",
        stat("摄像仪 Cameras", "short", f"sum(mineseal:cameras:count{{{PLACE}}})"),
        stat("离线比例 Offline", "percentunit", f"max(mineseal:cameras_offline:ratio{{{PLACE}}})", (0.1, "orange"), (0.5, "red")),
        stat("推理积压 Backlog of inference", "s", f'max(mineseal:lag_seconds{{{PLACE},service="inference"}})', (60, "orange"), (420, "red")),
        stat("待上报报警 Alarms not reported", "short", f'sum(mineseal_lag_records{{{PLACE},service="platform-forwarder",topic="alarms"}})', (1, "red")),
        panel("画面 Frames", "cps",
              (rate("mineseal_frames_published_total", "namespace"), "published {{namespace}}"),
              (rate("mineseal_inference_frames_total", "result"), "inference: {{result}}")),
        panel("检测 → 计数 Detections published and counted", "cps",
              (rate("mineseal_records_published", "service", ',service="inference",topic="detections"'), "published"),
              (rate("mineseal_records_received", "service", ',service="counter",topic="detections"'), "counted")),
        panel("结果 Results of the counter", "cps",
              (rate("mineseal_records_published", "topic", ',service="counter"'), "{{topic}}")),
        panel("积压 Backlog", "s", (f"mineseal:lag_seconds{{{PLACE}}}", "{{service}} {{topic}}")),
        panel("从画面到检测 Age of a frame when its detections are out", "s",
              (f"max by (namespace) (mineseal_inference_age_seconds{{{PLACE}}})", "{{namespace}}")),
        panel("入库 Rows stored", "cps", (rate("mineseal_rows_stored_total", "table"), "{{table}}")),
    ),
    "bus": dashboard(
        "bus",
        "mineseal 消息总线 Bus",
        panel("积压记录 Records behind", "short", (f"sum by (service, topic) (mineseal_lag_records{{{PLACE}}})", "{{service}} {{topic}}")),
        panel("积压时间 Time behind", "s", (f"mineseal:lag_seconds{{{PLACE}}}", "{{service}} {{topic}}")),
        panel("写入 Published", "cps", (rate("mineseal_records_published", "service, topic"), "{{service}} → {{topic}}")),
        panel("读取 Received", "cps", (rate("mineseal_records_received", "service, topic"), "{{topic}} → {{service}}")),
        panel("死信 Dead letters", "short", (f"mineseal:dead_letters:sum{{{PLACE}}}", "{{service}}")),
        panel("写入失败 Refused by Kafka", "short", (f"sum by (service, topic) (mineseal_publish_failures{{{PLACE}}})", "{{service}} {{topic}}")),
        panel("再均衡 Rebalances", "short", (f"sum by (service) (mineseal_rebalances{{{PLACE}}})", "{{service}}")),
        panel("提交失败 Commits that failed", "short", (f"sum by (service) (mineseal_commit_failures{{{PLACE}}})", "{{service}}")),
    ),
    "cameras": dashboard(
        "cameras",
        "mineseal 摄像仪 Cameras",
        panel("离线的摄像仪 Cameras that are not read", "short",
              (f"max by (camera) (mineseal_camera_connected{{{PLACE}}}) == 0", "{{camera}}"), kind="table", wide=8),
        panel("离线比例 Share offline", "percentunit", (f"mineseal:cameras_offline:ratio{{{PLACE}}}", "{{namespace}}"), wide=16),
        panel("每台画面 Frames of each camera", "cps", (rate("mineseal_frames_published_total", "camera"), "{{camera}}"), wide=24),
        panel("丢弃 Dropped", "cps", (rate("mineseal_frames_dropped_total", "camera"), "{{camera}}")),
        panel("解码错误 Decoder errors", "cps", (rate("mineseal_frames_corrupt_total", "camera"), "{{camera}}")),
        panel("中断 Readings that broke off", "short",
              (f"sum by (camera) (increase(mineseal_camera_faults_total{{{PLACE}}}[1h]))", "{{camera}}")),
    ),
    "results": dashboard(
        "results",
        "mineseal 入库与上报 Results",
        panel("入库行数 Rows stored", "cps", (rate("mineseal_rows_stored_total", "table"), "{{table}}")),
        panel("写入耗时 Last insert", "s", (f"max by (table) (mineseal_insert_seconds{{{PLACE}}})", "{{table}}")),
        panel("写入未确认 Inserts not acknowledged", "cps", (rate("mineseal_insert_failures_total", "namespace"), "{{namespace}}")),
        panel("入库积压 Behind ClickHouse", "short",
              (f'sum by (topic) (mineseal_lag_records{{{PLACE},service="clickhouse-sink"}})', "{{topic}}")),
        panel("上报积压 Behind upper platforms", "short",
              (f'sum by (topic) (mineseal_lag_records{{{PLACE},service="platform-forwarder"}})', "{{topic}}")),
        panel("回执 Receipts", "cps", (rate("mineseal_records_published", "service", ',topic="receipts"'), "{{service}}")),
    ),
}


def main():
    wrong = []
    for name, content in DASHBOARDS.items():
        path, text = FOLDER / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        if "--check" in sys.argv:
            wrong += [] if path.exists() and path.read_text(encoding="utf-8") == text else [path.name]
        else:
            path.write_text(text, encoding="utf-8")
    if wrong:
        sys.exit(f"{', '.join(wrong)}: not what this script writes; run python3 {sys.argv[0]}")


if __name__ == "__main__":
    main()
