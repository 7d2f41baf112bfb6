"""The meter of one child, which is this process."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.ledger.records import ChildMemory
from tests.waiting import eventually
from worker.memory import memory_of
from worker.meter import MemoryMeter
from worker.slots import Slots, State

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process takes")


@pytest.fixture
def meter() -> MemoryMeter:
    slots = Slots(2)
    slots.write(0, State.IDLE)
    return MemoryMeter(slots, threading.Lock())


@contextmanager
def running(meter: MemoryMeter) -> Iterator[None]:
    thread = threading.Thread(target=meter.run)
    thread.start()
    yield
    meter.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_it_measures_without_the_lock_that_forks_and_the_keeper_take(meter: MemoryMeter) -> None:
    with meter.fork_lock, running(meter):
        found = eventually(lambda: meter.latest)

    own = memory_of(os.getpid())
    assert own is not None
    assert [child.pss for child in found] == [pytest.approx(own.pss, rel=0.2)]


def test_when_it_fails_it_says_so_and_takes_back_what_it_said(
    meter: MemoryMeter, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(meter.slots, "look_all", lambda: 1 / 0)
    meter.latest = (ChildMemory(1, 1),)

    meter.run()

    captured = capfd.readouterr()
    assert "is measured no more" in captured.out + captured.err
    assert meter.latest == ()
