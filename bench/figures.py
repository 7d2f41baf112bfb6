"""One figure of one contender in one round: from what the client reports to what the table shows. Pure."""

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

from bench.contenders.contender import WORKERS, Measure
from bench.work import BURN_SECONDS


@dataclass(frozen=True, slots=True)
class Figure:
    """A rate, a share of the cores, or milliseconds, and what it took."""

    measure: Measure
    value: float
    count: int  # of tasks or requests
    cpu: dict[str, float] = field(default_factory=dict)  # seconds of each part, for all of them
    p99: float | None = None


def figure(measure: Measure, count: int, reply: dict[str, Any], cpu: dict[str, float]) -> Figure:
    """Return the figure of `count` tasks that took `reply["seconds"]` together, or `reply["each"]` one by one."""
    if measure.startswith("alone"):
        ordered = sorted(reply["each"])
        p99 = ordered[math.ceil(len(ordered) * 0.99) - 1]
        return Figure(measure, statistics.median(ordered) * 1000, count, cpu, p99 * 1000)
    if measure.startswith("burn"):
        return Figure(measure, count * BURN_SECONDS / (WORKERS * reply["seconds"]), count, cpu)
    return Figure(measure, count / reply["seconds"], count, cpu)
