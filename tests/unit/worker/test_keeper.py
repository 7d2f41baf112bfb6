"""What the lease keeper decides, without a ledger and without children."""

import threading

import pytest

from shared.ledger import calls
from shared.ledger.connection import connect
from shared.settings import Settings
from worker.keeper import Attempt, Ending, LeaseKeeper, doomed, ending_call, parse_canceled, slots_by_model
from worker.slots import Slots, SlotView, State

A, B = "0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b", "1c9f8e7d-6b5a-4f4e-9d3c-2b1a0f9e8d7c"


def view(index: int = 0, state: State = State.BUSY, pid: int = 10, task: str = A, since: float = 0.0) -> SlotView:
    return SlotView(index, state, pid, task if state is State.BUSY else "", 1, since, 5.0, "")


@pytest.mark.parametrize(
    ("views", "canceled", "drain_at", "expected"),
    [
        ([view()], set(), None, []),
        ([view()], {(A, 1)}, None, [("canceled", None)]),
        ([view()], {(A, 2)}, None, []),  # an older cancellation must not hit the newer attempt
        ([view()], {(B, 1)}, None, []),
        ([view(since=-5.0)], set(), None, [("past its time limit", Ending.TIMEOUT)]),
        ([view(since=-5.0)], {(A, 1)}, None, [("canceled", None)]),
        ([view()], set(), 1.0, [("the worker stops", Ending.RELEASE)]),
        ([view()], set(), 1.1, []),
        ([view(state=State.IDLE), view(1, State.LOADING)], {(A, 1)}, 0.0, []),
    ],
)
def test_which_children_are_taken_down(
    views: list[SlotView], canceled: set[Attempt], drain_at: float | None, expected: list[tuple[str, Ending | None]]
) -> None:
    assert [(why, ending) for _, why, ending in doomed(views, 1.0, canceled, drain_at)] == expected


def test_an_ending_tells_the_ledger_the_attempt() -> None:
    assert ending_call(view(), Ending.RELEASE, 1000).arguments == (A, 1)
    timeout = ending_call(view(), Ending.TIMEOUT, 1000)
    assert timeout.script == "fail"
    assert timeout.arguments == (A, 1, 1000, "timeout", "The prediction ran past its limit of 5 s.")


def test_slots_count_the_children_that_have_loaded() -> None:
    views = [view(0), view(1, State.IDLE), view(2, State.LOADING), view(3, State.ABSENT), view(4, State.BROKEN)]

    assert slots_by_model(views, ["wait", "ocr"], draining=False) == {"wait": 2, "ocr": 2}
    assert slots_by_model(views, ["wait", "ocr"], draining=True) == {"wait": 0, "ocr": 0}


@pytest.mark.parametrize(
    ("data", "attempt"),
    [(f"{A} 3".encode(), (A, 3)), (b"", None), (b"x", None), (b"x y", None), (b"\xff\xfe 1 2", None), (b"a -1", None)],
)
def test_a_cancellation_is_read_or_ignored(data: bytes, attempt: Attempt | None) -> None:
    assert parse_canceled(data) == attempt


def test_renewing_names_every_attempt_in_one_call() -> None:
    assert calls.renew([(A, 1), (B, 2)], 500).arguments == (500, A, 1, B, 2)


def test_draining_tells_the_children_to_claim_nothing() -> None:
    """What was popped a moment before the worker was told to stop is with a child already."""
    slots = Slots(1)
    keeper = LeaseKeeper(
        settings=Settings(),
        worker="worker",
        models=(),
        slots=slots,
        ledger=connect("redis://127.0.0.1:1", name="test"),  # connects at the first call, and there is none
        fork_lock=threading.Lock(),
        on_broken=print,
        must_end_now=lambda: False,
    )
    assert not slots.draining

    keeper.drain()

    assert slots.draining
