"""Killing exactly one attempt, tried on real processes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import psutil
import pytest

from tests.waiting import eventually
from worker.slots import Slots, SlotView, State
from worker.takedown import take_down

TASK, OTHER = str(uuid4()), str(uuid4())
Spawn = Callable[[Callable[[], None]], int]


def is_alive(pid: int) -> bool:
    """A zombie that its parent has not collected yet is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def holds(view: SlotView) -> bool:
    return view.state is State.BUSY and (TASK, 1) in view.attempts


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    pids: list[int] = []

    def fork(body: Callable[[], None]) -> int:
        pid = os.fork()
        if pid == 0:
            body()
            time.sleep(60)
            os._exit(1)
        pids.append(pid)
        return pid

    yield fork
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def busy(slots: Slots) -> SlotView:
    def look() -> SlotView | None:
        view = slots.look(0)
        return view if view is not None and view.state is State.BUSY else None

    view = eventually(look)
    assert view is not None
    return view


def test_the_child_that_holds_the_attempt_is_killed(spawn: Spawn) -> None:
    slots = Slots(1)
    pid = spawn(lambda: slots.write(0, State.BUSY, attempts=[(TASK, 1)]))
    settled: list[bool] = []

    killed = take_down(slots, busy(slots), holds, lambda _: settled.append(is_alive(pid)))

    assert killed
    assert settled == [True]  # before the kill
    eventually(lambda: not is_alive(pid))


def test_a_child_deep_inside_c_code_is_killed(spawn: Spawn) -> None:
    slots = Slots(1)

    def body() -> None:
        slots.write(0, State.BUSY, attempts=[(TASK, 1)])
        pow(3, 10**9)  # holds the GIL for minutes

    pid = spawn(body)

    assert take_down(slots, busy(slots), holds)
    eventually(lambda: not is_alive(pid), within=1)


@pytest.mark.parametrize(("task", "token"), [(OTHER, 1), (TASK, 2)])
def test_a_child_that_has_moved_on_runs_on(spawn: Spawn, task: str, token: int) -> None:
    slots = Slots(1)
    pid = spawn(lambda: slots.write(0, State.BUSY, attempts=[(task, token)]))
    view = busy(slots)
    settled: list[bool] = []

    assert not take_down(slots, view, holds, lambda _: settled.append(True))

    assert settled == []
    assert is_alive(pid)


def test_a_child_that_is_gone_is_no_error(spawn: Spawn) -> None:
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)

    assert not take_down(Slots(1), SlotView(0, State.BUSY, gone), holds)
    assert not is_alive(gone)


def test_a_child_is_killed_even_if_settling_fails(spawn: Spawn) -> None:
    slots = Slots(1)
    pid = spawn(lambda: slots.write(0, State.BUSY, attempts=[(TASK, 1)]))

    def fail(_: SlotView) -> None:
        raise RuntimeError("no ledger")

    with pytest.raises(RuntimeError):
        take_down(slots, busy(slots), holds, fail)

    eventually(lambda: not is_alive(pid))
