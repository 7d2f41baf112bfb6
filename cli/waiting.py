"""Waiting for a task: ask, pause as long as the API says, outlast its absence, until the task is finished."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cli.client import Client, Document, Reply, UnavailableError
from shared.supervision.restart import backoff
from shared.task import FINAL, Status

SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0
PAUSE_SECONDS = 1.0  # when the API names none
LONGEST_BACKOFF_SECONDS = 10.0
SUCCEEDED, UNSUCCESSFUL, TIMED_OUT = 0, 1, 3  # exit codes


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended: the latest document (None if the API never answered) and whether the time ran out."""

    document: Document | None
    timed_out: bool


def wait(client: Client, task_id: str, *, timeout: float | None, show: Callable[[Document], None]) -> Waited:
    """Poll a task until it is finished, for at most `timeout` seconds (None: however long it takes).

    Every document on the way is handed to `show`. An API that is away or answers 503 is asked again: the task is not
    lost because the API restarts.

    Raises:
        ClientError: the API refused: there is no such task (any more), ...
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    document: Document | None = None
    failures = 0
    while True:
        try:
            reply = client.get(task_id)
        except UnavailableError as error:
            failures += 1
            pause = pause_after_failure(error.retry_after, failures)
        else:
            failures, document = 0, reply.document
            show(document)
            if is_final(document):
                return Waited(document, timed_out=False)
            pause = pause_after(reply)
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return Waited(document, timed_out=True)
        time.sleep(pause if left is None else min(pause, left))


def pause_after(reply: Reply) -> float:
    """Return how long to pause after an answer: what it asks for, within reason."""
    asked = PAUSE_SECONDS if reply.retry_after is None else reply.retry_after
    return min(max(asked, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def pause_after_failure(retry_after: float | None, failures: int) -> float:
    """Return how long to pause after so many failures in a row: longer each time, and no less than asked for."""
    return max(backoff(failures, longest=LONGEST_BACKOFF_SECONDS), min(retry_after or 0.0, LONGEST_PAUSE_SECONDS))


def is_final(document: Document) -> bool:
    """Tell whether the task is finished."""
    return document["status"] in FINAL


def exit_code(waited: Waited) -> int:
    """Return 0 for a task that succeeded, 1 for one that failed or was canceled, 3 when the time ran out."""
    if waited.timed_out or waited.document is None:
        return TIMED_OUT
    return SUCCEEDED if waited.document["status"] == Status.SUCCEEDED else UNSUCCESSFUL
