"""The table, as Markdown and as JSON. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bench.comparison import CEILINGS, Row
from bench.contenders.contender import PARTS, Contender, Measure

TITLES: dict[Measure, str] = {
    "submit": "submits/s, none taken meanwhile",
    "poll": "status GETs/s of a finished task",
    "drain": "queued no-ops drained/s",
    "burn": "20 ms burns, looked at every 20 ms: share of both cores inside the model",
    "burn_wait": "20 ms burns, the submit waits: share of both cores inside the model",
    "alone": "one no-op alone, looked at every 2 ms: ms (less is better)",
    "alone_50": "one no-op alone, looked at every 50 ms: ms (less is better)",
    "alone_wait": "one no-op alone, the submit waits: ms (less is better)",
    "digits": "queued `digits` rows drained/s",
    "pss": "a model of 400 MB: MB of memory that the worker has to itself (PSS of its tree; less is better)",
}
LESS_IS_BETTER = ("alone", "alone_50", "alone_wait", "pss")
HEAD = "| | to the ceiling | to tuned Celery | median | min to max | p99 | CPU ms: API | worker | Redis | client |"
RULE = "|---" * 10 + "|"
BLANK = "| " * 9 + "|"


def markdown(
    heads: Sequence[str], rows: Sequence[Row], contenders: Mapping[str, Contender], failures: Mapping[str, str]
) -> str:
    """Return the report: the machine, the table by measure, notes, and what failed."""
    lines = [*(f"* {head}" for head in heads), "", HEAD, RULE]
    for measure, title in TITLES.items():
        found = [row for row in rows if row.measure == measure]
        if found:
            ceiling = contenders.get(CEILINGS[measure][0])
            above = f" (ceiling: {ceiling.title})" if ceiling else ""
            lines.append(f"| **{title}**{above} {BLANK}")
            lines += [_line(row, contenders[row.contender]) for row in _ranked(found, measure)]
    lines += ["", *(f"* {each.title}: {each.note}." for each in contenders.values() if each.note)]
    lines += [f"* FAILED: {contenders[name].title}: {why}" for name, why in failures.items()]
    return "\n".join(lines)


def as_json(
    heads: Sequence[str], rows: Sequence[Row], contenders: Mapping[str, Contender], failures: Mapping[str, str]
) -> str:
    """Return the same as JSON."""
    listed = [{"title": contenders[row.contender].title, **asdict(row)} for row in rows]
    return json.dumps({"about": list(heads), "rows": listed, "failures": dict(failures)}, indent=1)


def _ranked(rows: list[Row], measure: Measure) -> list[Row]:
    return sorted(rows, key=lambda row: row.median, reverse=measure not in LESS_IS_BETTER)


def _line(row: Row, contender: Contender) -> str:
    title = f"*{contender.title}*" if contender.kind == "ceiling" else contender.title
    costs = [f"{row.cpu_ms[part]:.2f}" if part in row.cpu_ms else "" for part in PARTS]
    spread = f"{number(row.least)} to {number(row.most)}" if row.rounds > 1 else ""
    cells = [times(row.to_ceiling), times(row.to_tuned), number(row.median), spread, optional(row.p99), *costs]
    return f"| {title} | {' | '.join(cells)} |"


def times(ratio: float | None) -> str:
    """Write a ratio: two digits that mean something."""
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def number(value: float) -> str:
    """Write a figure with as many digits as it deserves."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def optional(value: float | None) -> str:
    """Write a figure that may be missing."""
    return "" if value is None else number(value)
