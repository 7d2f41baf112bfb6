"""Tasks that are claimed together: each keeps its own token and outcome, and none pays for its neighbours."""

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Admission, Ended, Wanted
from shared.queue import list_key
from shared.task import ErrorCode, Status, TaskError
from tests.contract.steps import (
    FOUR,
    KEPT_MS,
    ONE,
    abandon,
    expire_lease,
    ids,
    messages,
    proceed,
    read,
    reap,
    release,
    submit,
    win,
)

ERROR = TaskError(ErrorCode.MODEL_ERROR, "The model raised KeyError.")


def test_what_waits_is_claimed_together_up_to_the_most_and_in_order(ledger: Ledger) -> None:
    queued = [submit(ledger, input=b"%d" % n) for n in range(6)]

    first, second = (win(ledger, wanted=FOUR).claims for _ in range(2))

    assert ids(first) == queued[:4]
    assert ids(second) == queued[4:]
    assert [(claim.token, claim.input) for claim in first] == [(1, b"%d" % n) for n in range(4)]
    assert [read(ledger, id).batch for id in queued] == [4, 4, 4, 4, 2, 2]
    assert messages(ledger) == []


def test_the_task_of_the_message_comes_first_and_has_company(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(3)]
    ledger.client.rpop(list_key("wait"))

    assert ids(win(ledger, queued[0], wanted=FOUR).claims) == queued
    assert messages(ledger) == []


def test_a_message_whose_task_is_gone_leads_to_the_next(ledger: Ledger) -> None:
    gone, queued = submit(ledger), submit(ledger)
    ledger.client.rpop(list_key("wait"))
    ledger.run(calls.cancel(gone, "", KEPT_MS))

    assert ids(win(ledger, gone, wanted=ONE).claims) == [queued]
    assert messages(ledger) == []


def test_the_most_urgent_comes_first_whatever_its_model_and_equals_take_turns(ledger: Ledger) -> None:
    later = [submit(ledger, model=model) for model in ("wait", "digits")]
    urgent = submit(ledger, model="digits", priority=3)
    wanted = (Wanted("wait"), Wanted("digits"))

    won = [win(ledger, wanted=wanted).claims[0].id for _ in range(3)]

    assert won == [urgent, *later]


def test_a_batch_takes_the_urgent_along_with_the_others(ledger: Ledger) -> None:
    low, high = submit(ledger, priority=0), submit(ledger, priority=2)

    assert ids(win(ledger, wanted=FOUR).claims) == [high, low]
    assert messages(ledger) == []


def test_each_has_its_own_outcome(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(4)]
    held = win(ledger, wanted=FOUR, nonce="n").claims
    ledger.run(calls.cancel(queued[2], "", KEPT_MS))
    ended = [Ended(claim.id, claim.token, ERROR if n == 1 else b"%d" % n) for n, claim in enumerate(held)]

    accepted = ledger.run(calls.finish(ended, KEPT_MS))

    assert list(accepted) == [True, True, False, True]
    assert [read(ledger, id).status.value for id in queued] == ["succeeded", "failed", "canceled", "succeeded"]
    assert read(ledger, queued[3]).result == b"3"
    assert read(ledger, queued[1]).error == ERROR


def test_one_step_finishes_and_claims_what_comes_next(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(6)]
    held = win(ledger, wanted=FOUR).claims

    found = proceed(ledger, held, "next")

    assert found.accepted == (True,) * 4
    assert ids(found.won.claims) == queued[4:]
    assert proceed(ledger, found.won.claims, "last").won.claims == ()


def test_who_dies_with_a_batch_costs_its_tasks_no_attempt_and_each_is_alone_next(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(3)]
    win(ledger, wanted=FOUR, nonce="n")

    assert abandon(ledger, "n", max_attempts=1) == dict.fromkeys(queued, "queued")

    assert [(read(ledger, id).lost, read(ledger, id).batch) for id in queued] == [(0, None)] * 3
    assert sorted(messages(ledger)) == sorted(queued)
    assert [ids(win(ledger, wanted=FOUR, nonce=id).claims) for id in queued] == [[id] for id in queued]
    assert abandon(ledger, queued[1], max_attempts=1) == {queued[1]: "failed"}  # by itself it is known who it was


def test_who_must_be_alone_is_passed_over_by_a_batch(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(3)]
    win(ledger, queued[1], nonce="n")
    ledger.run(calls.release(["n"], ["wait"], alone=True))

    assert ids(win(ledger, wanted=FOUR).claims) == [queued[0], queued[2]]
    assert ids(win(ledger, wanted=FOUR).claims) == [queued[1]]


