"""Alerts that promtool has tried, a page for each, dashboards of metrics that exist."""

import json
import re
import subprocess
import sys

import pytest
import yaml

import dashboards
import metrics
from conftest import ROOT, TOOLS, render

MONITORING = ROOT / "k8s/monitoring"
TESTS = sorted((MONITORING / "tests").glob("*.yaml"))


def rule_groups():
    return yaml.safe_load((MONITORING / "rules.yaml").read_text(encoding="utf-8"))["spec"]


def rules():
    return [rule for group in rule_groups()["groups"] for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(folder, *arguments):
    done = subprocess.run([TOOLS / "promtool", *arguments], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def written(folder, groups):
    (folder / "rules.yaml").write_text(yaml.safe_dump(groups, allow_unicode=True), encoding="utf-8")
    return folder


def test_prometheus_takes_the_rules(tmp_path):
    promtool(written(tmp_path, rule_groups()), "check", "rules", "rules.yaml")


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.stem)
def test_alerts_call_when_they_should(test, tmp_path):
    written(tmp_path, rule_groups())
    (tmp_path / "test.yaml").write_text(test.read_text(encoding="utf-8"), encoding="utf-8")
    promtool(tmp_path, "test", "rules", "test.yaml")


def test_every_alert_is_tried_calling_and_silent():
    calling, silent = set(), set()
    for file in TESTS:
        for case in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            for one in case.get("alert_rule_test", []):
                (calling if one["exp_alerts"] else silent).add(one["alertname"])
    assert calling == set(alerts()), "each alert has a test in which it calls"
    assert silent == set(alerts()), "and one in which it does not"


def test_a_changed_threshold_would_be_noticed(tmp_path):
    # The tests must be able to fail: with every threshold of lag moved, they do.
    groups = rule_groups()
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule["expr"] = rule["expr"].replace("> 60", "> 6000")
    written(tmp_path, groups)
    (tmp_path / "test.yaml").write_text((MONITORING / "tests/counting.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(AssertionError, match="MinesealLag"):
        promtool(tmp_path, "test", "rules", "test.yaml")


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_its_page_in_chinese(name):
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.search("[\u4e00-\u9fff]", rule["annotations"]["summary"])
    page = ROOT / rule["annotations"]["runbook_url"]
    text = page.read_text(encoding="utf-8")
    assert name in text.splitlines()[0], f"{page.name} is not about {name}"
    for part in ("**影响**", "**先做什么**", "**恢复**", "*English:"):
        assert part in text, f"{page.name}: {part}"
    assert name in (page.parent / "README.md").read_text(encoding="utf-8")


def test_no_page_without_an_alert():
    pages = {page.name for page in (ROOT / "docs/runbooks").glob("*.md")} - {"README.md"}
    assert pages == {rule["annotations"]["runbook_url"].rsplit("/")[-1] for rule in alerts().values()}


def test_pages_name_values_services_and_links_that_exist():
    known = (ROOT / "helm/mineseal/values.yaml").read_text(encoding="utf-8")
    for page in (ROOT / "docs/runbooks").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
        for component in re.findall(r"component=([a-z-]+)", text):
            assert f"\n  {component}:\n" in known, f"{page.name}: {component}"
        for value in re.findall(r"`((?:networkPolicy|forwarder|cameras|console|services)\.[\w.<>\u4e00-\u9fff\[\]-]+)", text):
            last = re.sub(r"\[\]", "", value).split(".")[-1]
            assert re.search(rf"\b{last}:", known), f"{page.name}: {value}"


def test_the_dashboards_are_what_their_script_makes():
    done = subprocess.run([sys.executable, ROOT / "scripts/k8s/dashboards.py", "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    listed = yaml.safe_load((MONITORING / "kustomization.yaml").read_text(encoding="utf-8"))["configMapGenerator"][0]["files"]
    assert set(listed) == {f"dashboards/{name}.json" for name in dashboards.DASHBOARDS}


def expressions():
    for name, dashboard in dashboards.DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for document in render("keda.enabled=true", "keda.prometheusAddress=http://p:9090",
                           "services.frame-extractor.autoscaling.enabled=true"):
        for trigger in document["spec"].get("triggers", []) if document["kind"] == "ScaledObject" else []:
            if trigger["type"] == "prometheus":
                yield "ScaledObject", trigger["metadata"]["query"]


def test_every_metric_that_is_named_is_declared():
    declared = metrics.declared()
    assert len(declared) >= 17 and "mineseal_frames_published_total" in declared, declared
    for place, expression in expressions():
        unknown = metrics.named(expression) - declared
        assert not unknown, f"{place}: no service declares {', '.join(unknown)}"
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for place, expression in expressions():
        unknown = set(re.findall(r"\bmineseal:[\w:]+", expression)) - recorded
        assert not unknown, f"{place}: no rule records {', '.join(unknown)}"


def test_a_metric_that_nobody_declares_is_found():
    assert metrics.named("rate(mineseal_frames_lost_total[5m])") - metrics.declared() == {"mineseal_frames_lost_total"}


def test_prometheus_takes_the_expressions_of_the_dashboards(tmp_path):
    recorded = [{"record": f"check:{index}", "expr": expression.replace("$namespace", ".*")}
                for index, (_, expression) in enumerate(expressions())]
    promtool(written(tmp_path, {"groups": [{"name": "check", "rules": recorded}]}), "check", "rules", "rules.yaml")


def test_panels_lie_beside_and_under_each_other():
    for name, dashboard in dashboards.DASHBOARDS.items():
        json.dumps(dashboard)
        taken = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken, f"{name}: {panel['title']} lies on another panel"
            taken |= cells
