"""The task document: what a client sees of a task. Pure."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from api.eta import Reason, eta_seconds, reason
from shared.ledger.payload import is_large
from shared.task import Callback, DeliveryState, ErrorCode, Status, Task

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NULL = b"null"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProgressDocument(_Document):
    """How far the running attempt says it is."""

    fraction: float | None = Field(description="0 to 1")
    message: str | None


class QueueDocument(_Document):
    """Where a queued task waits, and for what."""

    position: int = Field(ge=1, description="1 is next")
    eta_seconds: float | None = Field(description="when it is expected to start; null while nothing is known")
    # No enum: a client that was made from this must not break when there is one word more.
    reason: str = Field(description="why it is not running yet; more words may come", examples=list(Reason))


class ErrorDocument(_Document):
    """Why a task failed."""

    code: ErrorCode
    message: str


class CallbackDocument(_Document):
    """Who is told of the task's end, and what came of it."""

    url: str
    state: DeliveryState | None = Field(description="null before the task has ended")
    attempts: int = Field(ge=0, description="how often it was tried")
    next_attempt_at: AwareDatetime | None = Field(description="while pending")
    answer: str | None = Field(description="what came of the latest try: a status, or a word")


class LinksDocument(_Document):
    """Paths of what can be done next; null: not now, or not here."""

    self: str
    events: str
    cancel: str | None


class ListedTaskDocument(_Document):
    """A task in a list: everything but its result."""

    task_id: str = Field(json_schema_extra={"format": "uuid"})
    model: str
    status: Status
    created_at: AwareDatetime
    started_at: AwareDatetime | None = Field(description="when the latest attempt was claimed")
    finished_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(description="when the finished task is forgotten")
    attempt: int = Field(ge=0, description="how often a worker has claimed it")
    batch_size: int | None = Field(
        description="how many tasks its latest attempt was claimed with to be computed together, itself included; null "
        "while queued"
    )
    progress: ProgressDocument | None
    queue: QueueDocument | None = Field(description="only while queued")
    error: ErrorDocument | None = Field(description="only when failed")
    callback: CallbackDocument | None = Field(description="only of a task that was submitted with a `callback_url`")
    links: LinksDocument


class TaskDocument(ListedTaskDocument):
    """A task."""  # what clients read of it; answers are made by `render`, which validates nothing

    result: Any = Field(description="the model's Output once succeeded, else null")


class TasksDocument(_Document):
    """A page of tasks, the newest first."""

    tasks: list[ListedTaskDocument]
    next: str | None = Field(description="the `cursor` of the next page; null on the last")


def render(task: Task, around: tuple[bytes, bytes] | None = None) -> bytes:
    """Return the task document as JSON. The result goes through byte for byte: it was JSON when it was stored.

    `around` is what `around_result` returned, if that was asked for already.
    """
    return b"".join(render_parts(task, around))


def render_parts(task: Task, around: tuple[bytes, bytes] | None = None) -> tuple[bytes, ...]:
    """Return what `render` does in parts, of which a large result is one: it is not copied."""
    head, tail = around or around_result(task)
    if task.result is not None and is_large(len(task.result)):
        return head + b',"result":', task.result, b"," + tail
    return (b'%b,"result":%b,%b' % (head, task.result or NULL, tail),)


def render_listed(task: Task) -> bytes:
    """Return the document of a task in a list, which has no result: it may be large, and there may be many."""
    return b"%b,%b" % around_result(task)


def around_result(task: Task) -> tuple[bytes, bytes]:
    """Return what comes before the result in a task's document, and what comes after it.

    Written by hand, since every answer has it: only what may have any text in it goes through a JSON writer.
    """
    head = (
        f'{{"task_id":"{task.id}","model":"{task.model}","status":"{task.status.value}"'
        f',"created_at":{_instant(task.created_ms)},"started_at":{_instant(task.started_ms)}'
        f',"finished_at":{_instant(task.finished_ms)},"expires_at":{_instant(task.expires_ms)}'
        f',"attempt":{task.attempt},"batch_size":{"null" if task.batch is None else task.batch}'
    )
    tail = f'"links":{links(task.id, is_final=task.is_final)}}}'
    return (
        b'%b,"progress":%b,"queue":%b' % (head.encode(), _progress(task), _queue(task)),
        b'"error":%b,"callback":%b,%b' % (_error(task), _callback(task.callback), tail.encode()),
    )


def instant(ms: int | None) -> str | None:
    """Return milliseconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    if ms is None:
        return None
    seconds, rest = divmod(ms, 1000)  # not a float: one a hair below the millisecond would be cut to the one before
    return f"{_second(seconds)}.{rest:03d}Z"


def links(id: str, *, is_final: bool) -> str:
    """Return the paths of what can be done with a task, as JSON."""
    cancel = "null" if is_final else f'"/task/{id}/cancel"'
    return f'{{"self":"/task/{id}","events":"/task/{id}/events","cancel":{cancel}}}'


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Return a second of the clock; the same ones are told again and again."""
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def _instant(ms: int | None) -> str:
    return "null" if ms is None else f'"{instant(ms)}"'


def _json(part: dict[str, Any]) -> bytes:
    return to_json(part, inf_nan_mode="null")  # a model may report a progress of NaN; JSON has no word for it


def _progress(task: Task) -> bytes:
    if task.progress is None:
        return NULL
    return _json({"fraction": task.progress.fraction, "message": task.progress.message})


def _queue(task: Task) -> bytes:
    if (queue := task.queue) is None:
        return NULL
    return _json({"position": queue.position, "eta_seconds": eta_seconds(queue), "reason": reason(queue, task.lost)})


def _callback(callback: Callback | None) -> bytes:
    if callback is None:
        return NULL
    return _json(
        {
            "url": callback.url,
            "state": callback.state,
            "attempts": callback.attempts,
            "next_attempt_at": instant(callback.next_ms),
            "answer": callback.answer,
        }
    )


def _error(task: Task) -> bytes:
    return NULL if task.error is None else _json({"code": task.error.code, "message": task.error.message})
