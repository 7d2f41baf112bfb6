"""As much of PromQL as the tests need: which metrics an expression names, and how it adds them up."""

import re

from tests.unit.deploy.exposition import LEDGER_NAMES, METRICS

NAME = re.compile(r"(?<![\w:])penstock_\w+")
RECORDED = re.compile(r"(?<![\w:])penstock:\w+(?::\w+)?")
# The aggregation right around a metric, or around a function of it alone: `max by (model) (rate(`.
AGGREGATION = re.compile(r"\b(\w+)(?:\s+by\s*\([^)]*\))?\s*\(\s*(?:(?:rate|increase|delta)\(\s*)?$")


def metrics(expression: str) -> set[str]:
    """Return the metrics of Penstock's that an expression names."""
    return set(NAME.findall(expression))


def recorded(expression: str) -> set[str]:
    """Return what it names of what rules have recorded."""
    return set(RECORDED.findall(expression))


def misused(expression: str) -> list[str]:
    """Return the metrics that are added up wrongly.

    What the ledger tells is the same from every process, so only `max` is right; what a process counts is its own, so
    counters want `sum`.
    """
    return [found[0] for found in NAME.finditer(expression) if not is_right(found[0], expression[: found.start()])]


def is_right(metric: str, before: str) -> bool:
    """Tell whether a metric may be added up by what stands before it."""
    found = AGGREGATION.search(before)
    by = found[1] if found else ""
    if metric in LEDGER_NAMES:
        return by == "max"
    return by == "sum" if is_counted(metric) else True


def is_counted(metric: str) -> bool:
    """Tell whether a metric is a counter, or part of a histogram."""
    return metric.endswith(("_total", "_bucket", "_sum", "_count")) or METRICS[metric].type == "counter"
