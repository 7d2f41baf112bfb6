"""One round trip to Redis for a submit, and one for a poll: what the ceilings have in common."""

from pydantic import BaseModel
from redis.asyncio import Redis

MESSAGE = b"x" * 600  # about as long as Celery's


async def write(server: Redis, id: str, input: BaseModel) -> None:
    """Store a task that could be worked on: a record, an index, a message, in one MULTI."""
    body = input.model_dump_json()
    async with server.pipeline(transaction=True) as pipe:
        pipe.set(f"task:{id}", f'{{"task_id":"{id}","status":"done","result":{body}}}')
        pipe.zadd("tasks", {id: 0})
        pipe.lpush("queue", MESSAGE)
        await pipe.execute()


async def read(server: Redis, id: str) -> bytes:
    """Return the task's document as it is stored, in one GET."""
    found = await server.get(f"task:{id}")
    assert isinstance(found, bytes), id
    return found
