"""What a child decides before it runs anything."""

import pytest

from worker.child import is_to_be_taken_back
from worker.slots import SlotView, State

TASK, NONCE = "0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b", "1c9f8e7d-6b5a-4f4e-9d3c-2b1a0f9e8d7c"


def view(state: State, limit: float = 5.0, computing: int = 1) -> SlotView:
    at_a_task = state in (State.CLAIMING, State.BUSY, State.FINISHING)
    return SlotView(
        0, state, 10, 100.0, limit, ((TASK, 1),), computing, nonce=NONCE if at_a_task else "", next_nonce=""
    )


@pytest.mark.parametrize(
    ("predecessor", "now", "expected"),
    [
        (None, 101.0, False),
        (view(State.ABSENT), 101.0, False),
        (view(State.IDLE), 101.0, False),
        (view(State.CLAIMING, limit=0.0), 101.0, True),  # it may have won; the ledger knows
        (view(State.BUSY), 101.0, True),
        (view(State.BUSY), 105.1, False),  # killed for it, and the keeper says so
        (view(State.BUSY, computing=2), 105.1, False),  # so is a batch: the keeper gives its tasks back
        (view(State.FINISHING, limit=0.0), 9999.0, True),  # it had computed in time, and waited to publish
    ],
)
def test_whose_task_a_new_child_takes_back(predecessor: SlotView | None, now: float, expected: bool) -> None:
    assert is_to_be_taken_back(predecessor, now) is expected
