"""Histories in which an answer, a process or a child is missing, or a recovery takes too long."""

from dataclasses import replace

import pytest

from tests.faults.histories import SETUP, WHOLE, batch, document, good, history, kinds, run_again, succeeded
from tests.faults.invariants import violations
from tests.faults.observations import TALLY, TOGETHER, Answer, Capacity, Exit, Fault


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


def test_a_batch_that_a_neighbour_broke_off_recovers_within_the_bound() -> None:
    found = batch("die", *[document("running")] * 20, document("running", 2))
    found.setup = replace(SETUP, lease_seconds=0.0)
    bound = 101.1 + 5.0  # they were to take 1 s, from 100.1 on
    found.executions[-1] = replace(found.executions[-1], at=bound - 0.1)
    assert violations(found) == []
    found.executions[-1] = replace(found.executions[-1], at=bound + 0.1)
    assert kinds(found) == {"slow"}
