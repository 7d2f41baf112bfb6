"""The life of a task: its states, who may move it between them, and the record a reader sees.

Pure: no Redis, no Celery, no clock. The ledger's Lua scripts get their rules from `TRANSITIONS` (rendered into
their preamble by `shared.ledger.scripts`), so this table is the only place where a transition is allowed.
The chart is in docs/states.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Where a task is. The last three are final: nothing but a client's retry leaves them."""

    QUEUED = "queued"  # accepted; waiting to be claimed
    RUNNING = "running"  # a live worker holds its lease
    SUCCEEDED = "succeeded"  # has a result
    FAILED = "failed"  # has an error
    CANCELED = "canceled"  # a client asked for it to stop


# How urgent a task is: of those that wait for the same model, one of a higher priority is always claimed first.
PRIORITIES = range(4)
DEFAULT_PRIORITY = 1


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})


class ErrorCode(StrEnum):
    """Why a task failed."""

    MODEL_ERROR = "model_error"  # the model raised
    TIMEOUT = "timeout"  # ran past its hard time limit
    WORKER_LOST = "worker_lost"  # every attempt it was allowed ended with a dead worker: a poison task
    EXPIRED = "expired"  # waited past its queue deadline
    RESULT_TOO_LARGE = "result_too_large"
    INVALID_RESULT = "invalid_result"  # the model returned what its Output refuses


class Action(StrEnum):
    """What moves a task. Each is one atomic script of the ledger."""

    CLAIM = "claim"
    FINISH = "finish"
    RELEASE = "release"
    REAP = "reap"
    EXPIRE = "expire"
    CANCEL = "cancel"
    RETRY = "retry"


TRANSITIONS: Mapping[Action, Mapping[Status, frozenset[Status]]] = MappingProxyType(
    {
        Action.CLAIM: {Status.QUEUED: frozenset({Status.RUNNING})},
        Action.FINISH: {Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED})},
        Action.RELEASE: {Status.RUNNING: frozenset({Status.QUEUED})},
        Action.REAP: {Status.RUNNING: frozenset({Status.QUEUED, Status.FAILED})},
        Action.EXPIRE: {Status.QUEUED: frozenset({Status.FAILED})},
        Action.CANCEL: {
            Status.QUEUED: frozenset({Status.CANCELED}),
            Status.RUNNING: frozenset({Status.CANCELED}),
        },
        Action.RETRY: {
            Status.FAILED: frozenset({Status.QUEUED}),
            Status.CANCELED: frozenset({Status.QUEUED}),
        },
    }
)


def may(action: Action, before: Status, after: Status) -> bool:
    """Tell whether `action` may move a task from `before` to `after`."""
    return after in TRANSITIONS[action].get(before, frozenset())


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running attempt says it is: a fraction 0..1 and a sentence, either of which may be missing."""

    fraction: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task failed: a code for programs and one safe sentence for people (never a traceback)."""

    code: ErrorCode
    message: str


class DeliveryState(StrEnum):
    """Where the news of a task's end is."""

    PENDING = "pending"  # not delivered yet; it is tried again
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class Callback:
    """Who is told of a task's end, and what came of telling them the latest."""

    url: str
    state: DeliveryState | None  # None before the task has ended
    attempts: int  # how often it was tried
    next_ms: int | None  # when it is tried next
    answer: str | None  # what came of the latest try, in a word


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the wait of every queued task of one model depends on."""

    slots: int  # children of live workers that serve this model
    workers: int  # live workers that serve this model
    run_ms: tuple[
        float, ...
    ]  # what each of its latest successes took of a child, the newest first: of a batch, its share
    elapsed_ms: tuple[int, ...]  # how long its running tasks have run, of 64 at most
    others: int  # how many more run: of this model, or of others that may be on the same workers


@dataclass(frozen=True, slots=True)
class QueueView:
    """What the ledger knows about the wait of one queued task."""

    position: int  # 1 is next
    outlook: Outlook


class Missing(Enum):
    """Why there is no task to show for an id."""

    UNKNOWN = "unknown"  # none was accepted, as far as is known
    GONE = "gone"  # there was one; its retention has ended


@dataclass(frozen=True, slots=True)
class Task:
    """One task as read from the ledger. Instants are milliseconds since the epoch, on the server's clock."""

    id: str
    model: str
    status: Status
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    expires_ms: int | None  # when the finished task leaves the ledger
    attempt: int  # how often it was claimed; the number of the latest claim is its fencing token
    lost: int  # how many of those attempts ended with a dead worker
    progress: Progress | None
    result: bytes | None  # the Output as JSON, exactly as the worker wrote it; None also while it is left out
    error: TaskError | None
    queue: QueueView | None  # only while queued
    batch: int | None = None  # how many tasks its latest attempt was computed with, itself included
    callback: Callback | None = None
    left_out: int = 0  # bytes of a result that is too large to be read along with the rest

    @property
    def is_final(self) -> bool:
        """Tell whether nothing will change any more, unless a client retries it."""
        return self.status in FINAL
