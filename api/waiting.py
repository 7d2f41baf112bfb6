"""Waiting for a task: until it is final, or change by change."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.requests import Request

from api.changes import Changes, Told, Watch
from api.problems import Problem
from shared.task import Missing, Task

KEEPALIVE_SECONDS = 15.0
RECONNECT_MS = 1000
Read = Callable[[], Awaitable[Task | Missing]]
Render = Callable[[Task], tuple[bytes, str]]  # a document, and its tag


async def until_final(
    changes: Changes,
    request: Request,
    watch: Watch,
    read: Read,
    seconds: float,
    *,
    known: tuple[Task, Told] | None = None,
) -> Task | Missing:
    """Return the watched task once it is final, after `seconds`, or when it makes no sense to wait any longer.

    That is when the client has gone away, or this process is to end. `known` is the task as it was after a future of
    its end had been taken, if it is known.

    Raises:
        Problem: ledger-unavailable.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    async with _in_background(_disconnected(request)) as disconnected:
        while True:
            task, ended = known or await _taken(watch, read)
            known = None
            if isinstance(task, Missing) or task.is_final or changes.closing or disconnected.done():
                return task
            if (left := until - clock()) <= 0:
                return await read()  # its place in the queue may be another by now
            await asyncio.wait({ended, disconnected}, timeout=left, return_when=asyncio.FIRST_COMPLETED)


async def _taken(watch: Watch, read: Read) -> tuple[Task | Missing, Told]:
    ended = watch.ended  # taken before the reading: what changes after it is not missed
    return await watch.read(read), ended


async def stream(
    changes: Changes, id: str, read: Read, render: Render, seen: str | None
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a task: its document now, unless `seen` is its tag, and at every change; then the end.

    A queued task's place is looked at again with every sign of life, since nobody is told when it moves up.
    """
    async with changes.watching(id) as watch:
        while True:
            changed = watch.changed
            try:
                task = await watch.read(read)
            except Problem:
                break  # the client connects again, and gets the 503
            if isinstance(task, Missing):
                yield format_sse_event(event="gone", data_str="{}")
                return
            document, tag = render(task)
            if tag != seen:
                seen = tag
                yield format_sse_event(event="task", id=tag, data_str=document.decode())
            if task.is_final:
                yield format_sse_event(event="end", data_str="{}")
                return
            if changes.closing:
                break
            told, _ = await asyncio.wait({changed}, timeout=KEEPALIVE_SECONDS)
            if not told:
                yield KEEPALIVE_COMMENT
                watch.look_again()
    yield format_sse_event(retry=RECONNECT_MS, comment="come again")


async def _disconnected(request: Request) -> None:
    """Return when the client has gone away. Its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@contextlib.asynccontextmanager
async def _in_background(waiting: Coroutine[None, None, None]) -> AsyncGenerator["asyncio.Task[None]", None]:
    task = asyncio.create_task(waiting)
    try:
        yield task
    finally:
        task.cancel()
