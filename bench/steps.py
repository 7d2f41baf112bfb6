"""The ledger's steps of a no-op task, as the benchmarks take them. What changes about a call is changed here alone."""

from typing import Any
from uuid import uuid4

from shared.ledger import calls
from shared.ledger.call import Call
from shared.ledger.outlooks import Outlooks
from shared.ledger.records import Admission, Asking, Claim, Ended, Submission, Wanted

MODEL, INPUT, RESULT = "noop", b'{"value":1007}', b'{"value":1007}'
HOUR_MS = 3_600_000
WORKER = "bench"
NO_LIMIT = Admission(max_queued=10_000_000, max_queued_of_owner=None)


def submit(id: str, outlooks: Outlooks | None = None) -> Call[Any]:
    """Return the step that submits a task; a busy API has asked for the `outlooks` of its model a moment ago."""
    return calls.submit(Submission(id, MODEL, INPUT), NO_LIMIT, HOUR_MS, outlooks)


def claim(id: str) -> Call[Claim | None]:
    """Return the step that claims a queued one, as an idle child does that was woken for it."""
    call = calls.claim(id, _asking(), HOUR_MS)
    return Call(call.script, call.arguments, lambda reply: next(iter(call.parse(reply).claims), None))


def proceed(held: Claim) -> Call[Claim | None]:
    """Return the step that publishes a result and claims the next task, as a busy child does."""
    call = calls.proceed([Ended(held.id, held.token, RESULT)], _asking(), HOUR_MS)
    return Call(call.script, call.arguments, lambda reply: next(iter(call.parse(reply).won.claims), None))


def _asking() -> Asking:
    return Asking(WORKER, str(uuid4()), HOUR_MS, (Wanted(MODEL),))


def succeed(held: Claim, result: bytes = RESULT, retention_ms: int = HOUR_MS) -> Call[bool]:
    """Return the step that publishes its result."""
    return calls.succeed(held, result, retention_ms)


def read(id: str, outlooks: Outlooks | None = None) -> Call[Any]:
    """Return the step that reads it."""
    return calls.read(id, "", HOUR_MS, outlooks)


def announce(slots: int) -> Call[None]:
    """Return the step that says that a worker lives."""
    return calls.announce(WORKER, {MODEL: slots}, HOUR_MS)
