"""Histories in which an attempt is won, computed or published once too often, or has no cause."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.histories import ID, OTHER, SETUP, batch, document, good, history, kinds, run_again, succeeded
from tests.faults.invariants import violations
from tests.faults.observations import Execution, Fault, Finish, Hand, Loss, Overrun


def test_two_accepted_finishes_are_doubled() -> None:
    found = good()
    found.finishes = [Finish(ID, 1, "succeeded", accepted=True)] * 2
    assert kinds(found) == {"doubled"}


@pytest.mark.parametrize("finish", [Finish(ID, 2, "succeeded", True), Finish(ID, 1, "model_error", True)])
def test_a_finish_that_was_accepted_and_is_not_the_tasks_is_doubled(finish: Finish) -> None:
    found = good()
    found.finishes = [finish]
    assert kinds(found) == {"doubled"}


def test_a_refused_finish_is_nothing() -> None:
    found = history(document("running", 2), succeeded(attempt=2))
    found.faults = [Fault("child killed", 100.2, 100.2, pids=frozenset({77}))]
    found.finishes = [Finish(ID, 1, "succeeded", accepted=False), Finish(ID, 2, "succeeded", accepted=True)]
    assert violations(found) == []


def test_an_execution_without_an_attempt_is_doubled() -> None:
    found = good()
    found.executions = found.executions * 2
    assert kinds(found) == {"doubled"}


def test_an_attempt_that_decreases_is_doubled() -> None:
    assert kinds(history(document("running", 2), succeeded(attempt=1))) == {"doubled"}


def test_an_attempt_without_a_cause_is_doubled() -> None:
    found = history(document("running", 2), succeeded(attempt=2))
    assert kinds(found) == {"doubled"}
    found.faults = [
        Fault("API killed", 100.2, 100.2, everyone=True),
        Fault("lost", 100.2, 100.2, tasks=frozenset({ID})),
    ]
    assert kinds(found) == {"doubled"}
    found.faults = [Fault("child killed", 100.2, 100.2, pids=frozenset({77}))]
    assert violations(found) == []


def test_what_struck_before_a_lost_answer_was_heard_anew_is_a_cause() -> None:
    found = history(document("running", 2), succeeded(attempt=2))
    accepted = found.tasks[0].accepted
    found.faults = [Fault("child killed", accepted - 0.5, accepted - 0.5, pids=frozenset({77}))]
    assert kinds(found) == {"doubled"}
    found.tasks[0].sent = accepted - 1.0
    assert violations(found) == []


def test_more_losses_than_attempts_are_wrong() -> None:
    found = good()
    found.losses = [Loss(ID)] * (SETUP.max_attempts + 1)
    assert kinds(found) == {"wrong"}
    found.losses = [Loss(ID)] * SETUP.max_attempts
    assert violations(found) == []


def test_one_loss_more_is_for_who_was_in_a_batch() -> None:
    found = batch("die")
    found.losses = [Loss(OTHER)] * (SETUP.max_attempts + 1)
    assert violations(found) == []
    found.losses = [Loss(OTHER)] * (SETUP.max_attempts + 2)
    assert kinds(found) == {"wrong"}


def test_a_neighbour_that_dies_or_spins_or_is_canceled_is_a_cause_and_one_that_raises_is_none() -> None:
    assert violations(batch("die")) == []
    assert violations(batch("spin")) == []
    assert violations(batch(ended="canceled")) == []
    assert kinds(batch("raise")) == {"doubled"}
    assert kinds(batch()) == {"doubled"}


def test_a_neighbour_that_was_canceled_at_another_time_is_no_cause() -> None:
    found = batch(ended="canceled")
    found.hands[0] = Hand(((ID, 1), (OTHER, 2)), 11, 100.1)
    assert kinds(found) == {"doubled"}


def test_a_neighbour_costs_one_attempt_and_not_two() -> None:
    found = batch("die", document("running", 2), attempts=3)
    run_again(found, found.tasks[:1], 13, 101.4, attempt=3)
    assert kinds(found) == {"doubled"}


def test_who_kills_its_workers_has_as_many_attempts_more_as_it_was_in_batches() -> None:
    found = batch("die")  # its sixth attempt is its last: five were alone
    assert violations(found) == []
    found.tasks[1].sightings[-1] = found.tasks[0].sightings[0]  # queued, to be seen anew
    found.tasks[1].see(101.5, {**document("failed", 7, "worker_lost"), "task_id": OTHER})
    found.tasks[1].at_the_end = found.tasks[1].sightings[-1].document
    assert kinds(found) == {"doubled"}


def test_after_a_batch_that_raised_each_has_its_turn_in_the_same_attempt() -> None:
    found = batch("raise", attempts=1)
    found.executions += [Execution(token, 11, 10, at, (token,)) for token, at in (("a", 101.1), ("b", 102.1))]
    assert violations(found) == []
    found.executions.append(Execution("a", 11, 10, 103.0, ("a",)))
    assert kinds(found) == {"doubled"}


def test_a_turn_may_come_when_another_child_has_run_the_next_attempt() -> None:
    found = batch("raise")
    found.faults = [Fault("worker's network cut past the lease", 100.3, 101.0, pids=frozenset({11}))]
    turn = Execution("a", 11, 10, 101.4, ("a",))
    found.executions.append(turn)
    assert violations(found) == []
    found.executions.append(replace(turn, at=101.5))
    assert kinds(found) == {"doubled"}


@pytest.mark.parametrize("other", ["succeed", "raise"])
def test_a_turn_in_another_child_is_another_attempt(other: str) -> None:
    found = batch(other, attempts=1)
    found.executions.append(Execution("a", 12, 10, 101.1, ("a",)))
    found.hands.append(Hand(((ID, 9),), 12, 101.1))
    assert kinds(found) == {"doubled"}


def test_what_is_computed_and_was_not_won_is_doubled() -> None:
    found = good()
    found.hands[0] = replace(found.hands[0], pid=12)
    assert kinds(found) == {"doubled"}


def test_what_is_computed_together_and_was_won_one_by_one_is_doubled() -> None:
    found = batch(attempts=1)
    assert violations(found) == []
    found.hands = [Hand(((ID, 1),), 11, 100.1), Hand(((OTHER, 1),), 11, 100.1)]
    assert kinds(found) == {"doubled"}


def test_an_attempt_that_two_children_won_is_doubled() -> None:
    found = good()
    found.hands.append(replace(found.hands[0], pid=12))
    assert kinds(found) == {"doubled"}


def test_more_together_than_the_model_takes_are_wrong() -> None:
    found = batch(attempts=1)
    found.setup = replace(SETUP, most_together=1)
    assert kinds(found) == {"wrong"}


@pytest.mark.parametrize(
    "ended", [{"losses": [Loss(ID, 11)]}, {"overruns": [Overrun(11, ID)]}, {"overruns": [Overrun(11, OTHER)]}]
)
def test_who_died_in_a_batch_or_was_too_slow_is_not_in_another(ended: dict[str, Any]) -> None:
    found = batch("die")
    for name, value in ended.items():
        setattr(found, name, value)
    assert violations(found) == []
    found.hands[1] = Hand(((ID, 2), ("another", 1)), 12, 101.2)
    is_of_this_one = ended != {"overruns": [Overrun(11, OTHER)]}  # it held only the other any more
    assert kinds(found) == ({"wrong"} if is_of_this_one else set())
