"""The FastAPI + Celery tutorial: defaults, results in Redis, `delay` to submit and `AsyncResult` to poll."""

import os
from typing import Any

from celery import Celery
from celery.result import AsyncResult

from bench.contenders.routes import serve
from bench.work import WORKS

URL = f"redis+socket://{os.environ['SOCKET']}?virtual_host=0"
celery = Celery("tutorial", broker=URL, backend=URL)
tasks = {name: celery.task(work.run, name=name) for name, work in WORKS.items()}


def submit(work: str, input: dict[str, Any]) -> str:
    """Queue a task; return its id."""
    return str(tasks[work].delay(input).id)


def read(id: str) -> dict[str, Any]:
    """Return what Celery says of a task."""
    found = AsyncResult(id, app=celery)
    return {"status": found.status, "result": found.result}


app = serve(submit, read)
