"""Queue deadlines, time limits, and what is known of a task after its retention."""

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.task import ErrorCode, Missing, Status, Task
from tests.contract.steps import (
    KEPT_MS,
    LEASE_MS,
    claim,
    expire_lease,
    messages,
    read,
    reap,
    release,
    submit,
    try_to_claim,
)
from tests.waiting import eventually

HOUR_MS = 3_600_000


def overdue(ledger: Ledger, expires_in_ms: int = 1) -> Task:
    """A task whose deadline has passed, as its reader sees it."""
    id = submit(ledger, expires_in_ms=expires_in_ms)
    eventually(lambda: read(ledger, id).status is Status.FAILED)
    return read(ledger, id)


def test_a_task_past_its_deadline_has_expired_for_its_readers_before_anyone_notes_it(ledger: Ledger) -> None:
    task = overdue(ledger, expires_in_ms=20)

    assert task.error is not None
    assert task.error.code is ErrorCode.EXPIRED
    assert task.finished_ms == task.created_ms + 20
    assert task.expires_ms == task.finished_ms + KEPT_MS
    assert task.queue is None
    assert ledger.client.hget(f"penstock:task:{task.id}", "status") == b"queued"


def test_noting_it_changes_nothing_for_its_readers(ledger: Ledger) -> None:
    task = overdue(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))

    assert reap(ledger) == {task.id: "expired"}

    assert read(ledger, task.id) == task
    assert ledger.client.hget(f"penstock:task:{task.id}", "status") == b"failed"
    assert messages(ledger) == []  # its message led nowhere


def test_it_is_never_run(ledger: Ledger) -> None:
    task = overdue(ledger)

    assert try_to_claim(ledger, task.id) is None

    assert read(ledger, task.id) == task
    assert task.attempt == 0


def test_it_cannot_be_canceled_any_more(ledger: Ledger) -> None:
    task = overdue(ledger)

    assert ledger.run(calls.cancel(task.id, "", KEPT_MS)) == task


def test_a_task_claimed_in_time_keeps_no_deadline_even_when_it_is_queued_again(ledger: Ledger) -> None:
    """It was started in time; that its worker died is no reason to give it up."""
    id = submit(ledger, expires_in_ms=HOUR_MS)
    claim(ledger, id, nonce="n")

    assert release(ledger, "n") == (id,)

    assert not ledger.client.hexists(f"penstock:task:{id}", "deadline")
    assert ledger.client.zcard("penstock:deadlines:wait") == 0


def test_a_task_within_its_deadline_waits(ledger: Ledger) -> None:
    id = submit(ledger, expires_in_ms=HOUR_MS)

    reap(ledger)

    assert read(ledger, id).status is Status.QUEUED
    assert claim(ledger, id).time_limit_ms is None


def test_a_time_limit_goes_to_every_attempt(ledger: Ledger) -> None:
    id = submit(ledger, time_limit_ms=1500)
    assert claim(ledger, id).time_limit_ms == 1500
    expire_lease(ledger, id)
    reap(ledger)

    assert claim(ledger, id).time_limit_ms == 1500


def test_after_its_retention_a_task_is_gone_and_later_unknown(ledger: Ledger) -> None:
    id = submit(ledger)
    assert ledger.run(calls.succeed(claim(ledger, id), b"1", 300))

    eventually(lambda: ledger.run(calls.read(id, "", KEPT_MS)) is Missing.GONE, within=2)
    assert ledger.run(calls.cancel(id, "", KEPT_MS)) is Missing.GONE
    eventually(lambda: ledger.run(calls.read(id, "", KEPT_MS)) is Missing.UNKNOWN, within=2)
    assert ledger.client.keys(f"*{id}*") == []
