"""Idempotency keys: a submit that is sent again is the same submit."""

import threading
from collections import Counter

import pytest

from shared.ledger import calls
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.ledger.records import Admission, Key, KeyReused, Refusal, Replay
from shared.task import Missing, Status, Task
from tests.contract.steps import KEPT_MS, claim, fail, messages, read, retry, submit, try_to_submit
from tests.redis_server import RedisServer

KEY = Key("digest", "fingerprint")
RACERS = 20


def replayed(ledger: Ledger, **more: str) -> Task | Missing:
    found = try_to_submit(ledger, key=KEY, **more)
    assert isinstance(found, Replay)
    return found.task


def test_the_same_key_again_is_the_same_task_as_it_is_now(ledger: Ledger) -> None:
    id = submit(ledger, key=KEY)

    assert replayed(ledger) == read(ledger, id)

    ledger.run(calls.succeed(claim(ledger, id), b"1", KEPT_MS))
    task = replayed(ledger)
    assert isinstance(task, Task)
    assert (task.id, task.status, task.result) == (id, Status.SUCCEEDED, b"1")
    assert messages(ledger) == [id]


def test_the_same_key_with_another_request_is_refused(ledger: Ledger) -> None:
    submit(ledger, key=KEY)
    before = ledger.client.dbsize()

    assert isinstance(try_to_submit(ledger, key=Key(KEY.digest, "other")), KeyReused)

    assert ledger.client.dbsize() == before


def test_a_key_is_its_owners(ledger: Ledger) -> None:
    ids = {submit(ledger, key=KEY, owner=owner) for owner in ("", "ann", "ben")}

    assert len(ids) == 3


def test_a_replay_needs_no_place_in_the_queue(ledger: Ledger) -> None:
    full = Admission(max_queued=1, max_queued_of_owner=None)
    submit(ledger, key=KEY)

    assert isinstance(try_to_submit(ledger, admission=full), Refusal)
    assert isinstance(try_to_submit(ledger, admission=full, key=KEY), Replay)


def test_a_submit_that_was_refused_has_not_used_its_key(ledger: Ledger) -> None:
    none = Admission(max_queued=1, max_queued_of_owner=None)
    other = submit(ledger)
    assert isinstance(try_to_submit(ledger, admission=none, key=KEY), Refusal)
    claim(ledger, other)

    assert isinstance(try_to_submit(ledger, admission=none, key=KEY), Task)


def test_a_key_ends_with_its_task(ledger: Ledger) -> None:
    id = submit(ledger, key=KEY)
    key = "penstock:key::digest"
    assert ledger.client.pttl(key) == -1

    ledger.run(calls.cancel(id, "", KEPT_MS))
    assert ledger.client.pexpiretime(key) == read(ledger, id).expires_ms

    retry(ledger, id)
    assert ledger.client.pttl(key) == -1


def test_the_key_of_a_forgotten_task_makes_no_second_one(ledger: Ledger) -> None:
    id = submit(ledger, key=KEY)
    ledger.run(calls.forget(id, "", KEPT_MS))

    assert replayed(ledger) is Missing.GONE
    assert 0 < ledger.client.pttl("penstock:key::digest") <= KEPT_MS


def test_of_many_at_once_one_is_accepted(server: RedisServer, ledger: Ledger) -> None:
    found: list[object] = []
    together = threading.Barrier(RACERS)

    def race() -> None:
        mine = connect(server.url, name="racer")
        together.wait(10)
        found.append(try_to_submit(mine, key=KEY))
        mine.close()

    racers = [threading.Thread(target=race) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert Counter(type(one) for one in found) == {Task: 1, Replay: RACERS - 1}
    assert len(messages(ledger)) == 1


@pytest.mark.parametrize("failed", [True, False], ids=["failed", "canceled"])
def test_a_task_that_did_not_succeed_is_replayed_too(ledger: Ledger, failed: bool) -> None:
    """What else it should be, its client decides: it asks for a retry, or takes a new key."""
    id = submit(ledger, key=KEY)
    if failed:
        fail(ledger, id)
    else:
        ledger.run(calls.cancel(id, "", KEPT_MS))

    assert replayed(ledger) == read(ledger, id)
