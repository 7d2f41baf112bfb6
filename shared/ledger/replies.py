"""How Redis's answers to the ledger's steps read: for each script, from its reply to a record. Pure."""

from typing import Any

from shared.ledger.records import (
    Claim,
    Delivery,
    Full,
    KeyReused,
    ModelCensus,
    Page,
    Refusal,
    Replay,
    Retry,
    Submitted,
    Verdict,
)
from shared.ledger.scripts import FIELDS
from shared.task import Callback, DeliveryState, ErrorCode, Missing, Progress, QueueView, Status, Task, TaskError


def claim(id: str, reply: Any) -> Claim | None:
    if not reply:
        return None
    token, model, input, time_limit_ms = reply
    return Claim(id, token, model.decode(), input, time_limit_ms)


def verdicts(reply: list[bytes]) -> tuple[Verdict, ...]:
    words = [word.decode() for word in reply]
    return tuple(map(Verdict, words[::2], words[1::2]))


def model_census(row: Any) -> ModelCensus:
    queued, running, workers, slots, typical = row
    return ModelCensus(queued, running, workers, slots, typical)


def submitted(id: str, reply: Any) -> Submitted:
    match reply:
        case b"accepted", task:
            return _task(id, task)
        case b"replayed", first, task:
            return Replay(first.decode(), maybe_task(first.decode(), task))
        case (b"key_reused",):
            return KeyReused()
        case _:
            return _refusal(reply)


def retried(id: str, reply: Any) -> Retry | Refusal:
    match reply:
        case b"absent", why:
            return Retry(missing(why), accepted=False)
        case (b"retried" | b"unmoved") as word, task:
            return Retry(_task(id, task), accepted=word == b"retried")
        case _:
            return _refusal(reply)


def _refusal(reply: Any) -> Refusal:
    full, queued, ms_per_claim = reply
    return Refusal(Full(full.decode()), queued, ms_per_claim)


def page(limit: int, rows: Any) -> Page:
    tasks = tuple(_task(id.decode(), task) for id, _, task in rows[:limit] if task)
    return Page(tasks, rows[limit - 1][1] if len(rows) > limit else None)


def maybe_task(id: str, reply: Any) -> Task | Missing:
    return _task(id, reply) if isinstance(reply, list) else missing(reply)


def missing(reply: bytes | None) -> Missing:
    return Missing.GONE if reply == b"gone" else Missing.UNKNOWN


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


def delivery(row: Any) -> Delivery:
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
