"""Tables as Markdown and as JSON, under the lines that say what was measured, and on what."""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Cell = str | float | None


@dataclass(slots=True)
class Table:
    """One table; a cell that is a number is written with as many digits as it deserves."""

    title: str
    columns: Sequence[str]
    rows: list[list[Cell]] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        self.rows.append(list(cells))


def markdown(heads: Iterable[str], tables: Iterable[Table]) -> str:
    """Return the report."""
    return "\n".join([*(f"* {head}" for head in heads), *(line for table in tables for line in _lines(table))])


def as_json(heads: Sequence[str], tables: Iterable[Table]) -> str:
    """Return the same as JSON, with all digits."""
    return json.dumps({"about": list(heads), "tables": [asdict(table) for table in tables]}, indent=1)


def put(made: Sequence[Table], heads: Sequence[str], file: Path | None) -> int:
    """Print the report, and write it to a file as well if there is one; return the exit code of having done so."""
    print(markdown(heads, made))
    if file:
        file.write_text(as_json(heads, made) + "\n")
    return 0


def _lines(table: Table) -> list[str]:
    rows = [f"| {' | '.join(written(cell) for cell in row)} |" for row in table.rows]
    rule = "|---|" + "---:|" * (len(table.columns) - 1)
    return ["", f"**{table.title}**", "", f"| {' | '.join(table.columns)} |", rule, *rows]


def written(cell: Cell) -> str:
    """Write a cell."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    digits = 0 if isinstance(cell, int) or abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2
    return f"{cell:,.{digits}f}"


def p99(values: Iterable[float]) -> float:
    """Return what 99 of 100 values are no larger than."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * 0.99) - 1]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return how much y grows for each x, by least squares; 0 of fewer than two points."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope
