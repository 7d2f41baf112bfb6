"""When a task will start, and when it is worth asking again. Pure."""

import math

from shared.task import QueueView, Status, Task

SOONEST_SECONDS, LATEST_SECONDS = 1, 30
NO_WORKERS_SECONDS = 5  # nothing will happen before someone starts a worker


def eta_seconds(queue: QueueView) -> float | None:
    """Return in how many seconds a queued task is expected to start; None while there is nothing to go by.

    `position * typical run time / slots`: a task that still waits found every slot busy, so slots fall free
    `typical / slots` seconds apart on average, and the task starts at the `position`-th of them. Runs of very
    different length, or a worker that joins, make it wrong; nothing is promised.
    """
    if queue.slots == 0 or queue.typical_run_ms is None:
        return None
    return round(queue.position * queue.typical_run_ms / 1000 / queue.slots, 1)


def reason(queue: QueueView, lost: int) -> str:
    """Return the word for why a task is not running yet; `lost` is how many of its attempts died with a worker."""
    if queue.workers == 0:
        return "no_workers"
    return "retrying" if lost > 0 else "waiting"


def retry_after(task: Task) -> int | None:
    """Return after how many whole seconds to ask again; None once the task is final.

    A queued task is worth asking about when it is expected to start, within 1..30 s so that neither a burst of polls
    nor a wrong guess costs much; a running one every second, since how long it has left is not known.
    """
    if task.is_final:
        return None
    if task.status is not Status.QUEUED or task.queue is None:
        return SOONEST_SECONDS
    if task.queue.workers == 0:
        return NO_WORKERS_SECONDS
    return min(max(math.ceil(eta_seconds(task.queue) or 0), SOONEST_SECONDS), LATEST_SECONDS)


def retry_after_refusal(ms_per_claim: int | None) -> int:
    """Return after how many whole seconds to submit again after a refusal.

    That is when a place has fallen free at the pace of the latest claims, within 1..30 s; NO_WORKERS_SECONDS while
    nothing has been claimed yet.
    """
    if ms_per_claim is None:
        return NO_WORKERS_SECONDS
    return min(max(math.ceil(ms_per_claim / 1000), SOONEST_SECONDS), LATEST_SECONDS)
