"""The ledger's conformance suite: every action from every state, pair by pair, against the table in shared/task.py."""

from collections.abc import Callable

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Claim
from shared.task import FINAL, TRANSITIONS, Action, ErrorCode, Status, TaskError, may
from tests.contract.steps import EVERYTHING, KEPT_MS, abandon, claim, read, release, submit, try_to_claim

ID = "6f1c2a3b-0d4e-4f5a-8b6c-7d8e9f0a1b2c"
ERROR = TaskError(ErrorCode.MODEL_ERROR, "The model raised KeyError.")


def submitted(ledger: Ledger) -> None:
    submit(ledger, ID)


def claimed(ledger: Ledger) -> Claim:
    submitted(ledger)
    return claim(ledger, ID, nonce="held")


def expire(ledger: Ledger) -> None:
    """Let a queued task's deadline pass, and have it noticed."""
    if ledger.client.hget(f"penstock:task:{ID}", "status") == b"queued":
        ledger.client.hset(f"penstock:task:{ID}", "deadline", read(ledger, ID).created_ms)
        ledger.client.zadd("penstock:deadlines:wait", {ID: 1})
        ledger.client.sadd("penstock:models", "wait")
    ledger.run(calls.reap(3, KEPT_MS, 60_000, 60_000))


REACH: dict[Status, Callable[[Ledger], object]] = {
    Status.QUEUED: submitted,
    Status.RUNNING: claimed,
    Status.SUCCEEDED: lambda ledger: ledger.run(calls.succeed(claimed(ledger), b"{}", KEPT_MS)),
    Status.FAILED: lambda ledger: ledger.run(calls.fail(ID, claimed(ledger).token, ERROR, KEPT_MS)),
    Status.CANCELED: lambda ledger: (submitted(ledger), ledger.run(calls.cancel(ID, "", KEPT_MS))),
}

# Every way of taking each action, with the state it leads to. The token is the one that the running state holds.
TAKE: list[tuple[Action, Status, Callable[[Ledger], object]]] = [
    (Action.CLAIM, Status.RUNNING, lambda ledger: try_to_claim(ledger, ID)),
    (
        Action.FINISH,
        Status.SUCCEEDED,
        lambda ledger: ledger.run(calls.succeed(Claim(ID, 1, "wait", b""), b"1", KEPT_MS)),
    ),
    (Action.FINISH, Status.FAILED, lambda ledger: ledger.run(calls.fail(ID, 1, ERROR, KEPT_MS))),
    (Action.RELEASE, Status.QUEUED, lambda ledger: release(ledger, "held")),
    (Action.REAP, Status.QUEUED, lambda ledger: abandon(ledger, "held", 2)),
    (Action.REAP, Status.FAILED, lambda ledger: abandon(ledger, "held", 1)),
    (Action.EXPIRE, Status.FAILED, expire),
    (Action.RETRY, Status.QUEUED, lambda ledger: ledger.run(calls.retry(ID, "", EVERYTHING, KEPT_MS))),
    (Action.CANCEL, Status.CANCELED, lambda ledger: ledger.run(calls.cancel(ID, "", KEPT_MS))),
]


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize(("action", "after", "take"), TAKE, ids=[f"{action}-{after}" for action, after, _ in TAKE])
def test_an_action_moves_a_task_as_the_table_allows_and_otherwise_changes_nothing(
    ledger: Ledger, before: Status, action: Action, after: Status, take: Callable[[Ledger], object]
) -> None:
    REACH[before](ledger)
    was = read(ledger, ID)

    take(ledger)

    assert was.status is before
    if may(action, before, after):
        assert read(ledger, ID).status is after
    else:
        assert read(ledger, ID) == was


def test_every_transition_of_the_table_is_taken_here() -> None:
    taken = {(action, after) for action, after, _ in TAKE}

    assert {
        (action, after) for action, rows in TRANSITIONS.items() for afters in rows.values() for after in afters
    } == taken


@pytest.mark.parametrize("final", sorted(FINAL))
def test_a_final_task_holds_nothing_and_leaves_when_its_retention_ends(ledger: Ledger, final: Status) -> None:
    REACH[final](ledger)
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))  # drops messages that lead nowhere

    task = read(ledger, ID)
    census = ledger.run(calls.census(["wait"]))["wait"]
    assert (census.queued, census.running) == (0, 0)
    assert task.expires_ms is not None
    assert task.finished_ms is not None
    assert task.expires_ms - task.finished_ms == KEPT_MS
    assert 0 < ledger.client.pttl(f"penstock:task:{ID}") <= KEPT_MS


def test_nothing_but_a_clients_retry_leaves_a_final_state() -> None:
    leaving = {action for action in Action for before in FINAL for after in Status if may(action, before, after)}
    assert leaving == {Action.RETRY}
