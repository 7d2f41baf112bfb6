"""Since when a task is next in line: as long as only what comes before it is claimed."""

import pytest

from tests.faults.line import LULL_SECONDS, next_since
from tests.faults.observations import TALLY, TOGETHER, Asked, Hand, History, Task


def task(id: str, created: str, priority: int = 1, model: str = TALLY) -> Task:
    found = Task(Asked(id, 1.0, model=model, priority=priority), id, accepted=100.0)
    found.see(100.0, {"status": "queued", "created_at": created})
    return found


WAITING = task("waiting", "12:00:05")


def since(*claimed: tuple[float, Task]) -> float:
    """Claims of other tasks; the one that waits is claimed, and runs, at 110."""
    hands = [Hand(((other.id, 1),), 11, at) for at, other in [*claimed, (110.0, WAITING)]]
    return next_since(WAITING, 110.001, History(tasks=[WAITING, *(other for _, other in claimed)], hands=hands))


@pytest.mark.parametrize(
    "first",
    [task("a", "12:00:09", priority=2), task("a", "12:00:04"), task("a", "12:00:09", model=TOGETHER)],
)
def test_what_comes_first_in_line_makes_it_wait(first: Task) -> None:
    assert since((108.0, first), (109.0, first)) == 108.0


@pytest.mark.parametrize(
    "later",
    [task("a", "12:00:04", priority=0), task("a", "12:00:06"), task("a", "12:00:04", priority=0, model=TOGETHER)],
)
def test_what_comes_after_it_was_claimed_because_it_could_not_be(later: Task) -> None:
    urgent = task("b", "12:00:00", priority=3)
    assert since((105.0, urgent), (106.0, urgent), (108.0, later), (109.0, urgent)) == 108.0


def test_who_is_claimed_at_the_same_time_was_only_faster() -> None:
    assert since((108.0, task("b", "12:00:00", priority=3)), (109.9, task("a", "12:00:06"))) == 108.0


def test_a_lull_ends_the_line() -> None:
    urgent = task("b", "12:00:00", priority=3)
    assert since((109.0 - LULL_SECONDS - 0.1, urgent), (109.0, urgent)) == 109.0
    assert since() == 110.001
