"""A ledger that answers, fails and hangs to order, in place of Redis, and what the API's own ledger makes of it.

The real one, frozen, killed and full, is in tests/integration/api/test_away.py.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.ledger import LARGE_BYTES_AT_ONCE, BoundedLedger
from api.problems import Problem
from shared.ledger import calls
from shared.ledger.call import Call

READ: Call[None] = Call("read", (), lambda _: None)
LARGE: Call[None] = Call("large", (), lambda _: None, LARGE_BYTES_AT_ONCE)  # nothing large beside it
PROBE = calls.census([])
Answer = Callable[[], Awaitable[None]]


class Scripted:
    """A ledger whose calls and probes do what they are told."""

    def __init__(self) -> None:
        self.read: Answer = answers
        self.large: Answer = answers
        self.probe: Answer = answers
        self.asked: list[str] = []

    async def run(self, call: Call[Any]) -> None:
        self.asked.append(call.script)
        await {PROBE.script: self.probe, LARGE.script: self.large}.get(call.script, self.read)()

    async def close(self) -> None:
        self.asked.append("close")


async def answers() -> None:
    pass


async def fails() -> None:
    await asyncio.sleep(0)
    raise RedisConnectionError


async def is_too_slow() -> None:
    await asyncio.sleep(0)
    raise RedisTimeoutError


async def hangs() -> None:
    await asyncio.sleep(60)


def soon(seconds: float) -> Answer:
    async def answer() -> None:
        await asyncio.sleep(seconds)

    return answer


def play(scene: Callable[[], Coroutine[Any, Any, None]], ledger: BoundedLedger) -> None:
    async def closing() -> None:
        async with asyncio.timeout(10):
            try:
                await scene()
            finally:
                await ledger.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(closing())


async def refused(ledger: BoundedLedger, call: Call[None] = READ) -> float:
    """Ask, which must be refused; return how long that took."""
    before = time.monotonic()
    with pytest.raises(Problem) as found:
        await ledger.run(call)
    assert found.value.kind.status == 503
    assert found.value.headers == {"Retry-After": "1"}
    return time.monotonic() - before
