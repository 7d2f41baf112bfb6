"""Looking a task up for a request: as it is now, with its result, or once it is final."""

from collections.abc import Awaitable
from dataclasses import replace
from functools import partial

from starlette.requests import Request

from api.changes import Changes, Told, Watch
from api.door import OWNER
from api.findings import known
from api.ledger import BoundedLedger
from api.readings import Readings
from api.waiting import until_final
from shared.ledger import calls
from shared.ledger.outlooks import Outlooks
from shared.task import Missing, Task


class Lookup:
    """Finds tasks: one by itself for who asks, many at a time for everyone who waits."""

    def __init__(self, ledger: BoundedLedger, changes: Changes, retention_ms: int, outlooks: Outlooks) -> None:
        self._ledger = ledger
        self._changes = changes
        self._retention_ms = retention_ms
        self._outlooks = outlooks
        self._readings = Readings(ledger, retention_ms, outlooks)

    def read(self, id: str, owner: str) -> Awaitable[Task | Missing]:
        """Return the task as it is now, perhaps without its result."""
        return self._ledger.run(calls.read(id, owner, self._retention_ms, self._outlooks))

    async def read_whole(self, id: str, owner: str) -> Task | Missing:
        """Return the task as it is now or later, with its result; it is read together with what others wait for."""
        found = await self._readings.get(id, owner)
        return found if isinstance(found, Missing) else await self.whole(found)

    async def whole(self, task: Task) -> Task:
        """Return `task` with the result that was left out, if it was.

        Raises:
            Problem: ledger-unavailable; or task-gone, since a moment ago.
        """
        if not task.left_out:
            return task
        result = await self._ledger.run(calls.result(task))
        return known(task.id, Missing.GONE if result is None else replace(task, result=result, left_out=0))

    async def until_final(
        self, task: Task, request: Request, seconds: float, watched: tuple[Watch, Told] | None = None
    ) -> Task:
        """Return the task once it is final, or as it is after `seconds`.

        `watched` has a future of its end that was taken before `task` was read.
        """
        if task.is_final:
            return task
        read = partial(self._readings.get, task.id, request.scope[OWNER])
        if watched is not None:
            watch, ended = watched
            later = await until_final(self._changes, request, watch, read, seconds, known=(task, ended))
        else:
            async with self._changes.watching(task.id) as watch:
                later = await until_final(self._changes, request, watch, read, seconds)
        return known(task.id, later)
