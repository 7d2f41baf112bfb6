"""What the ledger has counted, as monitoring reads it. Pure; the counting is done by lua/rules/counts.lua."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Upper bounds of the buckets, in ms: from a call of a small model to a job of a day.
TIMES_MS = (
    *(5, 10, 25, 50, 100, 250, 500),
    *(1_000, 2_500, 5_000, 10_000, 30_000),
    *(60_000, 120_000, 300_000, 600_000, 1_800_000),
    *(3_600_000, 7_200_000, 21_600_000, 86_400_000),
)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # of batches, in tasks


Ends = Mapping[tuple[str, ...], int]  # by the parts of a field's name: see lua/rules/counts.lua


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often a value fell into each bucket, the last being for what is above every bound; and the sum of all."""

    buckets: tuple[int, ...]
    sum: int


@dataclass(frozen=True, slots=True)
class ModelCounts:
    """One model at one instant, and everything that has happened to its tasks since the ledger began."""

    queued: int
    running: int
    oldest_queued_ms: int  # 0 if none waits
    slots: Mapping[str, int]  # of each live worker that has loaded it
    submitted: int
    retried: int
    ended: Mapping[tuple[str, str], int]  # by status and, of those that failed, the error's code
    claimed: int  # attempts begun
    lost: int  # of those, how many ended with a dead worker or an expired lease
    released: int  # how many were given back
    resent: int  # messages sent again, after they had been lost on their way
    wait_ms: Distribution  # from the submit (or the latest retry) to the latest start, of tasks that ran to an end
    run_ms: Distribution  # of their latest attempt
    whole_ms: Distribution  # from the submit (or the latest retry) to the end, of all that ended
    load_ms: Distribution  # of the model, by workers and their children
    batch: Distribution  # tasks claimed together; empty for a model that does not batch


@dataclass(frozen=True, slots=True)
class Counts:
    """What monitoring asks of the ledger."""

    models: Mapping[str, ModelCounts]
    deliveries: int  # callbacks that are yet to be delivered


def counts(models: Sequence[str], reply: Any) -> Counts:
    """Read the answer of the script `count`."""
    *rows, deliveries = reply
    return Counts(dict(zip(models, map(_model, rows), strict=True)), deliveries)


def _model(row: Any) -> ModelCounts:
    queued, running, oldest_ms, slots, pairs = row
    counted = {name: int(number) for name, number in _pairs(pairs).items()}
    ends = {tuple(name.split(":")): number for name, number in counted.items() if name.startswith("ended:")}
    return ModelCounts(
        queued=queued,
        running=running,
        oldest_queued_ms=oldest_ms,
        slots={worker: int(number) for worker, number in _pairs(slots).items()},
        submitted=counted.get("submitted", 0),
        retried=counted.get("retried", 0),
        ended=_ended(ends),
        claimed=counted.get("claimed", 0),
        lost=counted.get("lost", 0),
        released=counted.get("released", 0),
        resent=counted.get("resent", 0),
        wait_ms=Distribution(_buckets(ends, 3), counted.get("waited", 0)),
        run_ms=Distribution(_buckets(ends, 4), counted.get("ran", 0)),
        whole_ms=Distribution(_buckets(ends, 5), sum(counted.get(name, 0) for name in ("waited", "ran", "idled"))),
        load_ms=_distribution("load", "loaded", counted, TIMES_MS),
        batch=_distribution("batch", "batched", counted, SIZES),
    )


def _pairs(flat: Sequence[bytes]) -> dict[str, bytes]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _ended(ends: Ends) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for (_, status, code, *_), number in ends.items():
        found[status, code] = found.get((status, code), 0) + number
    return found


def _buckets(ends: Ends, place: int) -> tuple[int, ...]:
    """Return how many tasks fell into each bucket of the time at this place of the fields' names."""
    found = [0] * (len(TIMES_MS) + 1)
    for name, number in ends.items():
        if name[place]:
            found[int(name[place]) - 1] += number
    return tuple(found)


def _distribution(name: str, sum: str, counted: Mapping[str, int], bounds: Sequence[int]) -> Distribution:
    buckets = tuple(counted.get(f"{name}:{n}", 0) for n in range(1, len(bounds) + 2))
    return Distribution(buckets, counted.get(sum, 0))
