"""Real children that load copies of their own: the first alone, then as many at a time as memory allows."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.heavy import HeavyModel, cgroup, overlapping
from tests.integration.nodes import Process, WorkerProcess
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
MEGABYTE = 2**20
KEEPS_100 = f"self.weights = b'x' * {100 * MEGABYTE}\ntime.sleep(1)"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process takes")


@pytest.fixture
def add_confined(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    """Start a worker in what it takes for a cgroup with so much room."""
    started: list[Process] = []

    def add(room: int, **more: str) -> Process:
        program = cgroup(tmp_path / "cgroup", room)
        started.append(Process("-c", program, environment={**environment, **more}))
        return started[-1]

    yield add
    for each in started:
        each.close()


def ready(worker: Process) -> None:
    def is_ready() -> bool:
        assert worker.popen.poll() is None, worker.logs()
        return "worker ready" in worker.logs()

    eventually(is_ready, within=30)


def test_the_first_copy_is_loaded_alone_and_the_others_at_once(add_worker: AddWorker, tmp_path: Path) -> None:
    model = HeavyModel(tmp_path / "heavy", "child", KEEPS_100)

    add_worker(**model.environment(4)).ready()

    first, *others = model.loads()
    assert len(others) == 3
    assert all(each["began"] >= first["ended"] for each in others)
    assert overlapping(others) == 3


def test_as_many_load_at_a_time_as_fit(add_confined: Callable[..., Process], tmp_path: Path) -> None:
    # 200 MiB while it loads, and 100 from then on: of the 450 MiB, two may load at a time, and three fit in the end.
    model = HeavyModel(tmp_path / "heavy", "child", f"more = b'x' * {100 * MEGABYTE}\n{KEEPS_100}\ndel more")

    ready(add_confined(450 * MEGABYTE, **model.environment(4)))

    first, *others = model.loads()
    assert overlapping([first, *others]) == overlapping(others) == 2


def test_small_copies_are_loaded_at_once_whatever_is_left(add_confined: Callable[..., Process], tmp_path: Path) -> None:
    model = HeavyModel(tmp_path / "light", "child", f"self.weights = b'x' * {10 * MEGABYTE}\ntime.sleep(1)")

    ready(add_confined(MEGABYTE, **model.environment(3)))

    assert overlapping(model.loads()[1:]) == 2


def test_copies_that_do_not_fit_stop_the_worker(add_confined: Callable[..., Process], tmp_path: Path) -> None:
    model = HeavyModel(tmp_path / "heavy", "child", KEEPS_100)

    worker = add_confined(250 * MEGABYTE, **model.environment(4))

    assert worker.wait() == 1
    said = worker.logs()
    assert "PENSTOCK_CONCURRENCY=4 is more than memory allows" in said
    assert "copy of heavy, which takes 10" in said  # 100 MiB and a little
    assert "250 MiB are left. 3 would fit" in said
    assert len(model.loads()) == 1
    assert "Traceback" not in said


def test_a_child_that_is_killed_while_it_waits_stops_the_worker_at_once(add_worker: AddWorker, tmp_path: Path) -> None:
    """As one that is killed while it loads does: another start may go better."""
    model = HeavyModel(tmp_path / "heavy", "child", "time.sleep(60)")
    worker = add_worker(**model.environment(3))
    eventually(lambda: len(worker.children()) == 3, within=20)
    time.sleep(0.3)  # until they stand at the gate

    os.kill(worker.children()[-1].pid, signal.SIGKILL)

    assert worker.wait(10) == 1
    assert "a child died while it loaded" in worker.logs()


def test_a_worker_may_be_stopped_while_children_wait(add_worker: AddWorker, tmp_path: Path) -> None:
    model = HeavyModel(tmp_path / "heavy", "child", "time.sleep(5)")
    worker = add_worker(**model.environment(3))
    eventually(lambda: len(worker.children()) == 3, within=20)
    children = worker.children()
    time.sleep(0.3)

    worker.popen.send_signal(signal.SIGTERM)

    worker.wait(10)
    assert not any(child.is_running() for child in children)


def test_the_successor_of_a_child_does_not_wait(add_worker: AddWorker, tmp_path: Path) -> None:
    model = HeavyModel(tmp_path / "heavy", "child", KEEPS_100)
    worker = add_worker(**model.environment(2))
    worker.ready()
    killed = worker.children()[0].pid

    os.kill(killed, signal.SIGKILL)

    eventually(lambda: len(model.loads()) == 3, within=10)
    assert killed != model.loads()[-1]["pid"]
