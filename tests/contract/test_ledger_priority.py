"""Priorities: strictly one after the other, and first come, first served among equals."""

import json

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.queue import list_key
from shared.task import PRIORITIES
from tests.contract.steps import KEPT_MS, claim, fail, messages, read, reap, release, retry, submit


def positions(ledger: Ledger, ids: list[str]) -> list[int]:
    views = [read(ledger, id).queue for id in ids]
    return [view.position for view in views if view]


def test_the_queue_is_in_the_order_of_urgency_then_of_arrival(ledger: Ledger) -> None:
    given = [0, 3, 1, 2, 3, 0, 1]
    ids = [submit(ledger, priority=priority) for priority in given]
    expected = [ids[place] for place in sorted(range(len(given)), key=lambda place: (-given[place], place))]

    assert messages(ledger) == expected
    assert sorted(ids, key=dict(zip(ids, positions(ledger, ids), strict=True)).__getitem__) == expected
    assert sorted(positions(ledger, ids)) == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("priority", PRIORITIES)
def test_a_task_keeps_its_priority_when_it_is_queued_again(ledger: Ledger, priority: int) -> None:
    id, behind = (submit(ledger, priority=priority) for _ in range(2))
    submit(ledger, priority=(priority + 1) % len(PRIORITIES))

    def queued() -> list[str]:
        texts = ledger.client.lrange(list_key("wait", priority), 0, -1)
        return [json.loads(text)["headers"]["id"] for text in reversed(texts)]

    ledger.client.rpop(list_key("wait", priority))
    claim(ledger, id, nonce="n")
    release(ledger, "n")
    assert queued() == [id, behind]

    ledger.client.rpop(list_key("wait", priority))
    fail(ledger, id)
    retry(ledger, id)
    assert queued() == [behind, id]


@pytest.mark.parametrize("lost", PRIORITIES)
def test_a_lost_message_is_missed_whatever_waits_beside_it(ledger: Ledger, lost: int) -> None:
    ids = {priority: submit(ledger, priority=priority) for priority in PRIORITIES}
    behind = submit(ledger, priority=lost)
    ledger.client.rpop(list_key("wait", lost))

    assert reap(ledger) == {ids[lost]: "resent"}

    texts = ledger.client.lrange(list_key("wait", lost), 0, -1)
    assert [json.loads(text)["headers"]["id"] for text in reversed(texts)] == [ids[lost], behind]


def test_a_list_that_was_lost_whole_is_missed(ledger: Ledger) -> None:
    ids = [submit(ledger, priority=priority) for priority in (3, 2, 2, 0)]
    for priority in PRIORITIES:
        ledger.client.delete(list_key("wait", priority))

    assert reap(ledger) == dict.fromkeys(ids, "resent")
    assert messages(ledger) == ids
    ledger.run(calls.cancel(ids[1], "", KEPT_MS))
    assert reap(ledger) == {}
