"""The clients: each submits one task, polls it until it is final, and perhaps cancels it. What they see is noted."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Iterator

import httpx2

from tests.faults.observations import Answer, Asked, Document, History, Task

PATIENCE_SECONDS = 3.0  # of a client that asked; an API may stand still
POLL_SECONDS = (0.04, 0.12)
AFTER_ERROR_SECONDS = 0.05
LAST_READS = 100
SUBMITS = 100
ACCEPTED, UNAVAILABLE = 202, 503
OPEN_AT_MOST = 60  # accepted tasks under way, above which the clients pause


class Load:
    """All clients of one run. `urls` are the APIs, by name."""

    def __init__(self, history: History, urls: dict[str, str], seed: int) -> None:
        self.history = history
        self.open: dict[str, Task] = {}  # accepted and not final, by id
        self._apis = {name: httpx2.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) for name, url in urls.items()}
        self._chance = random.Random(f"clients {seed}")
        self._clients: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()

    async def run(self, arrivals: Iterator[tuple[float, Asked]]) -> None:
        """Start a client for every arrival until `stop`."""
        for wait, asked in arrivals:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), wait)
            if self._enough.is_set():
                return
            if len(self.open) < OPEN_AT_MOST:
                self.begin(asked)

    def begin(self, asked: Asked) -> None:
        """Start the client of one task."""
        self._clients.append(asyncio.create_task(self._serve(asked)))

    def stop(self) -> None:
        """Let no more tasks come; those that did go on."""
        self._enough.set()

    async def settled(self, within: float) -> None:
        """Wait until every client is done; raise what went wrong in a client's own code."""
        done, _ = await asyncio.wait(self._clients, timeout=within) if self._clients else (set(), set())
        for client in done:
            client.result()

    async def close(self) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for http in self._apis.values():
            await http.aclose()

    async def look_again(self, task: Task) -> None:
        """Read a task once more, whatever became of it."""
        found = await self._ask("read", task.asked.token, "GET", f"/task/{task.id}")
        if found is not None and found[0] == 200:
            task.see(time.monotonic(), found[1])

    async def read_again(self, task: Task) -> None:
        """Read a task at the very end; try until there is an answer."""
        for _ in range(LAST_READS):
            found = await self._ask("read", task.asked.token, "GET", f"/task/{task.id}")
            if found is not None and found[0] in (200, 404):
                task.at_the_end = found[1]
                return
            await asyncio.sleep(AFTER_ERROR_SECONDS)

    async def get(self, path: str) -> Document:
        """Return a document of the service itself; empty if it cannot be had."""
        found = await self._ask("state", "", "GET", path)
        return found[1] if found and found[0] == 200 else {}

    async def _serve(self, asked: Asked) -> None:
        task = await self._submit(asked)
        if task is None:
            return
        self.history.tasks.append(task)
        self.open[task.id] = task
        canceling = self._soon(self._cancel(task)) if asked.cancel_after is not None else None
        await self._follow(task)
        if canceling:
            await canceling
        del self.open[task.id]

    def _soon(self, step: Awaitable[None]) -> asyncio.Task[None]:
        return asyncio.ensure_future(step)

    async def _submit(self, asked: Asked) -> Task | None:
        """Submit under a key; what got no answer, or a 503, is sent again: it must not become a second task."""
        body = {"token": asked.token, "seconds": asked.seconds, "reports": asked.reports, "behave": asked.behave}
        path = f"/task/{asked.model}?priority={asked.priority}"
        sent = time.monotonic()
        for _ in range(SUBMITS):
            found = await self._ask("submit", asked.token, "POST", path, body)
            if found is not None and found[0] == ACCEPTED:
                task = Task(asked, found[1]["task_id"], time.monotonic(), sent=sent)
                task.see(task.accepted, found[1])
                return task
            if found is not None and found[0] != UNAVAILABLE:
                return None
            await asyncio.sleep(AFTER_ERROR_SECONDS)
        return None

    async def _follow(self, task: Task) -> None:
        while task.final is None:
            await asyncio.sleep(self._chance.uniform(*POLL_SECONDS))
            found = await self._ask("read", task.asked.token, "GET", f"/task/{task.id}")
            if found is None or found[0] != 200:
                await asyncio.sleep(AFTER_ERROR_SECONDS)
            else:
                task.see(time.monotonic(), found[1])

    async def _cancel(self, task: Task) -> None:
        await asyncio.sleep(task.asked.cancel_after)
        found = await self._ask("cancel", task.asked.token, "POST", f"/task/{task.id}/cancel")
        task.cancels.append(found[0] if found else None)

    async def _ask(
        self, what: str, token: str, method: str, path: str, body: Document | None = None
    ) -> tuple[int, Document] | None:
        """Ask one API; None: it gave no answer."""
        api = self._chance.choice(list(self._apis))
        began = time.monotonic()
        try:
            headers = {"Idempotency-Key": f'"{token}"'} if method == "POST" and body else None
            answer = await self._apis[api].request(method, path, json=body, headers=headers)
        except httpx2.TransportError as error:
            self.history.answers.append(
                Answer(api, what, token, began, time.monotonic() - began, None, error=repr(error))
            )
            return None
        took, retry_after = time.monotonic() - began, answer.headers.get("retry-after")
        self.history.answers.append(Answer(api, what, token, began, took, answer.status_code, retry_after))
        return answer.status_code, answer.json()
