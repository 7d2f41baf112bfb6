"""How fast a core of this machine is just now. A virtual machine's may drift by half and more within a minute."""

import statistics
import time

LOOPS = 200_000
LOOKS = 5


def pace() -> float:
    """Return how many million turns of a bare Python loop a core makes in a second: the median of a few looks."""
    return statistics.median(_look() for _ in range(LOOKS))


def _look() -> float:
    began = time.perf_counter()
    for _ in range(LOOPS):
        pass
    return LOOPS / (time.perf_counter() - began) / 1e6


def drift(paces: list[float]) -> str:
    """Say how much the pace changed over a run."""
    if not paces:
        return "nothing measured"
    slow, middle, fast = min(paces), statistics.median(paces), max(paces)
    return f"pace of a core before each contender: {middle:.0f} million loops a second ({slow:.0f} to {fast:.0f})"
