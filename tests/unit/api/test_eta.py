from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.eta import eta_seconds, reason, retry_after
from shared.task import Outlook, QueueView
from tests.unit.api.examples import CANCELED, FAILED, QUEUED, RUNNING, SUCCEEDED


def view(
    position: int = 1,
    *,
    slots: int = 1,
    workers: int = 1,
    run_ms: tuple[int, ...] = (2000,),
    elapsed_ms: tuple[int, ...] = (0,),
    others: int = 0,
) -> QueueView:
    return QueueView(position, Outlook(slots, workers, run_ms, elapsed_ms, others))


@pytest.mark.parametrize(
    ("queue", "seconds"),
    [
        (view(), 2.0),
        (view(elapsed_ms=(1500,)), 0.5),
        (view(elapsed_ms=(2500,)), 0.0),  # it has outrun every other
        (view(position=3), 6.0),
        (view(position=3, elapsed_ms=(1500,)), 4.5),
        (view(slots=2, elapsed_ms=(500, 1500)), 0.5),
        (view(position=2, slots=2, elapsed_ms=(500, 1500)), 1.5),
        (view(position=3, slots=2, elapsed_ms=(500, 1500)), 2.5),
        (view(position=4, slots=2, elapsed_ms=(500, 1500)), 3.5),
        (view(slots=2, elapsed_ms=(500,)), 0.0),  # the other slot is free
        (view(slots=2, elapsed_ms=(500,), others=1), 1.0),  # or runs what is not known
        (view(slots=1, elapsed_ms=(500, 1000)), 1.0),  # a worker has just left, its tasks run on
        (view(run_ms=(1000, 5000), elapsed_ms=(500,)), 2.5),
        (view(run_ms=(1000, 5000), elapsed_ms=(2000,)), 3.0),  # the short ones are out of the question
        (view(position=2, run_ms=(1000, 5000), elapsed_ms=(2000,)), 6.0),
        (view(slots=0, workers=0), None),
        (view(run_ms=()), None),
        (view(run_ms=(0,)), 0.0),
    ],
)
def test_a_task_starts_when_as_many_slots_have_fallen_free_as_its_position_says(
    queue: QueueView, seconds: float | None
) -> None:
    assert eta_seconds(queue) == seconds


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=64), st.integers(1, 9), st.lists(st.integers(0, 10**6)))
def test_who_stands_further_back_never_starts_sooner(runs: list[int], slots: int, elapsed: list[int]) -> None:
    etas = [
        eta_seconds(view(position, slots=slots, run_ms=tuple(runs), elapsed_ms=tuple(elapsed)))
        for position in range(1, 40)
    ]
    assert etas[0] is not None
    assert etas[0] >= 0
    assert etas == sorted(etas, key=lambda eta: eta or 0)


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
        (view(run_ms=(2100,)), 3),
        (view(run_ms=(1,)), 1),
        (view(run_ms=()), 1),
        (view(position=1000), 30),
        (view(slots=0, workers=0), 5),
    ],
)
def test_a_queued_task_is_asked_about_when_it_should_start(queue: QueueView, seconds: int) -> None:
    assert retry_after(replace(QUEUED, queue=queue)) == seconds


def test_a_running_task_is_asked_about_every_second_and_a_final_one_no_more() -> None:
    assert retry_after(RUNNING) == 1
    assert [retry_after(task) for task in (SUCCEEDED, FAILED, CANCELED)] == [None, None, None]


@given(st.integers(1, 10**9), st.integers(0, 10**4), st.integers(0, 10**4), st.lists(st.integers(0, 10**9), max_size=3))
def test_the_wait_before_asking_again_is_bounded(position: int, slots: int, workers: int, runs: list[int]) -> None:
    seconds = retry_after(replace(QUEUED, queue=view(position, slots=slots, workers=workers, run_ms=tuple(runs))))
    assert seconds is not None
    assert 1 <= seconds <= 30
