"""Answering with a task's document: its headers, and whether the client has it already."""

import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.conditions import NO_STORE, cache_control, etag, is_known
from api.document import around_result, render_parts
from api.eta import retry_after
from api.preferences import applied
from shared.task import Task

Headers = Mapping[bytes, bytes]
Complete = Callable[[Task], Awaitable[Task]]  # brings the result that was left out, if it was
CONTENT_TYPE = (b"content-type", b"application/json")
VARY = b"Authorization, X-API-Key, Prefer"  # what a document depends on beside its path


class Answer(Response):
    """An answer whose headers are bytes already: Starlette's own would encode each of them, for each request."""

    def __init__(self, status: int, headers: Headers, body: tuple[bytes, ...] = ()) -> None:
        self.status_code = status
        self.raw_headers = list(headers.items())
        self._body = body
        if body:
            self.raw_headers += [(b"content-length", b"%d" % sum(map(len, body))), CONTENT_TYPE]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (as ASGI has it)
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        *parts, last = self._body or (b"",)
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": last})


def answer(task: Task, headers: Headers, *, status: int = 200) -> Answer:
    """Return the document of `task` as the answer to what was done to it, with when to ask again."""
    return Answer(status, {b"cache-control": NO_STORE.encode(), **ask_again(task), **headers}, render_parts(task))


async def conditional(task: Task, headers: Headers, request: Request, whole: Complete) -> Answer:
    """Return the document of `task`, or that the client has it already; only if not, its result is worth reading."""
    around = around_result(task)
    tag = etag(around)
    all_headers = {
        b"cache-control": cache_control(task, time.time_ns() // 1_000_000).encode(),
        b"etag": tag.encode(),
        b"vary": VARY,
        **ask_again(task),
        **headers,
    }
    if is_known(request.headers.getlist("if-none-match"), tag):
        return Answer(304, all_headers)
    return Answer(200, all_headers, render_parts(await whole(task), around))


def waited(seconds: float) -> dict[bytes, bytes]:
    """Return the headers of an answer to a request that was let wait."""
    return {b"preference-applied": applied(seconds).encode(), b"vary": VARY}


def ask_again(task: Task) -> Headers:
    """Return the header that says when to ask again; none once the task is final."""
    seconds = retry_after(task)
    return {} if seconds is None else {b"retry-after": b"%d" % seconds}
