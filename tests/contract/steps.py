"""The ledger's steps in few words, for its tests."""

import json
from typing import Any
from uuid import uuid4

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import (
    Admission,
    Asking,
    Claim,
    Ended,
    Finished,
    Retry,
    Submission,
    Submitted,
    Wanted,
    Won,
)
from shared.queue import list_key
from shared.task import PRIORITIES, ErrorCode, Status, Task, TaskError

KEPT_MS = 60_000
LEASE_MS = 60_000
FOUR = (Wanted("wait", 4),)  # up to so many together
ONE = (Wanted("wait"),)
EVERYTHING = Admission(max_queued=10_000, max_queued_of_owner=None)


def try_to_submit(
    ledger: Ledger,
    id: str = "",
    model: str = "wait",
    input: bytes = b"{}",
    admission: Admission = EVERYTHING,
    **more: Any,
) -> Submitted:
    """Submit a task; `more` are the optional fields of a Submission."""
    return ledger.run(calls.submit(Submission(id or str(uuid4()), model, input, **more), admission, KEPT_MS))


def submit(ledger: Ledger, id: str = "", model: str = "wait", input: bytes = b"{}", **more: Any) -> str:
    task = try_to_submit(ledger, id, model, input, **more)
    assert isinstance(task, Task)
    return task.id


def win(ledger: Ledger, id: str = "", lease_ms: int = LEASE_MS, nonce: str = "", **more: Any) -> Won:
    """Ask to claim; `more` are the optional fields of an Asking."""
    return ledger.run(calls.claim(id, Asking("worker", nonce or str(uuid4()), lease_ms, **more), KEPT_MS))


def try_to_claim(
    ledger: Ledger, id: str, lease_ms: int = LEASE_MS, nonce: str = "", *, again: bool = False
) -> Claim | None:
    """Claim this very task, which needs no company."""
    claims = win(ledger, id, lease_ms, nonce, again=again).claims
    assert len(claims) <= 1
    return claims[0] if claims else None


def claim(ledger: Ledger, id: str, lease_ms: int = LEASE_MS, nonce: str = "", *, again: bool = False) -> Claim:
    won = try_to_claim(ledger, id, lease_ms, nonce, again=again)
    assert won is not None
    return won


def proceed(ledger: Ledger, claims: tuple[Claim, ...], nonce: str, *, again: bool = False) -> Finished:
    """End claims with a result each, and ask for what comes next."""
    ended = [Ended(claim.id, claim.token, b"1") for claim in claims]
    return ledger.run(calls.proceed(ended, Asking("worker", nonce, LEASE_MS, FOUR, again=again), KEPT_MS))


def ids(claims: tuple[Claim, ...]) -> list[str]:
    return [claim.id for claim in claims]


def release(ledger: Ledger, nonce: str, model: str = "wait") -> tuple[str, ...]:
    """Give back what a request to claim has won."""
    return ledger.run(calls.release([nonce], [model]))


def abandon(ledger: Ledger, nonce: str, max_attempts: int = 3, model: str = "wait") -> dict[str, str]:
    """Take back what a child that is dead had won."""
    verdicts = ledger.run(calls.abandon([nonce], [model], max_attempts, KEPT_MS))
    return {verdict.id: verdict.outcome for verdict in verdicts}


def read(ledger: Ledger, id: str, owner: str = "") -> Task:
    task = ledger.run(calls.read(id, owner, KEPT_MS))
    assert isinstance(task, Task)
    return task


def reap(ledger: Ledger, max_attempts: int = 3, sighting_ms: int = 0, missing_ms: int = 0) -> dict[str, str]:
    """Reap twice: the first sighting is only written down."""
    verdicts = []
    for _ in range(2):
        verdicts += ledger.run(calls.reap(max_attempts, KEPT_MS, sighting_ms, missing_ms))
    return {verdict.id: verdict.outcome for verdict in verdicts}


def messages(ledger: Ledger, model: str = "wait") -> list[str]:
    """The ids in Celery's queue, the next to be popped first."""
    lists = (ledger.client.lrange(list_key(model, priority), 0, -1) for priority in reversed(PRIORITIES))
    return [json.loads(text)["headers"]["id"] for texts in lists for text in reversed(texts)]


def hinted(ledger: Ledger, model: str = "wait") -> list[str]:
    """The ids of the queued tasks that a message leads to, the next to be popped first.

    What a worker leaves behind may be more than one message for a task, and leads nowhere then: when it stops, Celery's
    consumer puts back what it has handed to a child and not yet heard of, and the child puts it back too.
    """
    return [id for id in dict.fromkeys(messages(ledger, model)) if read(ledger, id).status is Status.QUEUED]


def fail(ledger: Ledger, id: str) -> None:
    """Claim a task and let it fail."""
    error = TaskError(ErrorCode.MODEL_ERROR, "The model raised KeyError.")
    assert ledger.run(calls.fail(id, claim(ledger, id).token, error, KEPT_MS))


def retry(ledger: Ledger, id: str, owner: str = "") -> Task:
    """Have a task queued again."""
    found = ledger.run(calls.retry(id, owner, EVERYTHING, KEPT_MS))
    assert isinstance(found, Retry)
    assert found.accepted
    assert isinstance(found.task, Task)
    return found.task


def expire_lease(ledger: Ledger, id: str, model: str = "wait") -> None:
    ledger.client.zadd(f"penstock:leases:{model}", {id: 1}, xx=True)
