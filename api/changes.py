"""Hearing of changes: who waits for a task is told when it is worth reading again.

One subscription to Redis for a whole process, however many wait, and none while nobody does. Redis forgets what it
published to a connection that was broken, so whenever the subscription begins everyone is told to look.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger.connection import AsyncLedger
from shared.task import FINAL, Missing, Task

CHANNEL = b"penstock:task:"
ENDINGS = frozenset({*(status.value.encode() for status in FINAL), b"forgotten"})
SILENCE_SECONDS = 5.0  # then the server is asked whether it is there; it must say so within as long again
LINGER_SECONDS = 5.0  # how long the subscription outlives the last who waited
PAUSE_SECONDS = 0.2
log = logging.getLogger(__name__)
Told = asyncio.Future[None]


def _untold() -> Told:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Watch:
    """One task that somebody waits for. Take a future before reading the task: the next change sets it.

    Many wait for the same one, so wait with asyncio.wait, which leaves it alone when one of them gives up.
    """

    watchers: int = 0
    changed: Told = field(default_factory=_untold)
    ended: Told = field(default_factory=_untold)
    _reading: "asyncio.Future[Task | Missing] | None" = None

    def tell(self, *, ended: bool) -> None:
        """Set the futures of everyone who has taken them, and have the task read anew."""
        self._reading = None
        self.changed.set_result(None)
        self.changed = _untold()
        if ended:
            self.ended.set_result(None)
            self.ended = _untold()

    async def read(self, read: Callable[[], Awaitable[Task | Missing]]) -> Task | Missing:
        """Return the task as it has read since the last change: all who wait for it share one reading."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(read())
            self._reading.add_done_callback(self._drop_failure)
        return await asyncio.shield(self._reading)

    def look_again(self) -> None:
        """Have the task read anew, though nothing was told of it."""
        self._reading = None

    def _drop_failure(self, reading: "asyncio.Future[Task | Missing]") -> None:
        if (reading.cancelled() or reading.exception() is not None) and self._reading is reading:
            self._reading = None


class Changes:
    """Passes on what Redis publishes of tasks."""

    def __init__(self, ledger: AsyncLedger) -> None:
        self._client = ledger.client
        self._watches: dict[bytes, Watch] = {}
        self._listener: asyncio.Task[None] | None = None
        self.closing = False

    @asynccontextmanager
    async def watching(self, id: str) -> AsyncGenerator[Watch, None]:
        """Have the changes of one task told for the time of the block."""
        key = id.encode()
        watch = self._watches.setdefault(key, Watch())
        watch.watchers += 1
        if self._listener is None or self._listener.done():
            # In a context of its own: what it logs is not of the request that happened to be the first to wait.
            self._listener = asyncio.create_task(self._listen(), name="changes", context=Context())
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                del self._watches[key]

    def leave(self) -> None:
        """Let nobody wait any more: the process is to end."""
        self.closing = True
        self._tell_everyone()

    async def stop(self) -> None:
        """End the subscription."""
        self.leave()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    async def _listen(self) -> None:
        while self._watches:
            try:
                async with self._client.pubsub() as pubsub:
                    await pubsub.psubscribe(CHANNEL + b"*")
                    await self._hear(pubsub)
            except (RedisError, OSError, RuntimeError) as error:  # RuntimeError: see AsyncLedger
                log.warning("not subscribed to changes: %s: %s", type(error).__name__, error)
                self._tell_everyone()  # they find out whether the ledger is away
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self, pubsub: PubSub) -> None:
        clock = asyncio.get_running_loop().time
        asked, wanted = False, clock()
        while clock() < wanted + LINGER_SECONDS:
            message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if self._watches:
                wanted = clock()
            if message is not None:
                asked = False
                self._pass_on(message)
            elif asked:
                raise RedisTimeoutError("no answer to a PING")
            else:
                asked = True
                await pubsub.ping()

    def _pass_on(self, message: dict[str, Any]) -> None:
        if message["type"] == "psubscribe":  # for the first time, or silently anew after the connection was cut
            self._tell_everyone()
        elif message["type"] == "pmessage":
            watch = self._watches.get(message["channel"].removeprefix(CHANNEL))
            if watch is not None:
                watch.tell(ended=message["data"] in ENDINGS)

    def _tell_everyone(self) -> None:
        for watch in self._watches.values():
            watch.tell(ended=True)
