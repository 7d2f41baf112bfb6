"""A task knows the request that it came with as long as it may run: for the logs and traces of whoever runs it."""

from typing import Any

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Retry, Wanted
from tests.contract.steps import EVERYTHING, KEPT_MS, abandon, claim, expire_lease, fail, release, submit, win

REQUEST = "the-client's_own.id"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def kept(ledger: Ledger, id: str) -> list[Any]:
    return list(ledger.client.hmget(f"penstock:task:{id}", "request", "trace"))


def test_it_comes_with_the_claim(ledger: Ledger) -> None:
    won = claim(ledger, submit(ledger, request_id=REQUEST, traceparent=TRACE))

    assert (won.request_id, won.traceparent) == (REQUEST, TRACE)


def test_a_claim_that_is_asked_for_again_brings_it_again(ledger: Ledger) -> None:
    id = submit(ledger, request_id=REQUEST, traceparent=TRACE)
    claim(ledger, id, nonce="n")

    won = claim(ledger, id, nonce="n", again=True)

    assert (won.request_id, won.traceparent) == (REQUEST, TRACE)


def test_what_is_computed_together_came_with_different_requests(ledger: Ledger) -> None:
    for n in range(3):
        submit(ledger, request_id=f"r{n}")

    claims = win(ledger, wanted=(Wanted("wait", 8),)).claims

    assert [won.request_id for won in claims] == ["r0", "r1", "r2"]


def test_a_task_without_one_stores_nothing(ledger: Ledger) -> None:
    id = submit(ledger)

    assert kept(ledger, id) == [None, None]
    won = claim(ledger, id)
    assert (won.request_id, won.traceparent) == ("", "")


def test_it_outlives_an_attempt_and_not_a_success(ledger: Ledger) -> None:
    id = submit(ledger, request_id=REQUEST, traceparent=TRACE)
    claim(ledger, id, nonce="n")
    release(ledger, "n")

    won = claim(ledger, id)
    assert (won.request_id, won.traceparent) == (REQUEST, TRACE)

    ledger.run(calls.succeed(won, b"1", KEPT_MS))
    assert kept(ledger, id) == [None, None]


@pytest.mark.parametrize(("request_id", "traceparent"), [("another", TRACE.replace("4", "5")), ("another", "")])
def test_a_retry_is_another_request(ledger: Ledger, request_id: str, traceparent: str) -> None:
    id = submit(ledger, request_id=REQUEST, traceparent=TRACE)
    fail(ledger, id)

    call = calls.retry(id, "", EVERYTHING, KEPT_MS, request_id=request_id, traceparent=traceparent)
    assert isinstance(ledger.run(call), Retry)

    won = claim(ledger, id)
    assert (won.request_id, won.traceparent) == (request_id, traceparent)


def test_a_verdict_names_it_whatever_became_of_the_task(ledger: Ledger) -> None:
    ids = [submit(ledger, request_id=f"r{n}") for n in range(2)]
    for id, nonce in zip(ids, ("a", "b"), strict=True):
        claim(ledger, id, nonce=nonce)

    again = ledger.run(calls.abandon(["a"], ["wait"], 3, KEPT_MS))
    failed = ledger.run(calls.abandon(["b"], ["wait"], 1, KEPT_MS))

    assert [(each.id, each.outcome, each.attempt, each.request_id) for each in (*again, *failed)] == [
        (ids[0], "queued", 1, "r0"),
        (ids[1], "failed", 1, "r1"),
    ]
    assert abandon(ledger, "c") == {}


def test_the_reaper_names_it(ledger: Ledger) -> None:
    id = submit(ledger, request_id=REQUEST)
    claim(ledger, id)
    expire_lease(ledger, id)

    reap = calls.reap(3, KEPT_MS, 0, 0)
    verdicts = [*ledger.run(reap), *ledger.run(reap)]

    assert [(each.id, each.outcome, each.attempt, each.request_id) for each in verdicts] == [(id, "queued", 1, REQUEST)]


def test_how_long_it_waited_is_told(ledger: Ledger) -> None:
    id = submit(ledger)
    created = int(ledger.client.hget(f"penstock:task:{id}", "created") or 0)
    ledger.client.hset(f"penstock:task:{id}", "created", created - 5000)

    assert 5000 <= claim(ledger, id).waited_ms < 60_000


def test_a_retry_has_not_waited_before_it_was_asked_for(ledger: Ledger) -> None:
    id = submit(ledger)
    ledger.client.hset(f"penstock:task:{id}", "created", 1)
    fail(ledger, id)
    ledger.run(calls.retry(id, "", EVERYTHING, KEPT_MS))

    assert claim(ledger, id).waited_ms < 60_000
