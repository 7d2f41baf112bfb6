"""From the figures of every round to a row of the table. Pure."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.contenders.contender import Measure
from bench.figures import Figure

TUNED = "celery-tuned"
# What a measure's ceiling is, and what tuned Celery is compared by where it has no such measure.
CEILINGS: dict[Measure, tuple[str, Measure]] = {
    "submit": ("fastapi-redis", "submit"),
    "poll": ("fastapi-redis", "poll"),
    "drain": ("pool", "drain"),
    "burn": ("inline", "burn"),
    "burn_wait": ("inline", "burn"),
    "alone": ("inline", "alone"),
    "alone_50": ("inline", "alone"),
    "alone_wait": ("inline", "alone"),
    "digits": ("pool", "digits"),
    "pss": ("big-1", "pss"),
}
WITHOUT_WAIT: dict[Measure, Measure] = {"burn_wait": "burn", "alone_wait": "alone"}

Rounds = Mapping[tuple[str, Measure], Mapping[int, Figure]]
"""By contender and measure: the figure of each round that has one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    contender: str
    measure: Measure
    median: float
    least: float
    most: float
    rounds: int
    count: int
    to_ceiling: float | None
    to_tuned: float | None
    p99: float | None
    cpu_ms: dict[str, float]  # of each part, for one task


def rows(rounds: Rounds) -> list[Row]:
    """Return a row for every contender and measure."""
    return [_row(rounds, contender, measure) for contender, measure in rounds]


def _row(rounds: Rounds, contender: str, measure: Measure) -> Row:
    figures = rounds[contender, measure]
    values = [each.value for each in figures.values()]
    tails = [each.p99 for each in figures.values() if each.p99 is not None]
    return Row(
        contender,
        measure,
        statistics.median(values),
        min(values),
        max(values),
        len(values),
        max(each.count for each in figures.values()),
        ratio(figures, rounds.get(CEILINGS[measure], {})),
        ratio(figures, rounds.get((TUNED, WITHOUT_WAIT.get(measure, measure)), {})),
        statistics.median(tails) if tails else None,
        cpu_ms(figures.values()),
    )


def ratio(figures: Mapping[int, Figure], base: Mapping[int, Figure]) -> float | None:
    """Return the median of the ratios within each round: between rounds the machine itself changes."""
    ratios = [figures[number].value / base[number].value for number in figures if number in base]
    return statistics.median(ratios) if ratios else None


def cpu_ms(figures: Iterable[Figure]) -> dict[str, float]:
    """Return the CPU time of every part for one task, in ms: the median over the rounds."""
    shares: dict[str, list[float]] = {}
    for each in figures:
        for part, seconds in each.cpu.items():
            shares.setdefault(part, []).append(seconds * 1000 / each.count)
    return {part: statistics.median(found) for part, found in shares.items()}