def test_a_lost_lease_of_a_batch_costs_no_attempt_either(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(2)]
    win(ledger, wanted=FOUR)
    for id in queued:
        expire_lease(ledger, id)

    assert reap(ledger, max_attempts=1) == dict.fromkeys(queued, "queued")
    assert [read(ledger, id).lost for id in queued] == [0, 0]


def test_a_clients_retry_may_have_company_again(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(2)]
    win(ledger, wanted=FOUR, nonce="n")
    abandon(ledger, "n")
    for id in queued:
        ledger.run(calls.cancel(id, "", KEPT_MS))
        ledger.run(calls.retry(id, "", Admission(10, None), KEPT_MS))

    assert ids(win(ledger, wanted=FOUR).claims) == queued


def test_what_is_given_back_may_have_company_again(ledger: Ledger) -> None:
    queued = [submit(ledger) for _ in range(2)]
    win(ledger, wanted=FOUR, nonce="n")

    assert sorted(release(ledger, "n")) == sorted(queued)

    assert ids(win(ledger, wanted=FOUR).claims) == queued


@pytest.mark.parametrize("how", ["released", "abandoned", "reaped"])
def test_the_messages_of_what_is_queued_again_stand_in_the_order_of_the_queue(ledger: Ledger, how: str) -> None:
    queued = [submit(ledger) for _ in range(6)]
    win(ledger, wanted=(Wanted("wait", 6),), nonce="n")
    if how == "released":
        release(ledger, "n")
    elif how == "abandoned":
        abandon(ledger, "n")
    else:
        for id in queued:
            expire_lease(ledger, id)
        reap(ledger)

    assert messages(ledger) == queued
    assert reap(ledger) == {}  # none of them is missing


def test_what_expired_is_passed_over(ledger: Ledger) -> None:
    expired, waiting = submit(ledger, expires_in_ms=1), submit(ledger)
    ledger.client.hset(f"penstock:task:{expired}", "deadline", read(ledger, waiting).created_ms - 1)

    assert ids(win(ledger, wanted=FOUR).claims) == [waiting]
    assert read(ledger, expired).status is Status.FAILED


def test_inputs_of_one_batch_are_bounded_in_bytes(ledger: Ledger) -> None:
    large = [submit(ledger, input=b"1" * 3_000_000) for _ in range(3)]

    assert ids(win(ledger, wanted=FOUR).claims) == large[:2]
    assert ids(win(ledger, wanted=FOUR).claims) == large[2:]


def test_claiming_takes_dead_messages_along_and_leaves_all_others(ledger: Ledger) -> None:
    canceled = [submit(ledger) for _ in range(3)]
    for id in canceled:
        ledger.run(calls.cancel(id, "", KEPT_MS))
    first, second, third = (submit(ledger) for _ in range(3))

    assert ids(win(ledger, wanted=ONE).claims) == [first]
    assert messages(ledger) == [second, third]

    ledger.client.rpush(list_key("wait"), b"not ours")
    assert ids(win(ledger, wanted=ONE).claims) == [second]
    assert ledger.client.lrange(list_key("wait"), -1, -1) == [b"not ours"]
    assert ledger.client.llen(list_key("wait")) == 3


def test_a_task_whose_message_is_with_a_worker_is_claimed_and_leaves_the_others_theirs(ledger: Ledger) -> None:
    first, second = submit(ledger), submit(ledger)
    ledger.client.rpop(list_key("wait"))

    assert ids(win(ledger, wanted=ONE).claims) == [first]
    assert messages(ledger) == [second]


def test_it_is_known_how_many_come_together(ledger: Ledger) -> None:
    assert ledger.run(calls.census(["wait"]))["wait"].mean_batch is None
    for _ in range(7):
        submit(ledger)

    for _ in range(2):
        win(ledger, wanted=FOUR)

    assert ledger.run(calls.census(["wait"]))["wait"].mean_batch == 3.5


def test_a_batchs_run_time_is_shared(ledger: Ledger) -> None:
    submit(ledger)
    submit(ledger)
    held = win(ledger, wanted=FOUR).claims
    for claim in held:
        ledger.client.hincrby(f"penstock:task:{claim.id}", "started", -1000)

    ledger.run(calls.finish([Ended(claim.id, claim.token, b"1") for claim in held], KEPT_MS))

    typical = ledger.run(calls.census(["wait"]))["wait"].typical_run_ms
    assert typical is not None
    assert 500 <= typical < 600
