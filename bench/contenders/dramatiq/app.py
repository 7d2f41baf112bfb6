"""Submit by `send`, poll by its result; Dramatiq keeps no status, so a task without a result is pending."""

import os
from typing import Any

import dramatiq
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from dramatiq.results.errors import ResultMissing

from bench.contenders.routes import serve
from bench.work import WORKS

results = RedisBackend(url=os.environ["REDIS_URL"])
broker = RedisBroker(url=os.environ["REDIS_URL"])
broker.add_middleware(Results(backend=results, store_results=True, result_ttl=3_600_000))
dramatiq.set_broker(broker)
actors = {name: dramatiq.actor(work.run, actor_name=name, max_retries=0) for name, work in WORKS.items()}


def submit(work: str, input: dict[str, Any]) -> str:
    """Queue a message; return its id, with the actor's name, which a result's key is made from."""
    return f"{work}.{actors[work].send(input).message_id}"


def read(id: str) -> dict[str, Any]:
    """Return the result if there is one."""
    work, _, message_id = id.partition(".")
    message: Message[Any] = Message(
        queue_name="default", actor_name=work, args=(), kwargs={}, options={}, message_id=message_id
    )
    try:
        return {"status": "done", "result": message.get_result(backend=results)}
    except ResultMissing:
        return {"status": "pending", "result": None}


app = serve(submit, read)
