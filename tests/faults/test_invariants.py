"""Each invariant is given a history that breaks it, and must say so; and one that does not, and must keep still."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.invariants import violations
from tests.faults.observations import (
    MODELS,
    TALLY,
    TOGETHER,
    Answer,
    Asked,
    Capacity,
    Document,
    Execution,
    Exit,
    Fault,
    Finish,
    Hand,
    History,
    Loss,
    Overrun,
    Setup,
    Task,
)
from tests.faults.workload import answer

ID = "11111111-1111-4111-8111-111111111111"
SETUP = Setup()
WHOLE = Capacity(
    children={"worker-0": 3, "worker-1": 3},
    at_work=dict.fromkeys(MODELS, 6),
    ready={model: {"workers": 2, "slots": 6} for model in MODELS},
    queue={model: {"queued": 0, "running": 0} for model in MODELS},
)
OTHER = "22222222-2222-4222-8222-222222222222"


def document(status: str, attempt: int = 1, code: str = "", result: Any = None) -> Document:
    error = {"code": code, "message": "Because."} if code else None
    return {"task_id": ID, "status": status, "attempt": attempt, "result": result, "error": error}


def succeeded(token: str = "a", attempt: int = 1) -> Document:
    return document("succeeded", attempt, result={"token": token, "answer": answer(token)})


def history(*documents: Document, asked: Asked | None = None, ended: Document | None = None) -> History:
    """A run of one task, accepted at 100 and seen every 0.5 s from then on; nothing was done to it."""
    task = Task(asked or Asked("a", seconds=1.0), ID, accepted=100.0)
    for n, seen in enumerate([document("queued", 0), *documents]):
        task.see(100.0 + n / 2, seen)
    task.at_the_end = ended or task.sightings[-1].document
    return History(setup=SETUP, tasks=[task], capacity=WHOLE, over=110.0, **ran([task], 11, at=100.1))


def ran(tasks: list[Task], pid: int, at: float, *, attempt: int = 1) -> dict[str, list[Any]]:
    """The executions and the hands of a child that computed these tasks together."""
    together = tuple(task.asked.token for task in tasks)
    runs = [Execution(token, pid, pid - pid % 10, at, together) for token in together]
    return {"executions": runs, "hands": [Hand(tuple((task.id, attempt) for task in tasks), pid, at)]}


def run_again(found: History, tasks: list[Task], pid: int, at: float, *, attempt: int) -> None:
    more = ran(tasks, pid, at, attempt=attempt)
    found.executions += more["executions"]
    found.hands += more["hands"]


def batch(other: str = "succeed", *documents: Document, attempts: int = 2, ended: str = "succeeded") -> History:
    """A task that was in a batch with another, which behaves as said and `ended` so; then the task runs alone."""
    found = history(document("running"), *documents, succeeded(attempt=attempts), asked=Asked("a", 1.0, model=TOGETHER))
    code = {"die": "worker_lost", "spin": "timeout", "raise": "model_error"}.get(other, "")
    outcome = document("failed" if code else ended, {"die": 6, "spin": 2}.get(other, 1), code)
    if other == "succeed" and ended == "succeeded":
        outcome = succeeded("b")
    neighbour = Task(Asked("b", 0.5, behave=other, model=TOGETHER), OTHER, accepted=100.0)
    neighbour.see(100.0, {**document("queued", 0), "task_id": OTHER})
    neighbour.see(101.5, {**outcome, "task_id": OTHER})
    neighbour.at_the_end = neighbour.sightings[-1].document
    neighbour.cancels = [200] if ended == "canceled" else []
    found.answers = [Answer("api-0", "cancel", "b", 100.4, 0.01, 200)] if ended == "canceled" else []
    found.tasks.append(neighbour)
    found.executions, found.hands = (ran(found.tasks, 11, 100.1)[name] for name in ("executions", "hands"))
    if attempts > 1:
        run_again(found, found.tasks[:1], 12, 101.2, attempt=2)
    return found


def good() -> History:
    return history(document("running"), succeeded())


def kinds(found: History) -> set[str]:
    return {violation.kind for violation in violations(found)}


def test_a_good_history_violates_nothing() -> None:
    assert violations(good()) == []


def test_a_task_that_never_ends_is_stuck() -> None:
    assert kinds(history(document("running"))) == {"stuck"}


def test_a_task_that_ends_too_late_is_stuck() -> None:
    found = good()
    found.over = 50.0
    assert kinds(found) == {"stuck"}


def test_a_final_state_that_is_left_has_changed() -> None:
    assert "changed" in kinds(history(succeeded(), document("running", 2), ended=succeeded()))


@pytest.mark.parametrize("ended", [document("failed", code="timeout"), succeeded(attempt=2), {"type": "unknown-task"}])
def test_another_document_at_the_very_end_has_changed(ended: Document) -> None:
    assert kinds(history(succeeded(), ended=ended)) == {"changed"}


def test_the_result_of_another_input_is_wrong() -> None:
    assert kinds(history(document("succeeded", result={"token": "a", "answer": answer("b")}))) == {"wrong"}


def test_a_result_without_success_is_wrong() -> None:
    asked = Asked("a", 1.0, behave="raise")
    assert kinds(history(document("failed", code="model_error", result={"token": "a"}), asked=asked)) == {"wrong"}


@pytest.mark.parametrize(
    ("behave", "ended"),
    [
        ("succeed", document("failed", code="model_error")),
        ("succeed", document("failed", code="timeout")),
        ("succeed", document("failed", attempt=4, code="worker_lost")),
        ("succeed", document("failed", code="invalid_result")),
        ("succeed", document("canceled")),
        ("die", document("failed", attempt=4, code="worker_lost")),
        ("spin", document("failed", code="model_error")),
        ("raise", succeeded()),
    ],
)
def test_an_outcome_that_nothing_allows_is_wrong(behave: str, ended: Document) -> None:
    assert "wrong" in kinds(history(ended, asked=Asked("a", 1.0, behave=behave)))


@pytest.mark.parametrize(
    ("behave", "ended"),
    [
        ("raise", document("failed", code="model_error")),
        ("spin", document("failed", code="timeout")),
        ("die", document("failed", attempt=5, code="worker_lost")),
    ],
)
def test_an_outcome_that_was_asked_for_is_right(behave: str, ended: Document) -> None:
    assert violations(history(ended, asked=Asked("a", 1.0, behave=behave))) == []


def test_a_timeout_is_allowed_to_a_task_whose_child_stood_still_for_long() -> None:
    found = history(document("failed", code="timeout"))
    found.faults = [Fault("frozen", 100.2, 105.2, pids=frozenset({11}), frozen=frozenset({11}))]
    assert violations(found) == []
    found.faults = [replace(found.faults[0], frozen=frozenset({12}))]
    assert kinds(found) == {"wrong"}


def test_a_task_that_its_client_canceled_may_be_canceled() -> None:
    found = history(document("canceled"))
    found.tasks[0].cancels = [None]
    assert violations(found) == []


def test_a_cancellation_that_was_confirmed_and_did_not_hold_is_wrong() -> None:
    found = good()
    found.tasks[0].cancels = [200]
    assert kinds(found) == {"wrong"}


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


def test_deaths_in_a_batch_fail_nobody() -> None:
    found = batch("die")
    found.tasks[1].sightings[-1] = replace(
        found.tasks[1].sightings[-1], document={**document("failed", 5, "worker_lost"), "task_id": OTHER}
    )
    found.tasks[1].at_the_end = found.tasks[1].sightings[-1].document
    assert kinds(found) == {"wrong"}


def test_after_a_batch_that_raised_each_has_its_turn_in_the_same_attempt() -> None:
    found = batch("raise", attempts=1)
    found.executions += [Execution(token, 11, 10, at, (token,)) for token, at in (("a", 101.1), ("b", 102.1))]
    assert violations(found) == []
    found.executions.append(Execution("a", 11, 10, 103.0, ("a",)))
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


def test_a_batch_that_a_neighbour_broke_off_recovers_within_the_bound() -> None:
    found = batch("die", *[document("running")] * 20, document("running", 2))
    found.setup = replace(SETUP, lease_seconds=0.0)
    bound = 101.1 + 5.0  # they were to take 1 s, from 100.1 on
    found.executions[-1] = replace(found.executions[-1], at=bound - 0.1)
    assert violations(found) == []
    found.executions[-1] = replace(found.executions[-1], at=bound + 0.1)
    assert kinds(found) == {"slow"}


def test_a_404_for_an_accepted_task_is_lost() -> None:
    found = good()
    found.answers = [Answer("api-0", "read", "a", 101.0, 0.01, 404)]
    assert kinds(found) == {"lost"}


@pytest.mark.parametrize("status", [500, 502, 422])
def test_an_answer_that_is_no_part_of_the_promise_is_wrong(status: int) -> None:
    found = good()
    found.answers = [Answer("api-0", "read", "a", 101.0, 0.01, status)]
    assert kinds(found) == {"wrong"}


def test_a_503_tells_when_to_ask_again() -> None:
    found = good()
    found.answers = [Answer("api-0", "read", "a", 101.0, 0.01, 503, retry_after="1")]
    assert violations(found) == []
    found.answers = [Answer("api-0", "read", "a", 101.0, 0.01, 503)]
    assert kinds(found) == {"wrong"}


@pytest.mark.parametrize("status", [200, None])
def test_a_slow_answer_and_a_slow_error_hang(status: int | None) -> None:
    found = good()
    found.answers = [Answer("api-0", "read", "a", 101.0, 1.6, status)]
    assert kinds(found) == {"hung"}


def test_an_api_that_stands_still_may_be_slow() -> None:
    found = good()
    found.answers = [Answer("api-0", "read", "a", 101.0, 3.0, None)]
    found.faults = [Fault("API frozen", 101.5, 103.9, everyone=True, api="api-0")]
    assert violations(found) == []
    found.faults = [replace(found.faults[0], api="api-1")]
    assert kinds(found) == {"hung"}


@pytest.mark.parametrize(
    "capacity",
    [
        replace(WHOLE, children={"worker-0": 3, "worker-1": 2}),
        replace(WHOLE, children={"worker-0": 3}),
        replace(WHOLE, at_work={**WHOLE.at_work, TALLY: 5}),
        replace(WHOLE, at_work={**WHOLE.at_work, TOGETHER: 5}),
        replace(WHOLE, ready={**WHOLE.ready, TALLY: {"workers": 2, "slots": 5}}),
        replace(WHOLE, ready={**WHOLE.ready, TOGETHER: {"workers": 3, "slots": 6}}),
        replace(WHOLE, queue={**WHOLE.queue, TALLY: {"queued": 1, "running": 0}}),
        replace(WHOLE, queue={**WHOLE.queue, TOGETHER: {"queued": 0, "running": 1}}),
        replace(WHOLE, queue={}),
        replace(WHOLE, left_behind=(99,)),
    ],
)
def test_what_is_missing_or_left_at_the_end_counts_as_slots(capacity: Capacity) -> None:
    found = good()
    found.capacity = capacity
    assert kinds(found) == {"slots"}


def test_a_process_that_ends_by_itself_has_ended() -> None:
    found = good()
    found.exits = [Exit("worker-0", 10, 1, 103.0, was_ready=True)]
    assert kinds(found) == {"ended"}
    found.felled = {10}
    assert violations(found) == []


def test_a_process_may_end_before_it_was_ready() -> None:
    found = good()
    found.exits = [Exit("worker-0", 10, 1, 103.0, was_ready=False)]
    assert violations(found) == []


def test_a_process_that_does_not_stop_when_told_to_has_ended_badly() -> None:
    found = good()
    found.overstayed = ["worker-0"]
    assert kinds(found) == {"ended"}


def test_a_log_line_that_should_never_be_written_counts() -> None:
    found = good()
    found.complaints = ["the lease keeper failed"]
    assert kinds(found) == {"ended"}


def test_a_recovery_beyond_the_bound_is_slow() -> None:
    found = history(*[document("running")] * 20, document("running", 2), succeeded(attempt=2))
    found.faults = [Fault("worker killed", 100.5, 100.5, 103.0, hinders=True, deadly=True, pids=frozenset({10, 11}))]
    bound = SETUP.lease_seconds + 5
    run_again(found, found.tasks, 21, 100.5 + bound - 0.1, attempt=2)
    assert violations(found) == []
    found.executions[-1] = replace(found.executions[-1], at=100.5 + bound + 0.1)
    assert kinds(found) == {"slow"}
