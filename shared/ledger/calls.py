"""Every step of the ledger as a value: which script, with which arguments, and how its answer reads.

Pure. `shared.ledger.connection` runs a call over one Redis round trip, blocking or asynchronous; so each step is
written, and tested, once for both sides. The worker's are in `attempts`.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from shared.ledger import replies
from shared.ledger.attempts import (
    abandon,
    announce,
    claim,
    decline,
    fail,
    finish,
    loaded,
    proceed,
    progress,
    purge,
    reap,
    release,
    renew,
    succeed,
)
from shared.ledger.call import Call
from shared.ledger.checkup import Checkup, checkup_of
from shared.ledger.counts import Counts, counts
from shared.ledger.outlooks import Outlooks
from shared.ledger.records import (
    Admission,
    Delivery,
    ModelCensus,
    Page,
    Rate,
    RateState,
    Refusal,
    Retry,
    Submission,
    Submitted,
)
from shared.task import PRIORITIES, DeliveryState, Missing, Status, Task

__all__ = [
    "Call",
    "abandon",
    "admit",
    "announce",
    "cancel",
    "census",
    "checkup",
    "claim",
    "collect",
    "count",
    "decline",
    "fail",
    "finish",
    "forget",
    "list_tasks",
    "loaded",
    "proceed",
    "progress",
    "purge",
    "read",
    "read_each",
    "reap",
    "release",
    "renew",
    "result",
    "retry",
    "settle",
    "submit",
    "succeed",
    "tier",
]

TASK = "penstock:task:"  # begins the key of a task's record, as in the scripts


def submit(
    submission: Submission, admission: Admission, retention_ms: int, outlooks: Outlooks | None = None
) -> Call[Submitted]:
    """Accept a task: record, place in the queue and message. The same id again returns the task that is there."""
    key, outlooks = submission.key, outlooks or Outlooks()
    arguments = (
        submission.id,
        submission.model,
        submission.owner,
        submission.input,
        tier(submission.priority),
        _or_empty(submission.time_limit_ms),
        _or_empty(submission.expires_in_ms),
        key.digest if key else "",
        key.fingerprint if key else "",
        submission.callback,
        admission.max_queued,
        _or_empty(admission.max_queued_of_owner),
        retention_ms,
        outlooks.fresh(),
        submission.request_id,
        submission.traceparent,
    )
    parse = partial(replies.submitted, submission.id, outlooks=outlooks)
    return Call("submit", arguments, parse, len(submission.input))


def read(id: str, owner: str, retention_ms: int, outlooks: Outlooks | None = None) -> Call[Task | Missing]:
    """Return the task as it is now, or why there is none. Another owner's is UNKNOWN, here and in what follows.

    A large result is left out, here and in what follows: `result` brings it.

    `outlooks` keeps what readings have in common between them, for a fifth of a second.
    """
    kept = outlooks or Outlooks()
    return Call("read", (id, owner, retention_ms, kept.fresh()), lambda reply: replies.maybe_task(id, reply, kept))


def result(task: Task) -> Call[bytes | None]:
    """Return the result that was left out of `task`; None if the task is no longer kept.

    A command rather than a script, in which the result would be copied while nobody else is served.
    """
    return Call("HGET", (f"{TASK}{task.id}", "result"), lambda reply: reply, task.left_out, is_command=True)


def read_each(
    asked: Sequence[tuple[str, str]], retention_ms: int, outlooks: Outlooks | None = None
) -> Call[list[Task | Missing]]:
    """Return what `read` would of the first of the (id, owner) asked for, at least one: fewer if results are large."""
    pairs, kept = [part for pair in asked for part in pair], outlooks or Outlooks()

    def parse(reply: Any) -> list[Task | Missing]:
        return [replies.maybe_task(id, task, kept) for (id, _), task in zip(asked, reply, strict=False)]

    return Call("read_each", (retention_ms, kept.fresh(), *pairs), parse)


def list_tasks(
    owner: str,
    retention_ms: int,
    *,
    limit: int,
    before: int | None = None,
    model: str = "",
    statuses: Iterable[Status] = Status,
) -> Call[Page]:
    """Return at most `limit` tasks of an owner: of one model or all, in these statuses, older than page `before`."""
    outlooks = Outlooks()  # told once for each of the models listed would be less, and more to understand
    arguments = (owner, limit + 1, _or_empty(before), retention_ms, model, "", *statuses)  # one more: is there a next?
    return Call("list", arguments, lambda reply: replies.page(limit, reply, outlooks))


def cancel(id: str, owner: str, retention_ms: int) -> Call[Task | Missing]:
    """Stop a queued or running task; return it (its status tells what became of it), or why there is none."""
    return Call("cancel", (id, owner, retention_ms), lambda reply: replies.maybe_task(id, reply, Outlooks()))


def retry(
    id: str, owner: str, admission: Admission, retention_ms: int, *, request_id: str = "", traceparent: str = ""
) -> Call[Retry | Refusal]:
    """Have a failed or canceled task queued again, if one more task may wait; from now on this is its request."""
    max_of_owner = _or_empty(admission.max_queued_of_owner)
    arguments = (id, owner, admission.max_queued, max_of_owner, retention_ms, "", request_id, traceparent)
    return Call("retry", arguments, lambda reply: replies.retried(id, reply, Outlooks()))


def forget(id: str, owner: str, retention_ms: int) -> Call[Missing | None]:
    """Cancel a task if need be and drop its record; return why there was none to forget, if so."""
    return Call("forget", (id, owner, retention_ms), lambda reply: None if reply == 1 else replies.missing(reply))


def admit(owner: str, rate: Rate) -> Call[RateState]:
    """Count one request of an owner."""
    arguments = (owner, rate.quota, rate.window_ms)
    return Call("admit", arguments, lambda reply: RateState(bool(reply[0]), *reply[1:]))


def collect(limit: int, hold_ms: int, under_way: Iterable[Delivery] = ()) -> Call[tuple[Delivery, ...]]:
    """Take at most `limit` deliveries that are due; nobody else is given them for `hold_ms`, and then somebody is.

    What was taken before and is still `under_way` is held for longer, and not given again.
    """
    pairs = [part for delivery in under_way for part in (_in_outbox(delivery), delivery.attempt)]
    return Call("collect", (limit, hold_ms, *pairs), lambda rows: tuple(map(replies.delivery, rows)))


def settle(delivery: Delivery, state: DeliveryState, pause_ms: int | None, answer: str) -> Call[bool]:
    """Note what came of a try; False (and nothing written) if another try has been begun, or the task was forgotten."""
    arguments = (_in_outbox(delivery), delivery.attempt, state, _or_empty(pause_ms), answer)
    return Call("settle", arguments, bool)


def census(models: Sequence[str]) -> Call[dict[str, ModelCensus]]:
    """Count, for each model, tasks, workers and slots, and tell the memory of its children."""
    return Call("census", tuple(models), lambda reply: dict(zip(models, map(replies.model_census, reply), strict=True)))


def count(models: Sequence[str]) -> Call[Counts]:
    """Count what there is, and tell what has happened to the tasks of each model since ever. For monitoring."""
    return Call("count", tuple(models), lambda reply: counts(models, reply))


def checkup() -> Call[Checkup]:
    """Look at what tells an operator whether all is well, of every model that was ever served or asked for."""
    return Call("checkup", (), checkup_of)


def tier(priority: int) -> int:
    """Return the ledger's number for a priority: 0 is the most urgent."""
    return len(PRIORITIES) - 1 - priority


def _in_outbox(delivery: Delivery) -> str:
    return f"{delivery.task_id}:{delivery.end}"


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value
