"""The HTTP side that the peers on FastAPI share: three submits that validate, and one GET. Each brings the queue."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from bench.work import WORKS

Found = dict[str, Any]


def serve_async(
    submit: Callable[[str, Found], Awaitable[str]], read: Callable[[str], Awaitable[Found]], **options: Any
) -> FastAPI:
    """Return the app of a queue with an asyncio client."""
    app = FastAPI(**options)

    def add(work: str, model: type[BaseModel]) -> None:
        @app.post(f"/task/{work}", status_code=202)
        async def accept(input: model) -> Found:  # type: ignore[valid-type]
            return {"task_id": await submit(work, input.model_dump(mode="json"))}  # type: ignore[attr-defined]

    for name, work in WORKS.items():
        add(name, work.input)

    @app.get("/task/{task_id}")
    async def look(task_id: str) -> Found:
        return {"task_id": task_id, **await read(task_id)}

    return app


def serve(submit: Callable[[str, Found], str], read: Callable[[str], Found], **options: Any) -> FastAPI:
    """Return the app of a queue with a blocking client, which FastAPI calls in its threads."""
    app = FastAPI(**options)

    def add(work: str, model: type[BaseModel]) -> None:
        @app.post(f"/task/{work}", status_code=202)
        def accept(input: model) -> Found:  # type: ignore[valid-type]
            return {"task_id": submit(work, input.model_dump(mode="json"))}  # type: ignore[attr-defined]

    for name, work in WORKS.items():
        add(name, work.input)

    @app.get("/task/{task_id}")
    def look(task_id: str) -> Found:
        return {"task_id": task_id, **read(task_id)}

    return app
