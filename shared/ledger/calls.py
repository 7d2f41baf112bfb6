"""Every step of the ledger as a value: which script, with which arguments, and how its answer reads.

Pure. `shared.ledger.connection` runs a call over one Redis round trip, blocking or asynchronous; so each step is
written, and tested, once for both sides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from shared.ledger.scripts import FIELDS
from shared.task import (
    DEFAULT_PRIORITY,
    PRIORITIES,
    Callback,
    DeliveryState,
    ErrorCode,
    Missing,
    Progress,
    QueueView,
    Status,
    Task,
    TaskError,
)

T = TypeVar("T")
Argument = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One atomic step: run `script` with `arguments`, and hand what Redis answers to `parse`."""

    script: str
    arguments: tuple[Argument, ...]
    parse: Callable[[Any], T]


@dataclass(frozen=True, slots=True)
class Submission:
    """A task as a client hands it in."""

    id: str
    model: str
    input: bytes  # JSON, checked
    owner: str = ""  # who may see it; empty while no one is asked for a key
    priority: int = DEFAULT_PRIORITY
    time_limit_ms: int | None = None  # how long it may run; None: as long as the model allows
    expires_in_ms: int | None = None  # how long it may wait to be claimed for the first time; None: for ever
    key: "Key | None" = None
    callback: str = ""  # the URL to tell of every end of the task; empty: none


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a submit that is sent again the same submit (Idempotency-Key)."""

    digest: str  # of the key that the client chose
    fingerprint: str  # of everything that was asked for; the same key with another one is a client's mistake


@dataclass(frozen=True, slots=True)
class Admission:
    """How many tasks may wait before a submit is refused."""

    max_queued: int  # of one model
    max_queued_of_owner: int | None  # of one owner, whatever the model; None: no limit


class Full(Enum):
    """Which limit a submit ran into."""

    QUEUE = "queue_full"
    OWNER = "owner_full"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A submit that was not accepted; nothing was stored."""

    full: Full
    queued: int  # how many wait: of the model, or of the owner
    ms_per_claim: int | None  # how often a place falls free, by the latest claims; None before the first


@dataclass(frozen=True, slots=True)
class Replay:
    """A submit that had been accepted before under the same key; nothing new was stored."""

    task: Task | Missing  # as it is now; GONE if it was forgotten


class KeyReused:
    """A submit whose key had come with another request before; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What came of asking for a task to be run again."""

    task: Task | Missing
    accepted: bool  # False: it is neither failed nor canceled, or there is no such task


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an owner's tasks, the newest first, without their results."""

    tasks: tuple[Task, ...]
    before: int | None  # what to ask for the next part with; None: there is no more


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a task: what a child needs to compute it and to prove that it may publish."""

    id: str
    token: int  # the attempt's number; only the latest is accepted
    model: str
    input: bytes
    time_limit_ms: int | None = None  # what its client asked for, if less than the model's


@dataclass(frozen=True, slots=True)
class ModelCensus:
    """What the ledger knows of one model at one instant."""

    queued: int
    running: int
    workers: int  # live workers that have loaded it
    slots: int  # children of those workers
    typical_run_ms: int | None  # median of its latest successes


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be told of one end of a task, and to whom."""

    task_id: str
    end: int  # which of the task's ends: more than one, if it was retried
    attempt: int  # which try to deliver it
    url: str
    owner: str
    model: str
    status: Status
    finished_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the reaper did about one task: queued again, failed, expired, or its message resent."""

    id: str
    outcome: str


Submitted = Task | Replay | Refusal | KeyReused


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
    return Call("submit", arguments, lambda reply: _submitted(submission.id, reply))


def read(id: str, owner: str, retention_ms: int) -> Call[Task | Missing]:
    """Return the task as it is now, or why there is none. Another owner's is UNKNOWN, here and in what follows."""
    return Call("read", (id, owner, retention_ms), lambda reply: _maybe_task(id, reply))


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
    arguments = (owner, limit, _or_empty(before), retention_ms, model, *statuses)
    return Call("list", arguments, lambda reply: _page(limit, reply))


def cancel(id: str, owner: str, retention_ms: int) -> Call[Task | Missing]:
    """Stop a queued or running task; return it (its status tells what became of it), or why there is none."""
    return Call("cancel", (id, owner, retention_ms), lambda reply: _maybe_task(id, reply))


def retry(id: str, owner: str, admission: Admission, retention_ms: int) -> Call[Retry | Refusal]:
    """Have a failed or canceled task queued again, if one more task may wait."""
    arguments = (id, owner, admission.max_queued, _or_empty(admission.max_queued_of_owner), retention_ms)
    return Call("retry", arguments, lambda reply: _retry(id, reply))


def forget(id: str, owner: str, retention_ms: int) -> Call[Missing | None]:
    """Cancel a task if need be and drop its record; return why there was none to forget, if so."""
    return Call("forget", (id, owner, retention_ms), lambda reply: None if reply == 1 else _missing(reply))


def claim(id: str, worker: str, nonce: str, lease_ms: int, retention_ms: int) -> Call[Claim | None]:
    """Win a queued task, or None: someone else has it, or it needs no running.

    `nonce` is new for every message and the same when its claim is asked for again, after an answer that was lost.
    """
    return Call("claim", (id, worker, nonce, lease_ms, retention_ms), lambda reply: _claim(id, reply))


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
    return Call("reap", (max_attempts, retention_ms, sighting_ms, missing_ms), _verdicts)


