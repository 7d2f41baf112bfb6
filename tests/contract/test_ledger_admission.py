"""Admission: what is refused rather than queued, and when a place is said to fall free."""

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Admission, Full, Refusal
from shared.task import Task
from tests.contract.steps import KEPT_MS, claim, read, release, submit, try_to_submit

TWO = Admission(max_queued=2, max_queued_of_owner=None)
ONE_EACH = Admission(max_queued=10, max_queued_of_owner=1)


def refusal(ledger: Ledger, admission: Admission, **more: str) -> Refusal:
    before = ledger.client.dbsize()
    found = try_to_submit(ledger, admission=admission, **more)
    assert isinstance(found, Refusal)
    assert ledger.client.dbsize() == before  # nothing was stored
    return found


def test_a_full_queue_refuses_until_a_task_is_claimed(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(2)]

    assert refusal(ledger, TWO) == Refusal(Full.QUEUE, 2, None)

    claim(ledger, ids[0])
    assert isinstance(try_to_submit(ledger, admission=TWO), Task)


def test_the_queue_of_one_model_fills_no_other(ledger: Ledger) -> None:
    for _ in range(2):
        submit(ledger)

    assert isinstance(try_to_submit(ledger, model="digits", admission=TWO), Task)


def test_an_owner_has_a_share_of_all_queues(ledger: Ledger) -> None:
    first = submit(ledger, owner="ann")

    assert refusal(ledger, ONE_EACH, owner="ann", model="digits") == Refusal(Full.OWNER, 1, None)
    assert isinstance(try_to_submit(ledger, owner="bob", admission=ONE_EACH), Task)

    ledger.run(calls.cancel(first, "ann", KEPT_MS))
    assert isinstance(try_to_submit(ledger, owner="ann", admission=ONE_EACH), Task)


def test_the_same_id_again_is_never_refused(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(2)]

    again = try_to_submit(ledger, ids[0], admission=TWO)

    assert again == read(ledger, ids[0])


def test_a_task_that_comes_back_to_a_full_queue_is_not_refused(ledger: Ledger) -> None:
    """Accepted is accepted: admission is asked once."""
    first = submit(ledger)
    claim(ledger, first, nonce="n")
    for _ in range(2):
        submit(ledger)

    assert release(ledger, "n") == (first,)

    assert refusal(ledger, TWO).queued == 3


def test_what_has_expired_holds_no_place(ledger: Ledger) -> None:
    """Also when no worker is there to reap it."""
    for _ in range(2):
        id = submit(ledger)
        ledger.client.hset(f"penstock:task:{id}", "deadline", 1)
        ledger.client.zadd("penstock:deadlines:wait", {id: 1})

    assert isinstance(try_to_submit(ledger, admission=TWO), Task)


def test_a_refusal_tells_the_measured_pace(ledger: Ledger) -> None:
    for _ in range(2):
        submit(ledger)
    seconds, microseconds = ledger.client.time()
    now = seconds * 1000 + microseconds // 1000
    for ago in (9000, 6000, 3000):
        ledger.client.lpush("penstock:claims:wait", now - ago)

    pace = refusal(ledger, TWO).ms_per_claim

    assert pace is not None
    assert 3000 <= pace < 3500  # three claims in nine seconds


def test_a_claim_is_remembered_for_the_pace(ledger: Ledger) -> None:
    for _ in range(300):
        claim(ledger, submit(ledger))

    assert 64 <= ledger.client.llen("penstock:claims:wait") <= 256
