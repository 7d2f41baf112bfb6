"""Reading tasks for everyone who waits: what is asked for at about the same time is read in one step of the ledger.

When thousands of tasks end at once, a call for each would take all connections and longer than a call may: some of
those who wait would be told that the ledger is away. So there is one call at a time, and the first who asked are
answered while the next are read.
"""

import asyncio
from collections import deque

from api.ledger import BoundedLedger
from shared.ledger import calls
from shared.ledger.outlooks import Outlooks
from shared.task import Missing, Task

AT_ONCE = 50  # a few milliseconds of the server's time
Reading = asyncio.Future[Task | Missing]


class Readings:
    """Reads tasks, many at a time."""

    def __init__(self, ledger: BoundedLedger, retention_ms: int, outlooks: Outlooks) -> None:
        self._ledger = ledger
        self._retention_ms = retention_ms
        self._outlooks = outlooks
        self._asked: deque[tuple[str, str, Reading]] = deque()
        self._reader: asyncio.Task[None] | None = None

    def get(self, id: str, owner: str) -> Reading:
        """Return what will be the task as it is now or later; or a Problem, that the ledger is unavailable."""
        reading: Reading = asyncio.get_running_loop().create_future()
        self._asked.append((id, owner, reading))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_all(), name="readings")
        return reading

    async def _read_all(self) -> None:
        try:
            while self._asked:
                await self._read_some()
        finally:
            self._reader = None

    async def _read_some(self) -> None:
        some = [self._asked.popleft() for _ in range(min(AT_ONCE, len(self._asked)))]
        try:
            call = calls.read_each([(id, owner) for id, owner, _ in some], self._retention_ms, self._outlooks)
            tasks = await self._ledger.run(call)
        except Exception as error:  # noqa: BLE001 (it is theirs who asked)
            for _, _, reading in some:
                if not reading.done():
                    reading.set_exception(error)
            return
        for (_, _, reading), task in zip(some, tasks, strict=False):
            if not reading.done():
                reading.set_result(task)
        self._asked.extendleft(reversed(some[len(tasks) :]))
