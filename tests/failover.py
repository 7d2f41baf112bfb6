"""Clients that go on while the primary changes, and what came of each task that they were promised."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.integration.nodes import WorkerProcess
from tests.waiting import eventually

PACE_SECONDS = 0.1
FINAL = ("succeeded", "failed", "canceled")
END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every promise counted once."""

    accepted: int
    finished: int
    lost: int  # answered 202, and unknown afterwards
    wrong: int  # ended otherwise than its input demands
    doubled: int  # published by more than one attempt, as the workers tell it
    refused: int  # 503 with Retry-After


@dataclass
class Load:
    """Submits ten tasks a second, and looks at one that it has submitted, until it is told to stop."""

    url: str
    accepted: dict[str, str] = field(default_factory=dict)  # id -> the text it must give back
    refused: int = 0
    odd: list[str] = field(default_factory=list)  # answers that there must not be
    slowest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask nothing more."""
        self._stop.set()
        self._thread.join()

    def more(self, count: int = 20) -> None:
        """Return when so many more have been accepted."""
        before = len(self.accepted)
        eventually(lambda: len(self.accepted) >= before + count, within=60)

    def _run(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=5, trust_env=False) as http:
            n = 0
            while not self._stop.wait(PACE_SECONDS):
                n += 1
                began = time.monotonic()
                try:
                    self._submit(http, f"text-{n}")
                    self._look(http)
                except httpx2.HTTPError as error:
                    self.odd.append(repr(error))
                self.slowest = max(self.slowest, time.monotonic() - began)

    def _submit(self, http: httpx2.Client, text: str) -> None:
        answer = http.post("/task/echo", json={"text": text})
        if answer.status_code == 202:
            self.accepted[answer.json()["task_id"]] = text
        elif answer.status_code == 503 and "retry-after" in answer.headers:
            self.refused += 1
        else:
            self.odd.append(f"submit: {answer.status_code} {answer.text}")

    def _look(self, http: httpx2.Client) -> None:
        if not self.accepted:
            return
        answer = http.get(f"/task/{next(reversed(self.accepted))}")
        if answer.status_code not in (200, 404, 503):
            self.odd.append(f"look: {answer.status_code} {answer.text}")

    def outcome(self, http: httpx2.Client, workers: Iterable[WorkerProcess]) -> Outcome:
        """Wait until every task that is known is final, and count."""
        final = {id: ending(http, id) for id in self.accepted}
        known = {id: document for id, document in final.items() if document is not None}
        right = [id for id, document in known.items() if document["result"] == {"text": self.accepted[id]}]
        published = Counter(
            event["task_id"]
            for worker in workers
            for event in worker.events()
            if event["event"] == "finished" and event["accepted"] and event["task_id"] in final
        )
        return Outcome(
            accepted=len(final),
            finished=len(known),
            lost=len(final) - len(known),
            wrong=len(known) - len(right),
            doubled=sum(count > 1 for count in published.values()),
            refused=self.refused,
        )


def ending(http: httpx2.Client, id: str) -> dict[str, Any] | None:
    """Return a task's last document; None if there is no such task any more."""

    def look() -> httpx2.Response | None:
        answer = http.get(f"/task/{id}")
        is_over = answer.status_code == 404 or (answer.status_code == 200 and answer.json()["status"] in FINAL)
        return answer if is_over else None

    answer = eventually(look, within=END_SECONDS)
    assert answer is not None
    document: dict[str, Any] | None = None if answer.status_code == 404 else answer.json()
    return document
