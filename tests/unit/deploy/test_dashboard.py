"""The dashboard: of metrics that there are, of all of them, and readable."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.deploy.exposition import METRICS, NAMES, labels
from tests.unit.deploy.manifests import ROOT
from tests.unit.deploy.promql import metrics, misused
from tests.unit.deploy.promtool import run_promtool

Panel = dict[str, Any]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "penstock.json").read_text())
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PANELS: list[Panel] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
EXPRESSIONS = [target["expr"] for panel in SHOWN for target in panel["targets"]]


def test_it_is_of_a_current_grafana() -> None:
    assert DASHBOARD["schemaVersion"] >= 41  # of Grafana 12
    assert DASHBOARD["uid"] == "penstock"
    assert DASHBOARD.get("id") is None  # or else an import would replace somebody's


def test_the_data_source_and_what_to_show_are_chosen_at_the_top() -> None:
    assert list(VARIABLES) == ["datasource", "job", "model"]
    assert VARIABLES["datasource"]["query"] == "prometheus"
    assert all(variable["datasource"] == SOURCE for name, variable in VARIABLES.items() if name != "datasource")
    assert all(metrics(variable["definition"]) <= NAMES for variable in VARIABLES.values() if "definition" in variable)


def test_the_rows_lead_from_whether_it_is_well_to_why_not() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]

    assert rows == ["Is it well", "Traffic", "Waiting", "Running", "Outcomes", "API", "Ledger"]


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_what(panel: Panel) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    assert panel["type"] == "stat" or all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_of_what_there_is_and_adds_it_up_rightly(expression: str) -> None:
    assert metrics(expression) <= NAMES
    assert misused(expression) == []
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_shows_the_chosen_job_and_models(expression: str) -> None:
    for name in metrics(expression):
        chosen = [part.partition("}")[0] for part in expression.split(f"{name}{{")[1:]]
        assert len(chosen) == expression.count(name)
        assert all('job=~"$job"' in each for each in chosen)
        if "model" in labels(family(name)) and name != "penstock_tasks_rejected_total":  # which may be for none
            assert all('model=~"$model"' in each for each in chosen)


def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    # promtool reads expressions as those of rules alone.
    rules = [{"record": "shown", "expr": each.replace("$__rate_interval", "5m")} for each in sorted(set(EXPRESSIONS))]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    run_promtool("check", "rules", "--lint=none", str(file))


def test_everything_that_is_measured_is_shown() -> None:
    shown = {family(name).name for expression in EXPRESSIONS for name in metrics(expression)}

    assert {metric.name for metric in METRICS.values()} == shown


def test_no_panel_lies_on_another() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)
    assert not [(one["title"], other["title"]) for one, other in combinations(PANELS, 2) if overlap(one, other)]


def overlap(one: Panel, other: Panel) -> bool:
    a, b = one["gridPos"], other["gridPos"]
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (beside or above)


def family(name: str) -> Any:
    (found,) = (metric for metric in METRICS.values() if name in {sample.name for sample in metric.samples})
    return found
