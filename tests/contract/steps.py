"""The ledger's steps in few words, for its tests."""

import json
from uuid import uuid4

from shared.ledger import calls
from shared.ledger.calls import Claim
from shared.ledger.connection import Ledger
from shared.task import Task

KEPT_MS = 60_000
LEASE_MS = 60_000


def submit(ledger: Ledger, model: str = "wait", input: bytes = b"{}") -> str:
    return ledger.run(calls.submit(str(uuid4()), model, input)).id


def claim(ledger: Ledger, id: str, lease_ms: int = LEASE_MS) -> Claim:
    won = ledger.run(calls.claim(id, "worker", lease_ms))
    assert won is not None
    return won


def read(ledger: Ledger, id: str) -> Task:
    task = ledger.run(calls.read(id))
    assert task is not None
    return task


def reap(ledger: Ledger, max_attempts: int = 3, sighting_ms: int = 0, missing_ms: int = 0) -> dict[str, str]:
    """Reap twice: the first sighting is only written down."""
    verdicts = []
    for _ in range(2):
        verdicts += ledger.run(calls.reap(max_attempts, KEPT_MS, sighting_ms, missing_ms))
    return {verdict.id: verdict.outcome for verdict in verdicts}


def messages(ledger: Ledger, model: str = "wait") -> list[str]:
    """The ids in Celery's queue, the next to be popped first."""
    return [json.loads(text)["headers"]["id"] for text in reversed(ledger.client.lrange(f"penstock.{model}", 0, -1))]


def expire_lease(ledger: Ledger, id: str, model: str = "wait") -> None:
    ledger.client.zadd(f"penstock:leases:{model}", {id: 1}, xx=True)
