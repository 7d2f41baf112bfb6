"""Which fault comes when, to whom, for how long: drawn from the seed alone. Real time decides what it then hits."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CRASHES = {
    "child": ("claim", "progress", "proceed", "finish", "abandon"),
    "parent": ("renew", "announce", "reap", "finish", "release"),
    "api": ("submit", "read", "cancel"),
}
WEIGHTS = {
    "child killed": 14,
    "child frozen": 8,
    "child frozen past the lease": 3,
    "connection cut": 18,
    "message doubled": 7,
    "message lost": 6,
    "crash in a child": 15,
    "crash in an API": 6,
    "API killed": 5,
    "API frozen": 3,
}
HEAVY_WEIGHTS = {  # a worker or the server is away for a while
    "crash in a parent": 3,
    "worker's parent killed": 1.5,
    "worker killed": 2,
    "worker's parent frozen": 1,
    "worker's parent frozen past the lease": 1,
    "worker frozen": 1,
    "worker frozen past the lease": 1,
    "worker's network cut": 1,
    "worker's network cut past the lease": 1,
    "worker's connections reset": 2,
    "server killed": 2,
    "server frozen": 1.5,
    "server frozen past the lease": 1,
    "rolling restart": 0.7,
}
BURST = (6, 14)  # faults between two moments of quiet
QUIET = (5.0, 9.0)  # how long such a moment is, at one fault a second
SHORT = (0.05, 1.2)
LONG = (2.2, 4.2)  # of a child or the server: past the lease
# Of a worker: past the lease and the reaper's two sightings, so that it wakes to a newer attempt.
VERY_LONG = (4.5, 7.0)
LASTING = {
    "child frozen past the lease": LONG,
    "server frozen past the lease": LONG,
    "worker's parent frozen past the lease": VERY_LONG,
    "worker frozen past the lease": VERY_LONG,
    "worker's network cut past the lease": VERY_LONG,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault to come."""

    wait: float  # seconds since the one before
    kind: str
    victim: float  # 0..1: which of those that are there then
    seconds: float  # how long it lasts, where it lasts
    point: str = ""  # of a crash: script.moment.role


def plans(seed: int, pace: float = 1.0) -> Iterator[Plan]:
    """Yield faults without end, `pace` a second on average: bursts, each with a moment of quiet after it.

    Outages do not come more often at a higher pace: there would be nothing left to strike.
    """
    chance = random.Random(seed)
    weights = WEIGHTS | {kind: weight / pace for kind, weight in HEAVY_WEIGHTS.items()}
    while True:
        count, quiet = chance.randint(*BURST), chance.uniform(*QUIET) / pace
        between = max(count / pace - quiet, count * 0.1) / count
        for n in range(count):
            yield _plan(chance, weights, chance.expovariate(1 / between) + (quiet if n == 0 else 0.0))


def _plan(chance: random.Random, weights: Mapping[str, float], wait: float) -> Plan:
    kind = chance.choices(list(weights), list(weights.values()))[0]
    seconds = chance.uniform(*LASTING.get(kind, SHORT))
    return Plan(wait, kind, chance.random(), seconds, _point(chance, kind))


def _point(chance: random.Random, kind: str) -> str:
    if not kind.startswith("crash"):
        return ""
    role = kind.rsplit(maxsplit=1)[-1].lower()
    return f"{chance.choice(CRASHES[role])}.{chance.choice(('before', 'after'))}.{role}"
