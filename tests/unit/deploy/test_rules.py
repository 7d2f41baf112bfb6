"""The alert rules: of metrics that there are, explained, and tested by promtool where it is installed."""

import re
from typing import Any

import pytest
import yaml

from api.metering import PLAIN
from api.problems import TABLE
from shared.settings import Settings
from tests.unit.deploy.exposition import NAMES
from tests.unit.deploy.manifests import ROOT
from tests.unit.deploy.promql import metrics, misused, recorded
from tests.unit.deploy.promtool import run_promtool

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RULES_TEST = ROOT / "deploy" / "prometheus" / "rules_test.yml"
PAGE = ROOT / "docs" / "monitoring.md"
FOUND: list[dict[str, Any]] = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in FOUND if "alert" in rule}
RECORDS = {rule["record"]: rule for rule in FOUND if "record" in rule}
CASES = [case for test in yaml.safe_load(RULES_TEST.read_text())["tests"] for case in test["alert_rule_test"]]


@pytest.mark.parametrize("rule", FOUND, ids=lambda rule: rule.get("alert", rule.get("record")))
def test_a_rule_is_of_what_there_is_and_adds_it_up_rightly(rule: dict[str, Any]) -> None:
    assert metrics(rule["expr"]) <= NAMES
    assert recorded(rule["expr"]) <= RECORDS.keys()
    # The whole of Penstock is looked for, and one process of it: neither adds anything up.
    assert [name for name in misused(rule["expr"]) if name != "penstock_build_info"] == []


def test_what_is_recorded_is_used() -> None:
    assert set().union(*(recorded(rule["expr"]) for rule in ALERTS.values())) == RECORDS.keys()


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")

    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert (ROOT / page, anchor) == (PAGE, rule["alert"].lower())
    assert f"\n### {rule['alert']}\n" in PAGE.read_text()


def test_the_page_explains_no_alert_that_is_gone() -> None:
    assert set(re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)) == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_seen_to_fire_and_not_to_fire(name: str) -> None:
    fired = {bool(case["exp_alerts"]) for case in CASES if case["alertname"] == name}

    assert fired == {True, False}


def test_the_tests_series_are_of_metrics_that_there_are() -> None:
    assert metrics(RULES_TEST.read_text()) <= NAMES


def test_the_limit_of_the_queue_is_four_fifths_of_the_settings() -> None:
    most = Settings.model_fields["max_queued"].default

    assert f"> {most * 4 // 5}" in ALERTS["PenstockQueueNearlyFull"]["expr"]
    assert str(most) in ALERTS["PenstockQueueNearlyFull"]["annotations"]["summary"]


def test_reasons_and_routes_are_those_of_the_api() -> None:
    text = RULES.read_text()
    routes = {route for found in re.findall(r'route!~"([^"]+)"', text) for route in found.split("|")}

    assert set(re.findall(r'reason="([^"]+)"', text)) == {"queue-full"} <= {kind.name for kind in TABLE}
    assert routes == {"/livez", "/readyz", "/metrics"} <= PLAIN


def test_promtool_checks_the_rules() -> None:
    run_promtool("check", "rules", str(RULES))


def test_promtool_sees_every_alert_fire() -> None:
    run_promtool("test", "rules", str(RULES_TEST))


def test_the_rules_become_a_prometheus_rule_as_the_page_says() -> None:
    head = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: penstock}\nspec:\n"
    indented = re.sub("^", "  ", RULES.read_text(), flags=re.MULTILINE)

    assert yaml.safe_load(head + indented)["spec"] == yaml.safe_load(RULES.read_text())
    assert head.replace("\n", r"\n") in (ROOT / "docs" / "kubernetes.md").read_text()
