"""The task document: what a client sees of a task. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from api.eta import Reason, eta_seconds, reason
from shared.task import Callback, DeliveryState, ErrorCode, QueueView, Status, Task

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    head, tail = around or around_result(task)
    return b'%b,"result":%b,%b' % (head, task.result or b"null", tail)


def render_listed(task: Task) -> bytes:
    """Return the document of a task in a list, which has no result: it may be large, and there may be many."""
    return b"%b,%b" % around_result(task)


def around_result(task: Task) -> tuple[bytes, bytes]:
    """Return what comes before the result in a task's document, and what comes after it."""
    head = {
        "task_id": task.id,
        "model": task.model,
        "status": task.status,
        "created_at": instant(task.created_ms),
        "started_at": instant(task.started_ms),
        "finished_at": instant(task.finished_ms),
        "expires_at": instant(task.expires_ms),
        "attempt": task.attempt,
        "progress": _progress(task),
        "queue": None if task.queue is None else _queue(task.queue, task.lost),
    }
    tail = {"error": _error(task), "callback": _callback(task.callback), "links": links(task)}
    return _json(head)[:-1], _json(tail)[1:]


def instant(ms: int | None) -> str | None:
    """Return milliseconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    if ms is None:
        return None
    # Not fromtimestamp(ms / 1000): a float a hair below the millisecond would be cut to the one before.
    moment = EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def links(task: Task) -> dict[str, str | None]:
    """Return the paths of what can be done with `task`."""
    here = f"/task/{task.id}"
    return {"self": here, "events": f"{here}/events", "cancel": None if task.is_final else f"{here}/cancel"}


def _json(part: dict[str, Any]) -> bytes:
    return to_json(part, inf_nan_mode="null")  # a model may report a progress of NaN; JSON has no word for it


def _progress(task: Task) -> dict[str, Any] | None:
    if task.progress is None:
        return None
    return {"fraction": task.progress.fraction, "message": task.progress.message}


def _queue(queue: QueueView, lost: int) -> dict[str, Any]:
    return {"position": queue.position, "eta_seconds": eta_seconds(queue), "reason": reason(queue, lost)}


def _callback(callback: Callback | None) -> dict[str, Any] | None:
    if callback is None:
        return None
    return {
        "url": callback.url,
        "state": callback.state,
        "attempts": callback.attempts,
        "next_attempt_at": instant(callback.next_ms),
        "answer": callback.answer,
    }


def _error(task: Task) -> dict[str, Any] | None:
    return None if task.error is None else {"code": task.error.code, "message": task.error.message}
