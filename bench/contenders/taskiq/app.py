"""Submit by `kiq`, poll by the result; a task without a result is pending."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker
from taskiq_redis.exceptions import ResultIsMissingError

from bench.contenders.routes import serve_async
from bench.work import WORKS

URL = os.environ["REDIS_URL"]
results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(URL, result_ex_time=3600, serializer=JSONSerializer())
# redis-py's 5 s are over when a worker goes on that was stopped meanwhile, as the benchmark does with all of them.
broker = RedisStreamBroker(URL, socket_timeout=120).with_result_backend(results)
tasks = {name: broker.register_task(work.run, task_name=name) for name, work in WORKS.items()}


async def submit(work: str, input: dict[str, Any]) -> str:
    """Queue a task; return its id."""
    return str((await tasks[work].kiq(input)).task_id)


async def read(id: str) -> dict[str, Any]:
    """Return the result if there is one, in one round trip rather than `is_ready` and then `get_result`."""
    try:
        found = await results.get_result(id)
    except ResultIsMissingError:
        return {"status": "pending", "result": None}
    return {"status": "failed" if found.is_err else "done", "result": found.return_value}


@asynccontextmanager
async def connected(_: FastAPI) -> AsyncIterator[None]:
    """Connect the broker while the API serves."""
    await broker.startup()
    yield
    await broker.shutdown()


app = serve_async(submit, read, lifespan=connected)
