"""How Redis's answers to the ledger's steps read: for each script, from its reply to a record. Pure."""

from collections.abc import Iterator
from typing import Any

from shared.ledger.outlooks import Outlooks
from shared.ledger.records import (
    ChildMemory,
    Claim,
    Delivery,
    Finished,
    Full,
    KeyReused,
    ModelCensus,
    Page,
    Refusal,
    Replay,
    Retry,
    Submitted,
    Verdict,
    Won,
)
from shared.ledger.scripts import FIELDS
from shared.task import (
    Callback,
    DeliveryState,
    ErrorCode,
    Missing,
    Outlook,
    Progress,
    QueueView,
    Status,
    Task,
    TaskError,
)


def won(reply: Any, nonce: str = "") -> Won:
    match reply:
        case b"claimed", model, *rows:
            name = model.decode()
            return Won(tuple(_claim(name, row, nonce) for row in rows))
        case b"wait", ms:
            return Won(wait_ms=ms)
        case _:
            return Won()


def _claim(model: str, row: Any, nonce: str) -> Claim:
    id, token, input, limit_ms, waited_ms, request, trace = row
    return Claim(id.decode(), token, model, input, limit_ms, waited_ms, request.decode(), trace.decode(), nonce)


def finished(reply: Any, nonce: str = "") -> Finished:
    accepted, next = reply
    return Finished(tuple(map(bool, accepted)), won(next, nonce))


def verdicts(reply: Any) -> tuple[Verdict, ...]:
    return tuple(Verdict(id.decode(), word.decode(), attempt, request.decode()) for id, word, attempt, request in reply)


def model_census(row: Any) -> ModelCensus:
    queued, running, workers, slots, run_ms, memory, batch = row
    return ModelCensus(queued, running, workers, slots, _float(run_ms), tuple(_memory(memory)), _float(batch))


def _memory(workers: list[bytes | None]) -> Iterator[ChildMemory]:
    """Read what each worker has said of its children: `<pss>:<private>`, separated by spaces."""
    for children in workers:
        for child in (children or b"").split():
            pss, _, private = child.partition(b":")
            yield ChildMemory(int(pss), int(private))


def submitted(id: str, reply: Any, outlooks: Outlooks) -> Submitted:
    match reply:
        case b"accepted", task:
            return _task(id, task, outlooks)
        case b"replayed", first, task:
            return Replay(first.decode(), maybe_task(first.decode(), task, outlooks))
        case (b"key_reused",):
            return KeyReused()
        case _:
            return _refusal(reply)


def retried(id: str, reply: Any, outlooks: Outlooks) -> Retry | Refusal:
    match reply:
        case b"absent", why:
            return Retry(missing(why), accepted=False)
        case (b"retried" | b"unmoved") as word, task:
            return Retry(_task(id, task, outlooks), accepted=word == b"retried")
        case _:
            return _refusal(reply)


def _refusal(reply: Any) -> Refusal:
    full, queued, ms_per_claim = reply
    return Refusal(Full(full.decode()), queued, ms_per_claim)


def page(limit: int, rows: Any, outlooks: Outlooks) -> Page:
    tasks = tuple(_task(id.decode(), task, outlooks) for id, _, task in rows[:limit] if task)
    return Page(tasks, rows[limit - 1][1] if len(rows) > limit else None)


def maybe_task(id: str, reply: Any, outlooks: Outlooks) -> Task | Missing:
    return _task(id, reply, outlooks) if isinstance(reply, list) else missing(reply)


def missing(reply: bytes | None) -> Missing:
    return Missing.GONE if reply == b"gone" else Missing.UNKNOWN


def _task(id: str, reply: Any, outlooks: Outlooks) -> Task:
    values, queue, *callback = reply
    field = dict(zip(FIELDS, values, strict=False))  # in a list there is no result, which is the last
    model, result = field["model"].decode(), field.get("result")
    return Task(
        id=id,
        model=model,
        status=Status(field["status"].decode()),
        created_ms=int(field["created"]),
        started_ms=_int(field["started"]),
        finished_ms=_int(field["finished"]),
        expires_ms=_int(field["expires"]),
        attempt=int(field["attempt"] or 0),
        lost=int(field["lost"] or 0),
        progress=_progress(field["fraction"], field["note"]),
        result=None if isinstance(result, int) else result,
        left_out=result if isinstance(result, int) else 0,
        error=_error(field["error_code"], field["error_message"]),
        queue=_queue(model, queue, outlooks),
        batch=_int(field["batch"]),
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


def _float(value: bytes | None) -> float | None:
    return None if value is None else float(value)


def _int(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _progress(fraction: bytes | None, note: bytes | None) -> Progress | None:
    if not fraction and not note:
        return None
    return Progress(float(fraction) if fraction else None, note.decode() if note else None)


def _error(code: bytes | None, message: bytes | None) -> TaskError | None:
    return None if code is None else TaskError(ErrorCode(code.decode()), (message or b"").decode())


def _queue(model: str, row: Any, outlooks: Outlooks) -> QueueView | None:
    if not row:
        return None
    position, outlook = row
    return QueueView(position, outlooks.known(model) if outlook is None else outlooks.learn(model, _outlook(outlook)))


def _outlook(row: Any) -> Outlook:
    slots, workers, run_ms, elapsed_ms, others = row
    return Outlook(slots, workers, tuple(map(float, run_ms)), tuple(elapsed_ms), others)
