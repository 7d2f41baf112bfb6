"""What the clients ask for: drawn from the seed alone. Pure."""

import hashlib
import random
from collections.abc import Iterator

from shared.task import PRIORITIES
from tests.faults.observations import TALLY, TOGETHER, Asked

BEHAVIOURS = {"succeed": 945, "raise": 30, "die": 15, "spin": 10}
LONG_SHARE, LONG_SECONDS = 0.12, (1.0, 2.9)  # some outlive their lease
SHORT_SECONDS = (0.005, 0.2)
CANCELED_SHARE, CANCELED_WITHIN = 0.06, 1.2  # of its own time: some are too late
BURST_SHARE, BURST = 0.01, 10  # now and then many come at once, so that there is a queue
TOGETHER_SHARE = 1 / 3  # of the tasks: those of the model that computes in batches
TOGETHER_BURST = (2, 8)  # they come at once, so that batches form, some of them full and with a rest


def arrivals(seed: int, rate: float) -> Iterator[tuple[float, Asked]]:
    """Yield (seconds since the one before, task) without end, `rate` a second on average."""
    chance = random.Random(f"load {seed}")
    alone, company = 1 + BURST_SHARE * (BURST - 1), sum(TOGETHER_BURST) / 2
    # Of the arrivals, each of which is of several tasks perhaps: so many less as a burst is larger.
    together = TOGETHER_SHARE * alone / (TOGETHER_SHARE * alone + (1 - TOGETHER_SHARE) * company)
    rate /= together * company + (1 - together) * alone
    n = 0
    while True:
        wait, model, count = chance.expovariate(rate), TALLY, BURST if chance.random() < BURST_SHARE else 1
        if chance.random() < together:
            model, count = TOGETHER, chance.randint(*TOGETHER_BURST)
        is_long = chance.random() < LONG_SHARE
        for _ in range(count):
            yield wait, asked(chance, f"{seed}-{n}", model, is_long=is_long if model == TOGETHER else None)
            wait, n = 0.0, n + 1


def asked(chance: random.Random, token: str, model: str, *, is_long: bool | None = None) -> Asked:
    """Draw a task. A burst that becomes a batch is long or short as a whole: a batch takes as long as its longest."""
    if is_long is None:
        is_long = chance.random() < LONG_SHARE
    seconds = chance.uniform(*(LONG_SECONDS if is_long else SHORT_SECONDS))
    behave = chance.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]
    cancel_after = chance.uniform(0, seconds * CANCELED_WITHIN) if chance.random() < CANCELED_SHARE else None
    reports = chance.choice((0, 0, 2))
    return Asked(token, round(seconds, 3), reports, behave, cancel_after, model, chance.choice(PRIORITIES))


def answer(token: str) -> str:
    """Return what the model must answer, computed here once more."""
    return hashlib.sha256(token.encode()).hexdigest()
