"""The budget of large calls: only so many bytes are under way to the ledger and back at the same time.

The ledger serves one call after the other, so more at once would gain nothing, and whoever asks for little would wait
behind all of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Turn = asyncio.Future[None]


class Budget:
    """Lets calls with `bytes` in all go at a time, in the order in which they came; one that has more goes alone."""

    def __init__(self, bytes: int, longest_wait_seconds: float) -> None:
        self._whole = self._left = bytes
        self._longest_wait_seconds = longest_wait_seconds
        self._waiting: deque[tuple[int, Turn]] = deque()

    @asynccontextmanager
    async def spent(self, bytes: int) -> AsyncIterator[None]:
        """Take so many bytes out of the budget meanwhile, as soon as it has them.

        Raises:
            TimeoutError: it did not have them in time.
        """
        bytes = min(bytes, self._whole)
        await self._take(bytes)
        try:
            yield
        finally:
            self._give_back(bytes)

    async def _take(self, bytes: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((bytes, turn))
        self._next()
        try:
            async with asyncio.timeout(self._longest_wait_seconds):
                await turn
        except BaseException:
            if turn.cancelled():
                self._next()  # it may have been in the way of one who asks for less
            else:  # its turn came at the very moment it gave up
                self._give_back(bytes)
            raise

    def _give_back(self, bytes: int) -> None:
        self._left += bytes
        self._next()

    def _next(self) -> None:
        while self._waiting:
            bytes, turn = self._waiting[0]
            if not turn.cancelled():
                if bytes > self._left:
                    return
                self._left -= bytes
                turn.set_result(None)
            self._waiting.popleft()
