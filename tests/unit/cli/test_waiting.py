"""The pauses of a wait, and what its end means."""

import pytest

from cli.client import Reply
from cli.waiting import Waited, exit_code, pause_after, pause_after_failure


@pytest.mark.parametrize(("asked", "pause"), [(None, 1.0), (0.0, 0.1), (2.0, 2.0), (3600.0, 30.0)])
def test_the_api_says_how_long_to_pause_within_reason(asked: float | None, pause: float) -> None:
    assert pause_after(Reply({}, asked)) == pause


def test_pauses_after_failures_grow_up_to_ten_seconds() -> None:
    assert [pause_after_failure(None, n) for n in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 10.0]


def test_after_a_failure_the_api_may_ask_for_more() -> None:
    assert pause_after_failure(5.0, 1) == 5.0
    assert pause_after_failure(9999.0, 1) == 30.0


@pytest.mark.parametrize(
    ("status", "timed_out", "code"),
    [("succeeded", False, 0), ("failed", False, 1), ("canceled", False, 1), ("running", True, 3), (None, True, 3)],
)
def test_exit_codes(status: str | None, timed_out: bool, code: int) -> None:
    assert exit_code(Waited({"status": status} if status else None, timed_out)) == code
