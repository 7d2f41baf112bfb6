"""Waiting for what must come, without holding up the event loop."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], T], *, within: float = math.inf, every: float = 0.02) -> T:
    """Return what `look` returns as soon as it is true, or what it returned last."""
    give_up = time.monotonic() + within
    while True:
        found = look()
        if found or time.monotonic() > give_up:
            return found
        await asyncio.sleep(every)
