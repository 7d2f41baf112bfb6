"""Owners: another owner's task is no task at all."""

import pytest

from shared.ledger import calls
from shared.ledger.call import Call
from shared.ledger.connection import Ledger
from shared.ledger.records import Retry
from shared.task import Missing, Status, Task
from tests.contract.steps import EVERYTHING, KEPT_MS, claim, fail, read, submit

STRANGERS = ("", "ben", "ann:wait", "*")


@pytest.mark.parametrize("owner", STRANGERS)
@pytest.mark.parametrize("status", list(Status))
def test_another_owners_task_is_unknown_and_stays_as_it_is(ledger: Ledger, status: Status, owner: str) -> None:
    id = submit(ledger, owner="ann")
    if status is Status.SUCCEEDED:
        ledger.run(calls.succeed(claim(ledger, id), b"1", KEPT_MS))
    elif status is Status.FAILED:
        fail(ledger, id)
    elif status is Status.RUNNING:
        claim(ledger, id)
    elif status is Status.CANCELED:
        ledger.run(calls.cancel(id, "ann", KEPT_MS))
    was = read(ledger, id, "ann")
    assert was.status is status

    steps: list[Call[Task | Missing] | Call[Missing | None]] = [
        calls.read(id, owner, KEPT_MS),
        calls.cancel(id, owner, KEPT_MS),
        calls.forget(id, owner, KEPT_MS),
    ]
    for step in steps:
        assert ledger.run(step) is Missing.UNKNOWN
    assert ledger.run(calls.retry(id, owner, EVERYTHING, KEPT_MS)) == Retry(Missing.UNKNOWN, accepted=False)
    assert ledger.run(calls.list_tasks(owner, KEPT_MS, limit=10)).tasks == ()
    assert read(ledger, id, "ann") == was


def test_that_a_task_is_gone_is_told_to_its_owner_alone(ledger: Ledger) -> None:
    id = submit(ledger, owner="ann")
    ledger.run(calls.forget(id, "ann", KEPT_MS))

    assert ledger.run(calls.read(id, "ann", KEPT_MS)) is Missing.GONE
    for owner in STRANGERS:
        assert ledger.run(calls.read(id, owner, KEPT_MS)) is Missing.UNKNOWN
