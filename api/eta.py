"""When a task will start, and when it is worth asking again. Pure."""

import math
from bisect import insort
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from statistics import fmean

from shared.task import Outlook, QueueView, Status, Task

SOONEST_SECONDS, LATEST_SECONDS = 1, 30
NO_WORKERS_SECONDS = 5  # nothing will happen before someone starts a worker


class Reason(StrEnum):
    """Why a queued task is not running yet."""

    WAITING = "waiting"  # for a slot
    NO_WORKERS = "no_workers"  # nobody serves its model now
    RETRYING = "retrying"  # a worker died with it


@lru_cache(maxsize=256)  # every answer asks twice: for its document, and for Retry-After
def eta_seconds(queue: QueueView) -> float | None:
    """Return in how many seconds a queued task is expected to start; None while there is nothing to go by.

    Its turn comes when as many slots have fallen free as its position says. The first of them do when what runs now has
    run to its end, which is guessed from how long it has run already; after that each slot falls free again after
    another run. Nothing is promised: a worker may join, die, or be busy with other models.
    """
    outlook = queue.outlook
    if outlook.slots == 0 or not outlook.run_ms:
        return None
    return round(turn_ms(free_in_ms(outlook), mean_run_ms(outlook), queue.position) / 1000, 1)


# All tasks of a model have the same outlook, and a reader hears it a few times a second: it is worked out as often.
@lru_cache(maxsize=64)
def mean_run_ms(outlook: Outlook) -> float:
    """Return how long a slot is expected to be taken by one task."""
    return fmean(outlook.run_ms)


@lru_cache(maxsize=64)
def free_in_ms(outlook: Outlook) -> tuple[float, ...]:
    """Return in how many ms each slot is expected to fall free for the first time, the soonest first."""
    busy = sorted(remaining_ms(outlook.run_ms, elapsed) for elapsed in outlook.elapsed_ms)[: outlook.slots]
    others = outlook.slots - len(busy)
    # The other slots are free, or run what is not known here: another model's tasks, perhaps.
    guess = mean_run_ms(outlook) if outlook.others else 0.0
    return tuple(sorted([*busy, *(guess * (n + 0.5) / others for n in range(others))]))


def turn_ms(soonest: Sequence[float], run: float, position: int) -> float:
    """Return when the turn of a position comes, if slots fall free `soonest`, and again after every `run`."""
    free = sorted(soonest)
    while run > 0:
        if free[-1] - free[0] <= run:  # from here on they take turns
            rounds, slot = divmod(position - 1, len(free))
            return free[slot] + rounds * run
        if position == 1:
            break
        insort(free, free.pop(0) + run)
        position -= 1
    return free[0]


def remaining_ms(run_ms: Sequence[float], elapsed_ms: int) -> float:
    """Return how much longer a task is expected to run: what those took in the mean that ran for longer than it has.

    One that has outrun all of them may end at any moment, or never.
    """
    longer = [run for run in run_ms if run > elapsed_ms]
    return fmean(longer) - elapsed_ms if longer else 0.0


def reason(queue: QueueView, lost: int) -> Reason:
    """Return the word for why a task is not running yet; `lost` is how many of its attempts died with a worker."""
    if queue.outlook.workers == 0:
        return Reason.NO_WORKERS
    return Reason.RETRYING if lost > 0 else Reason.WAITING


def retry_after(task: Task) -> int | None:
    """Return after how many whole seconds to ask again; None once the task is final.

    A queued task is worth asking about when it is expected to start, within 1..30 s so that neither a burst of polls
    nor a wrong guess costs much; a running one every second, since how long it has left is not known.
    """
    if task.is_final:
        return None
    if task.status is not Status.QUEUED or task.queue is None:
        return SOONEST_SECONDS
    if task.queue.outlook.workers == 0:
        return NO_WORKERS_SECONDS
    return min(max(math.ceil(eta_seconds(task.queue) or 0), SOONEST_SECONDS), LATEST_SECONDS)


def retry_after_refusal(ms_per_claim: int | None) -> int:
    """Return after how many whole seconds to submit again after a refusal.

    That is when a place has fallen free at the outlook of the latest claims, within 1..30 s; NO_WORKERS_SECONDS while
    nothing has been claimed yet.
    """
    if ms_per_claim is None:
        return NO_WORKERS_SECONDS
    return min(max(math.ceil(ms_per_claim / 1000), SOONEST_SECONDS), LATEST_SECONDS)
