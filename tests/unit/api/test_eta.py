from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.eta import eta_seconds, reason, retry_after
from shared.task import QueueView
from tests.unit.api.examples import CANCELED, FAILED, QUEUED, RUNNING, SUCCEEDED


def view(position: int = 1, slots: int = 1, workers: int = 1, typical_run_ms: int | None = 2000) -> QueueView:
    return QueueView(position, slots, workers, typical_run_ms)


@pytest.mark.parametrize(
    ("queue", "seconds"),
    [
        (view(), 2.0),
        (view(position=3), 6.0),
        (view(position=3, slots=4), 1.5),
        (view(slots=0, workers=0), None),
        (view(typical_run_ms=None), None),
        (view(typical_run_ms=0), 0.0),
    ],
)
def test_a_task_starts_when_as_many_slots_fell_free_as_stand_before_it(queue: QueueView, seconds: float | None) -> None:
    assert eta_seconds(queue) == seconds


@pytest.mark.parametrize(
    ("queue", "lost", "word"),
    [
        (view(), 0, "waiting"),
        (view(), 2, "retrying"),
        (view(workers=0), 0, "no_workers"),
        (view(workers=0), 1, "no_workers"),
    ],
)
def test_the_reason_names_what_is_missing_first(queue: QueueView, lost: int, word: str) -> None:
    assert reason(queue, lost) == word


@pytest.mark.parametrize(
    ("queue", "seconds"),
    [
        (view(), 2),
        (view(typical_run_ms=2100), 3),
        (view(typical_run_ms=1), 1),
        (view(typical_run_ms=None), 1),
        (view(position=1000), 30),
        (view(slots=0, workers=0), 5),
    ],
)
def test_a_queued_task_is_asked_about_when_it_should_start(queue: QueueView, seconds: int) -> None:
    assert retry_after(replace(QUEUED, queue=queue)) == seconds


def test_a_running_task_is_asked_about_every_second_and_a_final_one_no_more() -> None:
    assert retry_after(RUNNING) == 1
    assert [retry_after(task) for task in (SUCCEEDED, FAILED, CANCELED)] == [None, None, None]


@given(st.integers(1, 10**9), st.integers(0, 10**4), st.integers(0, 10**4), st.none() | st.integers(0, 10**9))
def test_the_wait_before_asking_again_is_bounded(position: int, slots: int, workers: int, typical: int | None) -> None:
    seconds = retry_after(replace(QUEUED, queue=QueueView(position, slots, workers, typical)))
    assert seconds is not None
    assert 1 <= seconds <= 30
