"""Steps whose answer was lost are asked for again; that must do no harm, and no good to anyone else."""

from collections.abc import Callable

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Claim, Finished, Won
from shared.queue import list_key
from shared.task import ErrorCode, Status, TaskError
from tests.contract.steps import (
    FOUR,
    KEPT_MS,
    ONE,
    abandon,
    claim,
    expire_lease,
    ids,
    messages,
    proceed,
    read,
    reap,
    release,
    submit,
    try_to_claim,
    win,
)

ERROR = TaskError(ErrorCode.TIMEOUT, "The prediction ran past its limit of 3 s.")


def by_id(claims: tuple[Claim, ...]) -> list[Claim]:
    return sorted(claims, key=lambda claim: claim.id)


def test_a_claim_asked_for_again_is_the_same_claim_with_a_fresh_lease(ledger: Ledger) -> None:
    id = submit(ledger)
    first = claim(ledger, id, nonce="n")
    expire_lease(ledger, id)

    assert claim(ledger, id, nonce="n", again=True) == first

    assert reap(ledger) == {}
    assert read(ledger, id).attempt == 1


def test_a_claim_that_was_reaped_meanwhile_is_a_new_attempt(ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id, nonce="n")
    expire_lease(ledger, id)
    reap(ledger)

    assert claim(ledger, id, nonce="n", again=True).token == 2


def test_another_nonce_does_not_win_a_running_task(ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id, nonce="n")

    assert try_to_claim(ledger, id, nonce="m") is None


def test_a_nonce_of_an_earlier_attempt_does_not_win_the_next(ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id, nonce="n")
    release(ledger, "n")
    claim(ledger, id, nonce="m")

    assert try_to_claim(ledger, id, nonce="n", again=True) is None


def test_publishing_again_is_accepted_and_changes_nothing(ledger: Ledger) -> None:
    id = submit(ledger)
    held = claim(ledger, id)
    assert ledger.run(calls.succeed(held, b"1", KEPT_MS))
    was = read(ledger, id)

    assert ledger.run(calls.succeed(held, b"2", KEPT_MS))
    assert not ledger.run(calls.fail(id, held.token, ERROR, KEPT_MS))

    assert read(ledger, id) == was


def test_failing_again_is_accepted_for_the_same_reason_only(ledger: Ledger) -> None:
    id = submit(ledger)
    held = claim(ledger, id)
    assert ledger.run(calls.fail(id, held.token, ERROR, KEPT_MS))
    was = read(ledger, id)

    assert ledger.run(calls.fail(id, held.token, ERROR, KEPT_MS))
    assert not ledger.run(calls.fail(id, held.token, TaskError(ErrorCode.MODEL_ERROR, "late"), KEPT_MS))
    assert not ledger.run(calls.succeed(held, b"late", KEPT_MS))

    assert read(ledger, id) == was


def test_a_declined_message_is_the_next_to_be_popped(ledger: Ledger) -> None:
    id, behind = submit(ledger), submit(ledger)
    ledger.client.rpop(list_key("wait"))

    assert ledger.run(calls.decline(id))

    assert messages(ledger) == [id, behind]
    assert read(ledger, id).status is Status.QUEUED


def test_a_message_is_not_put_back_for_a_task_that_is_not_queued(ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id)
    ledger.client.delete(list_key("wait"))

    assert not ledger.run(calls.decline(id))

    assert messages(ledger) == []


def test_a_step_whose_answer_was_lost_wins_the_same_again_and_not_more(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(9)]
    held = win(ledger, wanted=FOUR, nonce="n").claims
    assert by_id(win(ledger, wanted=FOUR, nonce="n", again=True).claims) == by_id(held)
    was = proceed(ledger, held, "next")
    for id in queued[4:8]:
        expire_lease(ledger, id)

    found = proceed(ledger, held, "next", again=True)
    assert found.accepted == was.accepted
    assert by_id(found.won.claims) == by_id(was.won.claims)

    assert reap(ledger) == {}  # their leases are fresh
    assert read(ledger, queued[8]).status is Status.QUEUED


def test_a_request_that_never_arrived_is_new_when_it_is_made_again(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(2)]

    assert ids(win(ledger, wanted=FOUR, nonce="n", again=True).claims) == queued


def test_a_request_that_arrives_only_after_it_was_made_again_wins_nothing(ledger: Ledger) -> None:
    """Nobody would hear of it: the tasks would be no one's until their leases end, and cost an attempt then."""
    queued = [submit(ledger) for _ in range(3)]
    held = win(ledger, wanted=ONE, nonce="n", again=True).claims
    assert ids(held) == queued[:1]

    assert win(ledger, wanted=ONE, nonce="n").claims == ()
    assert win(ledger, wanted=ONE, nonce="n", again=True).claims == held
    assert ids(proceed(ledger, held, "next", again=True).won.claims) == queued[1:]
    assert proceed(ledger, held, "next") == Finished((True,), Won())


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("take", [release, abandon])
def test_a_request_that_arrives_only_after_its_childs_death_wins_nothing(
    ledger: Ledger, take: Callable[..., object], again: bool
) -> None:
    queued = [submit(ledger) for _ in range(2)]
    held = win(ledger, wanted=ONE, nonce="n").claims
    take(ledger, "next")

    assert proceed(ledger, held, "next", again=again).won.claims == ()

    assert read(ledger, queued[1]).attempt == 0
