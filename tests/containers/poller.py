"""A client that polls all the time, as one does who knows every API: if one does not answer, it asks the next."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx2

from tests.integration.client import Document

EVERY_SECONDS = 0.05


class Poller:
    """Polls in a thread of its own, as long as its `with` lasts."""

    def __init__(self, urls: Callable[[], list[str]], task_id: str) -> None:
        self.polls = 0
        self.unanswered: list[str] = []  # what each API said, for each poll that none answered
        self.document: Document | None = None
        self._urls = urls
        self._path = f"/task/{task_id}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def status(self) -> str:
        return self.document["status"] if self.document else ""

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self.polls += 1
            said: list[str] = []
            if not any(self._ask(url, said) for url in self._urls()):
                self.unanswered.append("; ".join(said))

    def _ask(self, url: str, said: list[str]) -> bool:
        try:
            answer = httpx2.get(url + self._path, timeout=5)
        except httpx2.TransportError as error:
            said.append(f"{url}: {error!r}")
            return False
        if answer.is_success:
            self.document = answer.json()
        else:
            said.append(f"{url}: {answer.status_code}")
        return answer.is_success
