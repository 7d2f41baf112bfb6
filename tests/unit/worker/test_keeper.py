"""What the lease keeper decides, without a ledger and without children."""

import threading

import pytest

from shared.ledger import calls
from shared.ledger.connect import connect
from shared.settings import Settings
from worker.keeper import LeaseKeeper, parse_canceled, slots_by_model
from worker.slots import Attempt, Slots, SlotView, State

A, B = "0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b", "1c9f8e7d-6b5a-4f4e-9d3c-2b1a0f9e8d7c"


def view(index: int = 0, state: State = State.BUSY) -> SlotView:
    return SlotView(index, state, 10)


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


@pytest.fixture
def keeper() -> LeaseKeeper:
    return LeaseKeeper(
        settings=Settings(),
        worker="worker",
        models=(),
        slots=Slots(1),
        ledger=connect("redis://127.0.0.1:1", name="test"),  # connects at the first call, and there is none
        fork_lock=threading.Lock(),
        on_broken=print,
        must_end_now=lambda: False,
        on_overstay=print,
    )


def test_draining_tells_the_children_to_claim_nothing(keeper: LeaseKeeper) -> None:
    """What was popped a moment before the worker was told to stop is with a child already."""
    assert not keeper.slots.draining

    keeper.drain()

    assert keeper.slots.draining


def test_draining_again_may_bring_the_end_forward_and_not_put_it_off(keeper: LeaseKeeper) -> None:
    keeper.drain(60)
    first = keeper._drain_at

    keeper.drain(600)
    assert keeper._drain_at == first

    keeper.drain(0)
    assert keeper._drain_at < first  # type: ignore[operator]
