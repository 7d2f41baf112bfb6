"""The least that FastAPI does for a submit and a poll, with and without one round trip to Redis."""

import os
from typing import Any
from uuid import uuid4

import redis.asyncio
from fastapi import FastAPI, Response
from pydantic import BaseModel

from bench.contenders.ceilings.store import read, write
from bench.work import WORKS

app = FastAPI()
server = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


def add(work: str, model: type[BaseModel]) -> None:
    """Add the two submits of one kind of work."""

    @app.post(f"/task/{work}", status_code=202)
    async def bare(_input: model) -> dict[str, Any]:  # type: ignore[valid-type]
        return {"task_id": str(uuid4()), "status": "pending"}

    @app.post(f"/stored/{work}", status_code=202)
    async def stored(input: model) -> dict[str, Any]:  # type: ignore[valid-type]
        id = str(uuid4())
        await write(server, id, input)
        return {"task_id": id, "status": "pending"}


for name, each in WORKS.items():
    add(name, each.input)


@app.get("/task/{task_id}")
async def look(task_id: str) -> Response:
    """Answer with the document as it is stored."""
    return Response(await read(server, task_id), media_type="application/json")