def collect(limit: int, hold_ms: int) -> Call[tuple[Delivery, ...]]:
    """Take at most `limit` deliveries that are due; nobody else is given them for `hold_ms`, and then somebody is."""
    return Call("collect", (limit, hold_ms), lambda rows: tuple(map(_delivery, rows)))


def settle(delivery: Delivery, state: DeliveryState, pause_ms: int | None, answer: str) -> Call[bool]:
    """Note what came of a try; False (and nothing written) if another try has been begun, or the task was forgotten."""
    name = f"{delivery.task_id}:{delivery.end}"
    return Call("settle", (name, delivery.attempt, state, _or_empty(pause_ms), answer), bool)


def census(models: Sequence[str]) -> Call[dict[str, ModelCensus]]:
    """Count, for each model, tasks, workers and slots."""
    return Call("census", tuple(models), lambda reply: dict(zip(models, map(_model_census, reply), strict=True)))


def _claim(id: str, reply: Any) -> Claim | None:
    if not reply:
        return None
    token, model, input, time_limit_ms = reply
    return Claim(id, token, model.decode(), input, time_limit_ms)


def _verdicts(reply: list[bytes]) -> tuple[Verdict, ...]:
    words = [word.decode() for word in reply]
    return tuple(map(Verdict, words[::2], words[1::2]))


def _model_census(row: Any) -> ModelCensus:
    queued, running, workers, slots, typical = row
    return ModelCensus(queued, running, workers, slots, typical)


def tier(priority: int) -> int:
    """Return the ledger's number for a priority: 0 is the most urgent."""
    return len(PRIORITIES) - 1 - priority


def _submitted(id: str, reply: Any) -> Submitted:
    match reply:
        case b"accepted", task:
            return _task(id, task)
        case b"replayed", first, task:
            return Replay(_maybe_task(first.decode(), task))
        case (b"key_reused",):
            return KeyReused()
        case _:
            return _refusal(reply)


def _retry(id: str, reply: Any) -> Retry | Refusal:
    match reply:
        case b"absent", why:
            return Retry(_missing(why), accepted=False)
        case (b"retried" | b"unmoved") as word, task:
            return Retry(_task(id, task), accepted=word == b"retried")
        case _:
            return _refusal(reply)


def _refusal(reply: Any) -> Refusal:
    full, queued, ms_per_claim = reply
    return Refusal(Full(full.decode()), queued, ms_per_claim)


def _page(limit: int, rows: Any) -> Page:
    tasks = tuple(_task(id.decode(), task) for id, _, task in rows if task)
    return Page(tasks, rows[-1][1] if len(rows) == limit else None)


def _maybe_task(id: str, reply: Any) -> Task | Missing:
    return _task(id, reply) if isinstance(reply, list) else _missing(reply)


def _missing(reply: bytes | None) -> Missing:
    return Missing.GONE if reply == b"gone" else Missing.UNKNOWN


def _or_empty(value: int | None) -> int | str:
    return "" if value is None else value


def _task(id: str, reply: Any) -> Task:
    values, queue, *callback = reply
    field = dict(zip(FIELDS, values, strict=False))  # in a list there is no result, which is the last
    return Task(
        id=id,
        model=field["model"].decode(),
        status=Status(field["status"].decode()),
        created_ms=int(field["created"]),
        started_ms=_int(field["started"]),
        finished_ms=_int(field["finished"]),
        expires_ms=_int(field["expires"]),
        attempt=int(field["attempt"] or 0),
        lost=int(field["lost"] or 0),
        progress=_progress(field["fraction"], field["note"]),
        result=field.get("result"),
        error=_error(field["error_code"], field["error_message"]),
        queue=_queue(queue),
        callback=_callback(callback[0]) if callback else None,
    )


def _callback(row: Any) -> Callback | None:
    if not row:
        return None
    url, state, tries, due, answer = row
    return Callback(
        url=url.decode(),
        state=DeliveryState(state.decode()) if state else None,
        attempts=int(tries or 0),
        next_ms=None if due is None or state != b"pending" else int(float(due)),
        answer=answer.decode() if answer else None,
    )


def _delivery(row: Any) -> Delivery:
    name, attempt, url, owner, model, status, finished = row
    id, _, end = name.decode().rpartition(":")
    return Delivery(
        id, int(end), attempt, url.decode(), owner.decode(), model.decode(), Status(status.decode()), int(finished)
    )


def _int(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _progress(fraction: bytes | None, note: bytes | None) -> Progress | None:
    if not fraction and not note:
        return None
    return Progress(float(fraction) if fraction else None, note.decode() if note else None)


def _error(code: bytes | None, message: bytes | None) -> TaskError | None:
    return None if code is None else TaskError(ErrorCode(code.decode()), (message or b"").decode())


def _queue(row: Any) -> QueueView | None:
    if not row:
        return None
    position, slots, workers, run_ms, elapsed_ms, others = row
    return QueueView(position, slots, workers, tuple(map(int, run_ms)), tuple(elapsed_ms), others)
