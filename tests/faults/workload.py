"""What the clients ask for: drawn from the seed alone. Pure."""

import hashlib
import random
from collections.abc import Iterator

from tests.faults.observations import Asked

BEHAVIOURS = {"succeed": 945, "raise": 30, "die": 15, "spin": 10}
LONG_SHARE, LONG_SECONDS = 0.12, (1.0, 2.9)  # some outlive their lease
SHORT_SECONDS = (0.005, 0.2)
CANCELED_SHARE, CANCELED_WITHIN = 0.06, 1.2  # of its own time: some are too late
BURST_SHARE, BURST = 0.01, 10  # now and then many come at once, so that there is a queue


def arrivals(seed: int, rate: float) -> Iterator[tuple[float, Asked]]:
    """Yield (seconds since the one before, task) without end, `rate` a second on average."""
    chance = random.Random(f"load {seed}")
    rate /= 1 + BURST_SHARE * BURST
    n = 0
    while True:
        wait = chance.expovariate(rate)
        for _ in range(BURST if chance.random() < BURST_SHARE else 1):
            yield wait, asked(chance, f"{seed}-{n}")
            wait, n = 0.0, n + 1


def asked(chance: random.Random, token: str) -> Asked:
    is_long = chance.random() < LONG_SHARE
    seconds = chance.uniform(*(LONG_SECONDS if is_long else SHORT_SECONDS))
    behave = chance.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]
    cancel_after = chance.uniform(0, seconds * CANCELED_WITHIN) if chance.random() < CANCELED_SHARE else None
    reports = chance.choice((0, 0, 2))
    return Asked(token, round(seconds, 3), reports, behave, cancel_after)


def answer(token: str) -> str:
    """Return what the model must answer, computed here once more."""
    return hashlib.sha256(token.encode()).hexdigest()
