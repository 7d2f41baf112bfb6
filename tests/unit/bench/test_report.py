import json

from bench import report
from bench.comparison import Row
from bench.contenders.registry import ALL

ROW = Row("penstock", "submit", 1234.5, 1000, 2000, 5, 10_000, 0.953, 4.21, None, {"api": 0.5, "redis": 0.1})
CEILING = Row("fastapi-redis", "submit", 1300, 1200, 1400, 5, 10_000, 1.0, None, None, {})
ALONE = Row("penstock", "alone", 2.345, 2, 3, 1, 100, None, 0.3, 9.87, {})
CONTENDERS = {name: ALL[name] for name in ("penstock", "fastapi-redis", "rq")}


def test_the_table_has_ratios_first_and_the_best_on_top() -> None:
    text = report.markdown(["a machine"], [ROW, CEILING, ALONE], CONTENDERS, {})
    lines = text.splitlines()
    assert lines[0] == "* a machine"
    ours = "| **Penstock** | 0.95 | 4.21 | 1,234 | 1,000 to 2,000 |  | 0.50 |  | 0.10 |  |"
    assert lines.index(ours) == lines.index(next(line for line in lines if line.startswith("| *FastAPI: POST"))) + 1
    assert "| **Penstock** |  | 0.30 | 2.3 |  | 9.9 |  |  |  |  |" in lines


def test_every_line_of_the_table_has_as_many_cells() -> None:
    table = [line for line in report.markdown([], [ROW, CEILING, ALONE], CONTENDERS, {}).splitlines() if "|" in line]
    assert {line.count("|") for line in table} == {table[0].count("|")}


def test_notes_and_failures_are_told_below() -> None:
    text = report.markdown([], [ROW], CONTENDERS, {"rq": "gave up"})
    assert f"* FastAPI + RQ: {ALL['rq'].note}." in text
    assert "* FAILED: FastAPI + RQ: gave up" in text


def test_the_same_as_json() -> None:
    found = json.loads(report.as_json(["a machine"], [ROW], CONTENDERS, {"rq": "gave up"}))
    assert found["about"] == ["a machine"]
    assert found["rows"][0]["title"] == "**Penstock**"
    assert found["rows"][0]["to_tuned"] == 4.21
    assert found["failures"] == {"rq": "gave up"}


def test_every_measure_has_a_title() -> None:
    assert {measure for each in ALL.values() for measure in each.measures} <= set(report.TITLES)
