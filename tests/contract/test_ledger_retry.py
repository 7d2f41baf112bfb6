"""Retry and forget: what a client may do with a task that has ended."""

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Admission, Full, Refusal, Retry
from shared.task import ErrorCode, Missing, Status, TaskError
from tests.contract.steps import (
    EVERYTHING,
    KEPT_MS,
    LEASE_MS,
    claim,
    expire_lease,
    fail,
    messages,
    read,
    reap,
    retry,
    submit,
    try_to_claim,
)


def test_a_retried_task_is_queued_again_at_the_tail_and_runs(ledger: Ledger) -> None:
    id, behind = submit(ledger), submit(ledger)
    fail(ledger, id)

    task = retry(ledger, id)

    assert (task.status, task.attempt, task.error) == (Status.QUEUED, 1, None)
    assert (task.started_ms, task.finished_ms, task.expires_ms) == (None, None, None)
    assert task.queue is not None
    assert task.queue.position == 2
    assert messages(ledger)[-2:] == [behind, id]
    again = claim(ledger, id)
    assert (again.token, again.input) == (2, b"{}")
    assert ledger.run(calls.succeed(again, b"1", KEPT_MS))


def test_the_old_attempt_of_a_retried_task_is_fenced(ledger: Ledger) -> None:
    id = submit(ledger)
    old = claim(ledger, id)
    ledger.run(calls.cancel(id, "", KEPT_MS))
    retry(ledger, id)

    assert not ledger.run(calls.succeed(old, b"late", KEPT_MS))
    new = claim(ledger, id)
    assert not ledger.run(calls.succeed(old, b"late", KEPT_MS))
    assert ledger.run(calls.renew([(id, old.token)], LEASE_MS)) == {id}
    assert ledger.run(calls.succeed(new, b"1", KEPT_MS))


def test_a_retry_has_as_many_workers_to_lose_as_a_new_task(ledger: Ledger) -> None:
    id = submit(ledger)
    for _ in range(3):
        claim(ledger, id)
        expire_lease(ledger, id)
        reap(ledger)
    assert read(ledger, id).error == TaskError(
        ErrorCode.WORKER_LOST, "The worker died while it ran this task, 3 times in all."
    )

    assert retry(ledger, id).lost == 0

    claim(ledger, id)
    expire_lease(ledger, id)
    assert reap(ledger)[id] == "queued"


def test_a_retried_task_is_kept_until_it_ends_again(ledger: Ledger) -> None:
    id = submit(ledger)
    fail(ledger, id)
    assert ledger.client.pttl(f"penstock:task:{id}") > 0

    retry(ledger, id)

    assert ledger.client.pttl(f"penstock:task:{id}") == -1
    assert not ledger.client.exists(f"penstock:gone:{id}")
    assert ledger.client.zcard("penstock:ending") == 0


def test_a_retried_task_may_wait_as_long_as_a_new_one(ledger: Ledger) -> None:
    id = submit(ledger, expires_in_ms=600_000)
    fail(ledger, id)

    retry(ledger, id)

    assert ledger.client.hexists(f"penstock:task:{id}", "deadline")
    assert ledger.client.zscore("penstock:deadlines:wait", id)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED])
def test_only_what_failed_or_was_canceled_is_retried(ledger: Ledger, status: Status) -> None:
    id = submit(ledger)
    if status is not Status.QUEUED:
        held = claim(ledger, id)
        if status is Status.SUCCEEDED:
            ledger.run(calls.succeed(held, b"1", KEPT_MS))
    was = read(ledger, id)

    assert ledger.run(calls.retry(id, "", EVERYTHING, KEPT_MS)) == Retry(was, accepted=False)


def test_a_retry_needs_a_place_in_the_queue(ledger: Ledger) -> None:
    id = submit(ledger)
    fail(ledger, id)
    submit(ledger)
    was = read(ledger, id)

    found = ledger.run(calls.retry(id, "", Admission(1, None), KEPT_MS))

    assert isinstance(found, Refusal)
    assert found.full is Full.QUEUE
    assert read(ledger, id) == was


@pytest.mark.parametrize("status", list(Status))
def test_a_forgotten_task_leaves_nothing_but_that_there_was_one(ledger: Ledger, status: Status) -> None:
    first = submit(ledger, owner="ann")
    ledger.run(calls.forget(first, "ann", KEPT_MS))
    ledger.client.delete("penstock.wait\x06\x166", f"penstock:gone:{first}")
    clean = set(ledger.client.keys())
    id = submit(ledger, owner="ann", expires_in_ms=600_000)
    ledger.client.delete("penstock.wait\x06\x166")
    if status in (Status.RUNNING, Status.SUCCEEDED):
        held = claim(ledger, id)
        if status is Status.SUCCEEDED:
            ledger.run(calls.succeed(held, b"1", KEPT_MS))
    elif status is Status.FAILED:
        fail(ledger, id)
    elif status is Status.CANCELED:
        ledger.run(calls.cancel(id, "ann", KEPT_MS))

    assert ledger.run(calls.forget(id, "ann", KEPT_MS)) is None

    left = set(ledger.client.keys()) - clean - {b"penstock:claims:wait", b"penstock:runtimes:wait"}
    assert left == {f"penstock:gone:{id}".encode()}
    assert ledger.run(calls.forget(id, "ann", KEPT_MS)) is Missing.GONE
    assert ledger.run(calls.retry(id, "ann", EVERYTHING, KEPT_MS)) == Retry(Missing.GONE, accepted=False)


def test_the_worker_of_a_forgotten_task_is_told_and_can_do_nothing(ledger: Ledger) -> None:
    id = submit(ledger)
    held = claim(ledger, id)
    with ledger.client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("penstock:worker:worker")
        pubsub.get_message(timeout=1)

        ledger.run(calls.forget(id, "", KEPT_MS))

        message = pubsub.get_message(timeout=1)
    assert message is not None
    assert message["data"] == f"{id} 1".encode()
    assert not ledger.run(calls.succeed(held, b"late", KEPT_MS))
    assert ledger.run(calls.renew([(id, held.token)], LEASE_MS)) == {id}
    assert try_to_claim(ledger, id) is None
    assert not ledger.client.exists(f"penstock:task:{id}")
