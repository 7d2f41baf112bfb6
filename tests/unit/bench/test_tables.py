import json

import pytest

from bench.tables import Table, as_json, markdown, p99, slope, written


def test_a_table_is_written_under_its_heads() -> None:
    table = Table("what it takes", ("step", "ms", "n"))
    table.add("submit", 1.234, 1000)
    table.add("poll", None, 5)
    assert markdown(["a machine"], [table]).splitlines() == [
        "* a machine",
        "",
        "**what it takes**",
        "",
        "| step | ms | n |",
        "|---|---:|---:|",
        "| submit | 1.23 | 1,000 |",
        "| poll |  | 5 |",
    ]


def test_the_json_has_all_digits() -> None:
    table = Table("what it takes", ("ms",), [[1.23456]])
    assert json.loads(as_json(["a machine"], [table])) == {
        "about": ["a machine"],
        "tables": [{"title": "what it takes", "columns": ["ms"], "rows": [[1.23456]]}],
    }


@pytest.mark.parametrize(
    ("cell", "text"), [(0.123, "0.12"), (12.34, "12.3"), (1234.5, "1,234"), (7, "7"), (-0.5, "-0.50"), ("x", "x")]
)
def test_a_number_has_the_digits_that_it_deserves(cell: float | str, text: str) -> None:
    assert written(cell) == text


def test_99_of_100_values_are_no_larger() -> None:
    assert p99(range(1, 101)) == 99
    assert p99([3.0]) == 3.0


def test_the_slope_is_that_of_the_line_that_fits_best() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 1), (1, 2), (2, 1)]) == 0
    assert slope([(1, 5)]) == 0
    assert slope([(1, 5), (1, 7)]) == 0
