"""What a child decides before it runs anything."""

import pytest

from worker.child import is_to_be_taken_back, time_limit
from worker.slots import SlotView, State

TASK = "0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b"


def view(state: State, limit: float = 5.0) -> SlotView:
    return SlotView(0, state, 10, TASK, 1, 100.0, limit, "")


@pytest.mark.parametrize(
    ("predecessor", "now", "expected"),
    [
        (None, 101.0, False),
        (view(State.ABSENT), 101.0, False),
        (view(State.IDLE), 101.0, False),
        (view(State.CLAIMING, limit=0.0), 101.0, True),  # it may have won; the ledger knows
        (view(State.BUSY), 101.0, True),
        (view(State.BUSY), 105.1, False),  # killed for it, and the keeper says so
        (view(State.BUSY, limit=float("inf")), 9999.0, True),  # it had computed in time, and waited to publish
    ],
)
def test_whose_task_a_new_child_takes_back(predecessor: SlotView | None, now: float, expected: bool) -> None:
    assert is_to_be_taken_back(predecessor, now) is expected


@pytest.mark.parametrize(("of_model", "asked_ms", "expected"), [(5.0, None, 5.0), (5.0, 500, 0.5), (5.0, 60_000, 5.0)])
def test_a_client_may_ask_for_less_time_than_the_model_allows(
    of_model: float, asked_ms: int | None, expected: float
) -> None:
    assert time_limit(of_model, asked_ms) == expected
