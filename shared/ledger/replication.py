"""Replication: what a client is promised counts as written once so many replicas have it, if that is asked for."""

import asyncio
from typing import Any

import redis.asyncio

from shared.ledger.calls import TASK
from shared.ledger.records import Replay, Retry
from shared.task import Task

MARK = "penstock:mark"  # written so that there is something to wait for: see Replicas
WITHIN_MS = 300  # below what an answer may take (shared.ledger.connection)


class TooFewReplicasError(Exception):
    """Not as many replicas as asked for have said in time that they have what was written."""


class Replicas:
    """Waits until `count` replicas have the tasks that were accepted; many wait at the cost of one.

    Replicas follow their primary in order. So it is enough that they have what is written afterwards, over whichever
    connection: a mark. That it follows the task is known if the task is there too, on the same server: another may have
    become the primary meanwhile. Who comes while a mark is waited for waits for the next.
    """

    def __init__(self, client: "redis.asyncio.Redis", count: int) -> None:
        self._client = client
        self._count = count
        self._ids: list[str] = []  # of the next round
        self._now: asyncio.Task[frozenset[str]] | None = None
        self._next: asyncio.Task[frozenset[str]] | None = None

    async def have(self, id: str) -> None:
        """Return once the replicas have a task that was written before this call.

        Raises:
            TooFewReplicasError: they have not said so within WITHIN_MS, or the primary has it no more.
            RedisError: as of any command.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._ask_after(self._now), name="replicas")
            self._next.add_done_callback(_forget)
        self._ids.append(id)
        if id not in await asyncio.shield(self._next):
            raise TooFewReplicasError(f"{id} is not on the server that is the primary now")

    async def close(self) -> None:
        """End whatever is under way."""
        under_way = [task for task in (self._now, self._next) if task is not None]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)

    async def _ask_after(self, before: "asyncio.Task[frozenset[str]] | None") -> frozenset[str]:
        if before is not None:
            await asyncio.wait([before])
        self._now, self._next = self._next, None
        ids, self._ids = self._ids, []
        _, *there, acknowledged = await self._ask(ids)
        if acknowledged < self._count:
            raise TooFewReplicasError(f"{acknowledged} of {self._count} replicas have it after {WITHIN_MS} ms")
        return frozenset(id for id, is_there in zip(ids, there, strict=True) if is_there)

    async def _ask(self, ids: list[str]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command("SET", MARK, "")
        for id in ids:
            pipeline.execute_command("EXISTS", f"{TASK}{id}")
        pipeline.execute_command("WAIT", self._count, WITHIN_MS)
        answers = await pipeline.execute(raise_on_error=False)  # it would put words before the server's
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


def promised(found: object) -> str | None:
    """Return the id of the task that a client is told 202 of, now that a step has answered with `found`."""
    match found:
        case Task(id=id) | Replay(task=Task(id=id)) | Retry(task=Task(id=id), accepted=True):
            return id
        case _:
            return None


def _forget(asking: "asyncio.Task[frozenset[str]]") -> None:
    """Take note of how it ended, which nobody may have waited for: asyncio would complain."""
    if not asking.cancelled():
        asking.exception()
