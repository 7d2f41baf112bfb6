"""Tasks that wait for company: for how long, and in nobody's way."""

import pytest

from shared.ledger.connection import Ledger
from shared.ledger.records import Wanted
from shared.queue import list_key
from shared.task import Status
from tests.contract.steps import ids, messages, read, submit, win


def test_a_task_that_waits_for_company_while_another_is_claimed_gets_its_message_back(ledger: Ledger) -> None:
    """Its child goes away with the other: somebody else must hear of it."""
    waiting, other = submit(ledger), submit(ledger, model="digits")
    ledger.client.rpop(list_key("wait"))
    wanted = (Wanted("wait", 3, wait_ms=60_000), Wanted("digits"))

    assert ids(win(ledger, waiting, wanted=wanted).claims) == [other]

    assert messages(ledger) == [waiting]
    assert win(ledger, waiting, wanted=wanted).wait_ms is not None
    assert messages(ledger) == [waiting]


@pytest.mark.parametrize("hinted", [True, False])
def test_a_task_waits_for_company_for_as_long_as_its_model_says(ledger: Ledger, hinted: bool) -> None:
    wanted = (Wanted("wait", 3, wait_ms=60_000),)
    first = submit(ledger)
    hint = first if hinted else ""

    won = win(ledger, hint, wanted=wanted)

    assert won.claims == ()
    assert won.wait_ms is not None
    assert 0 < won.wait_ms <= 60_000
    assert read(ledger, first).status is Status.QUEUED

    company = [submit(ledger) for _ in range(2)]
    assert ids(win(ledger, hint, wanted=wanted).claims) == [first, *company]


def test_a_model_that_waits_for_company_does_not_keep_the_others_waiting(ledger: Ledger) -> None:
    submit(ledger)
    other = submit(ledger, model="digits")
    wanted = (Wanted("wait", 3, wait_ms=60_000), Wanted("digits"))

    assert ids(win(ledger, wanted=wanted).claims) == [other]
    assert win(ledger, wanted=wanted).wait_ms is not None


def test_an_old_task_has_waited_enough(ledger: Ledger) -> None:
    id = submit(ledger)
    ledger.client.hincrby(f"penstock:task:{id}", "created", -100)

    assert ids(win(ledger, wanted=(Wanted("wait", 3, wait_ms=50),)).claims) == [id]
