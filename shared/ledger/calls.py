"""Every step of the ledger as a value: which script, with which arguments, and how its answer reads.

Pure. `shared.ledger.connection` runs a call over one Redis round trip, blocking or asynchronous; so each step is
written, and tested, once for both sides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.ledger import replies
from shared.ledger.records import (
    Admission,
    Claim,
    Delivery,
    ModelCensus,
    Page,
    Rate,
    RateState,
    Refusal,
    Retry,
    Submission,
    Submitted,
    Verdict,
)
from shared.task import PRIORITIES, DeliveryState, Missing, Progress, Status, Task, TaskError

T = TypeVar("T")
Argument = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One atomic step: run `script` with `arguments`, and hand what Redis answers to `parse`."""

    script: str
    arguments: tuple[Argument, ...]
    parse: Callable[[Any], T]


def submit(submission: Submission, admission: Admission, retention_ms: int) -> Call[Submitted]:
    """Accept a task: record, place in the queue and message. The same id again returns the task that is there."""
    key = submission.key
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
    )
    return Call("submit", arguments, lambda reply: replies.submitted(submission.id, reply))


def read(id: str, owner: str, retention_ms: int) -> Call[Task | Missing]:
    """Return the task as it is now, or why there is none. Another owner's is UNKNOWN, here and in what follows."""
    return Call("read", (id, owner, retention_ms), lambda reply: replies.maybe_task(id, reply))


def read_each(asked: Sequence[tuple[str, str]], retention_ms: int) -> Call[list[Task | Missing]]:
    """Return what `read` would of the first of the (id, owner) asked for, at least one: fewer if results are large."""
    pairs = [part for pair in asked for part in pair]

    def parse(reply: Any) -> list[Task | Missing]:
        return [replies.maybe_task(id, task) for (id, _), task in zip(asked, reply, strict=False)]

    return Call("read_each", (retention_ms, *pairs), parse)


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
    arguments = (owner, limit + 1, _or_empty(before), retention_ms, model, *statuses)  # one more: is there a next?
    return Call("list", arguments, lambda reply: replies.page(limit, reply))


def cancel(id: str, owner: str, retention_ms: int) -> Call[Task | Missing]:
    """Stop a queued or running task; return it (its status tells what became of it), or why there is none."""
    return Call("cancel", (id, owner, retention_ms), lambda reply: replies.maybe_task(id, reply))


def retry(id: str, owner: str, admission: Admission, retention_ms: int) -> Call[Retry | Refusal]:
    """Have a failed or canceled task queued again, if one more task may wait."""
    arguments = (id, owner, admission.max_queued, _or_empty(admission.max_queued_of_owner), retention_ms)
    return Call("retry", arguments, lambda reply: replies.retried(id, reply))


def forget(id: str, owner: str, retention_ms: int) -> Call[Missing | None]:
    """Cancel a task if need be and drop its record; return why there was none to forget, if so."""
    return Call("forget", (id, owner, retention_ms), lambda reply: None if reply == 1 else replies.missing(reply))


def claim(id: str, worker: str, nonce: str, lease_ms: int, retention_ms: int) -> Call[Claim | None]:
    """Win a queued task, or None: someone else has it, or it needs no running.

    `nonce` is new for every message and the same when its claim is asked for again, after an answer that was lost.
    """
    return Call("claim", (id, worker, nonce, lease_ms, retention_ms), lambda reply: replies.claim(id, reply))


def decline(id: str) -> Call[bool]:
    """Put the message of a queued task back, unclaimed, for another worker; False if the task is not queued."""
    return Call("decline", (id,), bool)


def renew(held: Iterable[tuple[str, int]], lease_ms: int) -> Call[frozenset[str]]:
    """Extend the leases of (id, token) pairs; return the ids whose claim is no longer held."""
    pairs = [part for id, token in held for part in (id, token)]
    return Call("renew", (lease_ms, *pairs), lambda reply: frozenset(id.decode() for id in reply))


def announce(worker: str, slots: Mapping[str, int], believed_ms: int) -> Call[None]:
    """Say that `worker` lives and how many children can run each model; zero takes it off that model's list."""
    pairs = [part for model, count in slots.items() for part in (model, count)]
    return Call("announce", (worker, believed_ms, *pairs), lambda _: None)


def progress(claim: Claim, progress: Progress) -> Call[bool]:
    """Note how far an attempt is; False if the claim is no longer held."""
    fraction = "" if progress.fraction is None else repr(progress.fraction)
    return Call("progress", (claim.id, claim.token, fraction, progress.message or ""), bool)


def succeed(claim: Claim, result: bytes, retention_ms: int) -> Call[bool]:
    """Publish the result; False (and nothing written) if the claim is no longer held. Again does no harm."""
    return Call("succeed", (claim.id, claim.token, retention_ms, result), bool)


def fail(id: str, token: int, error: TaskError, retention_ms: int) -> Call[bool]:
    """End the attempt with an error; False (and nothing written) if the claim is no longer held. Again does no harm."""
    return Call("fail", (id, token, retention_ms, error.code, error.message), bool)


def release(id: str, token: int) -> Call[bool]:
    """Give a task back unfinished, at no cost of an attempt; False if the claim is no longer held."""
    return Call("release", (id, token), bool)


def abandon(id: str, nonce: str, max_attempts: int, retention_ms: int) -> Call[Status | None]:
    """Take a task back from a child known to be dead; return its new status, or None if the claim is not held.

    By the claim's nonce, since the child may have died before it heard which attempt it had won, or whether it had.
    """
    return Call(
        "abandon", (id, nonce, max_attempts, retention_ms), lambda reply: Status(reply.decode()) if reply else None
    )


def reap(max_attempts: int, retention_ms: int, sighting_ms: int, missing_ms: int) -> Call[tuple[Verdict, ...]]:
    """Take back expired leases and send lost messages again, each at its second sighting; end what is overdue."""
    return Call("reap", (max_attempts, retention_ms, sighting_ms, missing_ms), replies.verdicts)


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
    """Count, for each model, tasks, workers and slots."""
    return Call("census", tuple(models), lambda reply: dict(zip(models, map(replies.model_census, reply), strict=True)))


def tier(priority: int) -> int:
    """Return the ledger's number for a priority: 0 is the most urgent."""
    return len(PRIORITIES) - 1 - priority


def _in_outbox(delivery: Delivery) -> str:
    return f"{delivery.task_id}:{delivery.end}"


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value
