"""docs/monitoring.md: its tables are of the metrics and codes that there are."""

import re

from shared.task import ErrorCode
from tests.unit.deploy.exposition import LEDGER, METRICS, NAMES, called, labels
from tests.unit.deploy.manifests import ROOT
from tests.unit.deploy.promql import metrics, misused

PAGE = (ROOT / "docs" / "monitoring.md").read_text()
ROW = re.compile(r"^\| `(penstock_\w+)` \| (\w+) \| ([^|]*)\| ", re.MULTILINE)
QUERIES = [
    line.partition("#")[0]
    for block in re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


def test_the_tables_have_every_metric_with_its_type_and_labels() -> None:
    told = {name: (type, set(re.findall(r"`(\w+)`", listed))) for name, type, listed in ROW.findall(PAGE)}

    assert told == {name: (metric.type, labels(metric)) for name, metric in METRICS.items()}


def test_the_first_table_has_what_comes_from_the_ledger() -> None:
    first, _, _ = PAGE.partition("**Of requests**")

    assert {name for name, _, _ in ROW.findall(first)} == {called(metric) for metric in LEDGER}


def test_what_it_shows_of_promql_is_right() -> None:
    assert len(QUERIES) > 5
    assert all(metrics(query) <= NAMES and metrics(query) and not misused(query) for query in QUERIES)


def test_it_names_no_metric_that_is_not_there() -> None:
    assert metrics(PAGE) <= NAMES | METRICS.keys()


def test_it_says_of_every_code_where_to_look() -> None:
    _, _, section = PAGE.partition("### PenstockTasksFail")
    table = section.partition("**Do.**")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"code"} == {code.value for code in ErrorCode}
