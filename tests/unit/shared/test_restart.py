"""What to do about a process that ended: back-off, and when to give up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.supervision.restart import STEADY_SECONDS, Again, GiveUp, Record, after_end, backoff, describe_end


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 30), (8, 30), (5000, 30)]
)
def test_backoff_doubles_up_to_its_longest(failures: int, seconds: float) -> None:
    assert backoff(failures) == seconds


def test_a_killed_process_is_started_again() -> None:
    step = after_end(Record(), code=-9, lived=1, ever_ready=True)
    assert step == Again(0.5, Record(short_lives=1))


def test_dying_again_soon_makes_the_pause_longer() -> None:
    assert after_end(Record(short_lives=3), code=1, lived=2, ever_ready=True) == Again(4.0, Record(4))


def test_a_steady_life_starts_the_backoff_over() -> None:
    step = after_end(Record(short_lives=6), code=1, lived=STEADY_SECONDS, ever_ready=True)
    assert step == Again(0.5, Record(1))


@pytest.mark.parametrize("code", [2, 78])
@pytest.mark.parametrize("ever_ready", [True, False])
def test_a_process_that_cannot_start_is_not_tried_again(code: int, ever_ready: bool) -> None:
    step = after_end(Record(), code=code, lived=0.1, ever_ready=ever_ready)
    assert isinstance(step, GiveUp)
    assert step.code == code


def test_five_ends_before_ready_are_enough() -> None:
    record, steps = Record(), []
    for _ in range(5):
        step = after_end(record, code=1, lived=100, ever_ready=False)
        steps.append(step)
        record = step.record if isinstance(step, Again) else record
    assert [type(step) for step in steps] == [Again] * 4 + [GiveUp]
    assert steps[-1] == GiveUp(1, "exited with code 1, 5 times in a row before it was ready")


@given(
    code=st.integers(-64, 255).filter(lambda c: c not in (2, 78)),
    lived=st.floats(0, 1e6),
    short_lives=st.integers(0, 1000),
)
def test_once_ready_it_never_gives_up(code: int, lived: float, short_lives: int) -> None:
    step = after_end(Record(short_lives, 4), code=code, lived=lived, ever_ready=True)
    assert isinstance(step, Again)
    assert 0.5 <= step.delay <= 30


def test_ends_are_described_as_people_say_them() -> None:
    assert describe_end(-9) == "exited with signal 9"
    assert describe_end(3) == "exited with code 3"
