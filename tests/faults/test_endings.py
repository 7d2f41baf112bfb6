"""Histories in which a task does not end, does not stay so, or ends as nothing allows."""

from dataclasses import replace

import pytest

from tests.faults.histories import OTHER, batch, document, good, history, kinds, succeeded
from tests.faults.invariants import violations
from tests.faults.observations import Asked, Document, Fault
from tests.faults.workload import answer


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


def test_deaths_in_a_batch_fail_nobody() -> None:
    found = batch("die")
    found.tasks[1].sightings[-1] = replace(
        found.tasks[1].sightings[-1], document={**document("failed", 5, "worker_lost"), "task_id": OTHER}
    )
    found.tasks[1].at_the_end = found.tasks[1].sightings[-1].document
    assert kinds(found) == {"wrong"}
