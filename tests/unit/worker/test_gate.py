"""The order in which children load, decided on figures; with real children in tests/integration/test_loading.py."""

import mmap
import os
import signal
import sys
import time

import psutil
import pytest

from shared.start import StartError
from tests.waiting import eventually
from worker import gate as gates
from worker.gate import Copy, Gate, Usher, at_once, data_of, fit
from worker.memory import MEGABYTE


class Children:
    """A gate before which all children stand, and what the system says of the first and of what is left."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = Gate(count)
        self.data: int | None = 10
        self.available = 0
        monkeypatch.setattr(gates, "data_of", lambda _: None if self.data is None else self.data * MEGABYTE)
        monkeypatch.setattr(Gate, "pid", lambda *_: 1)

    def usher(self, *models: str) -> Usher:
        return Usher(self.gate, models, lambda: self.available * MEGABYTE)

    @property
    def let_in(self) -> int:
        return sum(map(self._is_open, range(self.gate.count)))

    def _is_open(self, index: int) -> bool:
        return bool(gates.PLACE.unpack_from(self.gate._memory, index * gates.PLACE.size)[1])


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    return Children(8, monkeypatch)


def test_the_first_loads_alone_and_then_as_many_as_fit(children: Children) -> None:
    usher = children.usher("big")
    children.available = 1000
    usher.look([])
    assert children.let_in == 1
    children.data = 310  # while it loads
    usher.look([])
    children.data = 110
    assert children.let_in == 1

    usher.look([0])  # 100 kept, 300 at the peak
    assert children.let_in == 4
    usher.look([0, 1, 2])  # one is yet to finish
    assert children.let_in == 4
    children.available = 700
    usher.look([0, 1, 2, 3])
    assert children.let_in == 6
    children.available = 500
    usher.look(range(6))
    assert children.let_in == 7
    usher.look(range(7))
    assert children.let_in == 8


def test_a_small_copy_lets_everybody_go_at_once_whatever_is_left(children: Children) -> None:
    usher = children.usher("small")
    usher.look([])
    children.data = 10 + 63
    usher.look([0])

    assert children.let_in == 8


@pytest.mark.parametrize("models", [(), ("big",)], ids=["all loaded in the parent", "the system does not say"])
def test_nobody_waits_where_there_is_nothing_to_measure(children: Children, models: tuple[str, ...]) -> None:
    children.data = None
    usher = children.usher(*models)
    usher.look([])

    assert children.let_in == 8


def test_a_single_child_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    children = Children(1, monkeypatch)
    children.usher("big")

    assert children.let_in == 1


def test_what_does_not_fit_stops_the_worker_and_says_what_to_do(children: Children) -> None:
    usher = children.usher("big", "other")
    children.available = 799
    usher.look([])
    children.data = 210
    usher.look([])
    children.data = 110

    with pytest.raises(StartError) as raised:  # 7 more: six times 100, and one of 200
        usher.look([0])

    for said in ("PENSTOCK_CONCURRENCY=8", "big, other", "100 MiB (200 MiB while", "799 MiB are left", "7 would fit"):
        assert said in str(raised.value)
    assert children.let_in == 1


@pytest.mark.parametrize(
    ("copy", "available", "fits", "together"),
    [
        (Copy(100, 200), 799, 6, 3),
        (Copy(100, 200), 800, 7, 4),
        (Copy(100, 200), 200, 1, 1),
        (Copy(100, 200), 5000, 49, 9),  # there are no more
        (Copy(0, 200), 300, 101, 1),  # an absurd figure, and no division by zero
    ],
)
def test_figures(copy: Copy, available: int, fits: int, together: int) -> None:
    assert fit(copy, available) == fits
    assert at_once(copy, available, left=9) == together


def test_nothing_fits_below_a_peak() -> None:
    assert fit(Copy(1, 10), 9) == 0


@pytest.fixture
def waiting() -> tuple[Gate, int]:
    gate = Gate(2)
    pid = os.fork()
    if pid == 0:
        gate.pass_through(1)
        os._exit(7)
    return gate, pid


def test_a_child_waits_until_the_gate_is_open_for_it(waiting: tuple[Gate, int]) -> None:
    gate, pid = waiting
    assert eventually(lambda: gate.pid(1)) == pid
    gate.open(0)
    time.sleep(0.1)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)

    gate.open(1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_a_child_killed_at_the_gate_holds_nobody_up(waiting: tuple[Gate, int]) -> None:
    gate, pid = waiting
    eventually(lambda: gate.pid(1))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    gate.open_to_all()
    gate.pass_through(0)
    gate.pass_through(1)


def test_a_child_whose_parent_is_gone_does_not_wait_for_ever() -> None:
    middle, says = os.pipe()
    if os.fork() == 0:
        gate = Gate(1)
        pid = os.fork()
        if pid:
            os.write(says, str(pid).encode())
            os._exit(0)
        try:
            gate.pass_through(0)
        finally:
            os._exit(0)
    pid = int(os.read(middle, 20))
    os.wait()

    assert eventually(lambda: not is_alive(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_data_grows_by_what_is_written() -> None:
    before = data_of(os.getpid())
    # Pages of its own: a large bytes object may be laid where earlier tests' data lay, which stays in memory.
    with mmap.mmap(-1, 100 * MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block[:: mmap.PAGESIZE] = b"x" * (len(block) // mmap.PAGESIZE)
        after = data_of(os.getpid())

    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(100 * MEGABYTE, rel=0.05)


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
