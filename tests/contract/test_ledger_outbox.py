"""The outbox: every end of a task that somebody is to be told of is told once, whoever dies on the way."""

from collections.abc import Callable

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Delivery
from shared.task import Callback, DeliveryState, Status
from tests.contract.steps import KEPT_MS, claim, expire_lease, fail, read, reap, retry, submit, try_to_claim

URL = "https://hooks.example.com/penstock"
HOLD_MS = 60_000


def collect(ledger: Ledger, limit: int = 10, hold_ms: int = HOLD_MS) -> tuple[Delivery, ...]:
    return ledger.run(calls.collect(limit, hold_ms))


def succeed(ledger: Ledger, id: str) -> None:
    assert ledger.run(calls.succeed(claim(ledger, id), b"1", KEPT_MS))


def expire(ledger: Ledger, id: str) -> None:
    ledger.client.hset(f"penstock:task:{id}", "deadline", read(ledger, id).created_ms)
    assert try_to_claim(ledger, id) is None


def lose(ledger: Ledger, id: str) -> None:
    claim(ledger, id)
    expire_lease(ledger, id)
    reap(ledger, max_attempts=1)


ENDS: list[tuple[Status, Callable[[Ledger, str], None]]] = [
    (Status.SUCCEEDED, succeed),
    (Status.FAILED, fail),
    (Status.FAILED, expire),
    (Status.FAILED, lose),
    (Status.CANCELED, lambda ledger, id: ledger.run(calls.cancel(id, "", KEPT_MS))),
]


@pytest.mark.parametrize(("status", "end"), ENDS, ids=["succeeded", "failed", "expired", "lost", "canceled"])
def test_every_end_is_told_once(ledger: Ledger, status: Status, end: Callable[[Ledger, str], None]) -> None:
    id = submit(ledger, callback=URL)
    assert collect(ledger) == ()
    assert read(ledger, id).callback == Callback(URL, None, 0, None, None)

    end(ledger, id)

    task = read(ledger, id)
    assert task.callback == Callback(URL, DeliveryState.PENDING, 0, task.finished_ms, None)
    (delivery,) = collect(ledger)
    assert task.finished_ms is not None
    assert delivery == Delivery(id, 1, 1, URL, "", "wait", status, task.finished_ms)
    assert collect(ledger) == ()

    assert ledger.run(calls.settle(delivery, DeliveryState.DELIVERED, None, "200"))
    assert read(ledger, id).callback == Callback(URL, DeliveryState.DELIVERED, 1, None, "200")
    assert ledger.client.zcard("penstock:outbox") == 0


def test_nobody_is_told_of_a_task_without_a_callback(ledger: Ledger) -> None:
    id = submit(ledger)
    succeed(ledger, id)

    assert collect(ledger) == ()
    assert read(ledger, id).callback is None


def test_what_a_courier_has_taken_and_not_settled_is_taken_by_the_next(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL)
    succeed(ledger, id)
    (dead,) = collect(ledger, hold_ms=0)

    (next,) = collect(ledger)

    assert (next.task_id, next.end, next.attempt) == (dead.task_id, dead.end, 2)
    assert not ledger.run(calls.settle(dead, DeliveryState.FAILED, None, "500"))  # it was only slow: too late
    assert ledger.run(calls.settle(next, DeliveryState.DELIVERED, None, "200"))
    assert not ledger.run(calls.settle(next, DeliveryState.PENDING, 0, "500"))
    assert collect(ledger) == ()


def test_what_is_still_under_way_is_held_for_longer(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL)
    succeed(ledger, id)
    (slow,) = collect(ledger, hold_ms=0)

    assert ledger.run(calls.collect(10, HOLD_MS, [slow])) == ()

    assert collect(ledger) == ()
    assert ledger.run(calls.settle(slow, DeliveryState.PENDING, 3 * HOLD_MS, "503"))
    due = ledger.client.zscore("penstock:outbox", f"{id}:1")
    assert ledger.run(calls.collect(10, HOLD_MS, [slow])) == ()
    assert ledger.client.zscore("penstock:outbox", f"{id}:1") == due  # the pause that was settled stays


def test_a_hold_is_not_written_again_while_most_of_it_is_left(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL)
    succeed(ledger, id)
    (slow,) = collect(ledger)
    due = ledger.client.zscore("penstock:outbox", f"{id}:1")

    assert ledger.run(calls.collect(0, HOLD_MS, [slow])) == ()

    assert ledger.client.zscore("penstock:outbox", f"{id}:1") == due


def test_what_another_courier_has_taken_is_not_held_for_the_one_before(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL)
    succeed(ledger, id)
    (late,) = collect(ledger, hold_ms=0)
    collect(ledger, hold_ms=0)

    (next,) = ledger.run(calls.collect(10, HOLD_MS, [late]))
    assert next.attempt == 3

    assert ledger.run(calls.settle(next, DeliveryState.DELIVERED, None, "200"))
    assert ledger.run(calls.collect(10, HOLD_MS, [late, next])) == ()
    assert ledger.client.zcard("penstock:outbox") == 0


def test_what_failed_is_due_again_later(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL)
    succeed(ledger, id)
    (first,) = collect(ledger)
    assert ledger.run(calls.settle(first, DeliveryState.PENDING, 60_000, "503"))

    task = read(ledger, id)
    assert collect(ledger) == ()
    assert task.callback is not None
    assert (task.callback.state, task.callback.attempts, task.callback.answer) == (DeliveryState.PENDING, 1, "503")
    assert task.callback.next_ms is not None
    assert task.finished_ms is not None
    assert 59_000 < task.callback.next_ms - task.finished_ms < 70_000

    ledger.client.zadd("penstock:outbox", {f"{id}:1": 1})
    (second,) = collect(ledger)
    assert second.attempt == 2


def test_a_retried_task_tells_both_its_ends(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL)
    fail(ledger, id)
    retry(ledger, id)
    succeed(ledger, id)

    first, second = collect(ledger)

    assert [(d.end, d.status) for d in (first, second)] == [(1, Status.FAILED), (2, Status.SUCCEEDED)]
    assert ledger.run(calls.settle(first, DeliveryState.DELIVERED, None, "200"))
    callback = read(ledger, id).callback
    assert callback is not None
    assert (callback.state, callback.attempts) == (DeliveryState.PENDING, 1)


def test_a_forgotten_task_tells_nobody(ledger: Ledger) -> None:
    running, told = (submit(ledger, callback=URL) for _ in range(2))
    claim(ledger, running)
    succeed(ledger, told)
    (late,) = collect(ledger)

    for id in (running, told):
        ledger.run(calls.forget(id, "", KEPT_MS))

    assert not ledger.run(calls.settle(late, DeliveryState.PENDING, 0, "500"))
    assert collect(ledger) == ()
    assert ledger.client.keys("penstock:delivery:*") == []


def test_a_delivery_ends_with_its_task(ledger: Ledger) -> None:
    id = submit(ledger, callback=URL, owner="ann")
    succeed(ledger, id)
    assert ledger.client.pexpiretime(f"penstock:delivery:{id}:1") == read(ledger, id, "ann").expires_ms

    ledger.client.delete(f"penstock:delivery:{id}:1")  # as Redis does then

    assert collect(ledger) == ()
    assert ledger.client.zcard("penstock:outbox") == 0


def test_couriers_share_the_work(ledger: Ledger) -> None:
    ids = [submit(ledger, callback=URL) for _ in range(5)]
    for id in ids:
        succeed(ledger, id)

    taken = [delivery.task_id for limit in (2, 2, 2) for delivery in collect(ledger, limit)]

    assert sorted(taken) == sorted(ids)
