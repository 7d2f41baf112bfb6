"""The same as someone runs it who has read on: late acknowledgement, prefetch 1, one look per poll, no leak."""

import os
from typing import Any

from celery import Celery
from celery.backends.redis import RedisBackend

from bench.contenders.routes import serve
from bench.work import WORKS

SOCKET = f"socket://{os.environ['SOCKET']}?virtual_host=0"


class QuietBackend(RedisBackend):  # type: ignore[misc]
    """Keeps results in Redis, and does not subscribe to each: nobody here waits inside the API process."""

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Do nothing, instead of a SUBSCRIBE that is never undone."""


celery = Celery(
    "tuned",
    broker=f"redis+{SOCKET}",
    backend=f"bench.contenders.celery.tuned:QuietBackend+{SOCKET}",
)
celery.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    result_backend_thread_safe=True,  # one backend for all of the API's threads
    broker_connection_retry_on_startup=True,
)
tasks = {name: celery.task(work.run, name=name) for name, work in WORKS.items()}


def submit(work: str, input: dict[str, Any]) -> str:
    """Queue a task; return its id."""
    return str(tasks[work].apply_async((input,), argsrepr="-", kwargsrepr="-").id)


def read(id: str) -> dict[str, Any]:
    """Return what Celery says of a task, by one GET."""
    found = celery.backend.get_task_meta(id)
    return {"status": found["status"], "result": found["result"]}


app = serve(submit, read)
