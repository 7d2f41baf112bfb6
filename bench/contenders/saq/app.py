"""Submit by `enqueue`, poll by `job`; the status is SAQ's own."""

import os
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from saq.queue.redis import RedisQueue

from bench.contenders.routes import serve_async
from bench.work import WORKS, Work

queue = RedisQueue(Redis.from_url(os.environ["REDIS_URL"]))


def function(work: Work) -> Callable[..., Any]:
    """Return the work as SAQ calls it: a plain function, which it runs in a thread."""
    return lambda _context, input: work.run(input)


# Ten jobs at once in each process, as it comes: tried with one and two, which drain slower and burn no faster.
settings = {
    "queue": queue,
    "functions": [(name, function(work)) for name, work in WORKS.items()],
}


async def submit(work: str, input: dict[str, Any]) -> str:
    """Queue a job; return its key."""
    job = await queue.enqueue(work, input=input, ttl=3600, retries=3)
    assert job is not None, work
    return str(job.key)


async def read(key: str) -> dict[str, Any]:
    """Return what SAQ says of a job."""
    job = await queue.job(key)
    assert job is not None, key
    return {"status": job.status.value, "result": job.result}


app = serve_async(submit, read)
