"""Submit by `enqueue`, poll by `Job.fetch`; the status is RQ's own."""

import os
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job

from bench.contenders.routes import serve
from bench.work import WORKS

connection = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue(connection=connection)


def submit(work: str, input: dict[str, Any]) -> str:
    """Queue a job; return its id."""
    return str(queue.enqueue(WORKS[work].run, input, result_ttl=3600).id)


def read(id: str) -> dict[str, Any]:
    """Return what RQ says of a job; its result is a second look."""
    job = Job.fetch(id, connection=connection)
    status = str(job.get_status(refresh=False).value)
    return {"status": status, "result": job.return_value() if status == "finished" else None}


app = serve(submit, read)
