"""The same as over FastAPI, without it: the least that a request can cost under uvicorn in Python."""

import os
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import redis.asyncio

from bench.contenders.ceilings.store import read, write
from bench.work import WORKS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

server = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer POST /task/{work} (bare), POST /stored/{work} and GET /task/{id}."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    _, kind, name = scope["path"].split("/")
    if scope["method"] == "GET":
        await answer(send, 200, await read(server, name))
        return
    input = WORKS[name].input.model_validate_json(await body(receive))
    id = str(uuid4())
    if kind == "stored":
        await write(server, id, input)
    await answer(send, 202, b'{"task_id":"%b","status":"pending"}' % id.encode())


async def body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    content: bytes = b""
    while True:
        message = await receive()
        content += message["body"]
        if not message["more_body"]:
            return content


async def answer(send: Send, status: int, content: bytes) -> None:
    """Answer with JSON."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and stop when told to."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
