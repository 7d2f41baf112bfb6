"""The probe: while the ledger is away, asks it in the background until it answers, so that no request has to."""

import asyncio
import logging
from contextvars import Context
from typing import Protocol

from redis.exceptions import RedisError

from api.breaker import CannotReach
from shared.ledger import calls
from shared.ledger.connection import AsyncLedger

log = logging.getLogger(__name__)

FIRST_SECONDS = 0.1  # requests wait for the first look
LOOK_SECONDS = 0.8  # above what a connect and an answer may take (shared.ledger.connection)
PAUSE_SECONDS = 0.1


class Tell(Protocol):
    """Who wants to know what each look found."""

    def __call__(self, *, answered: bool) -> None:
        """Take note."""


class Probe:
    """At most one task that looks whether `ledger` answers: at once, then again and again until it does."""

    def __init__(self, ledger: AsyncLedger, tell: Tell) -> None:
        self._ledger = ledger
        self._tell = tell
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look. The one before, if any, has told that the ledger answers, and has nothing left to do."""
        self._looked.clear()
        # In a context of its own: it looks for everyone, not for the request that found the ledger away.
        self._task = asyncio.create_task(self._look_until_it_answers(), context=Context())

    async def first_look(self) -> None:
        """Return once the ledger was looked at since the start, which takes FIRST_SECONDS at most."""
        await self._looked.wait()

    async def stop(self) -> None:
        """End whatever is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _look_until_it_answers(self) -> None:
        answered = await self._look(within=FIRST_SECONDS)
        self._tell(answered=answered)
        self._looked.set()
        while not answered:
            answered = await self._look(within=LOOK_SECONDS)
            self._tell(answered=answered)
            if not answered:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self, *, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                await self._ledger.run(calls.census([]))  # reads nothing
        except CannotReach:
            return False
        except RedisError:
            return True  # whatever it refuses, it answers
        except Exception:  # nobody but this task closes the breaker, so it must not end by a defect
            log.exception("the probe failed")
            return False
        return True
