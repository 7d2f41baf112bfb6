"""One copy of a model that the parent loads: it stays one, is seen to be one, and outlives the child."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.client import Client
from tests.integration.conftest import LEASE_SECONDS
from tests.integration.heavy import HeavyModel
from tests.integration.nodes import WorkerProcess
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
MEGABYTE = 2**20
LOAD_SECONDS = 4.0
WARNING = "a child shares little of what the parent loaded"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process takes")


@pytest.fixture
def model(tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest) -> HeavyModel:
    """A model that the parent loads, and that the API of this test serves."""
    model = HeavyModel(tmp_path / "heavy", "parent", *request.param)
    environment.update(model.environment(2))
    return model


def memory(client: Client) -> dict[str, Any] | None:
    found: dict[str, Any] | None = client.http.get("/models/heavy").json()["memory"]
    return found


def run_in_both(worker: WorkerProcess, client: Client) -> None:
    """Have every child predict."""
    pids = {child.pid for child in worker.children()}

    def have_all() -> bool:
        tasks = [client.submit("heavy")["task_id"] for _ in range(4)]
        pids.difference_update(client.finished(id)["result"]["pid"] for id in tasks)
        return not pids

    eventually(have_all, within=30)


@linux
@pytest.mark.parametrize(
    "model", [(f"self.weights = b'x' * {150 * MEGABYTE}", "assert self.weights.count(b'x')")], indirect=True
)
def test_a_model_that_is_only_read_stays_one_copy_and_is_published(
    model: HeavyModel, add_worker: AddWorker, client: Client
) -> None:
    assert memory(client) is None
    worker = add_worker()
    worker.ready()
    run_in_both(worker, client)
    time.sleep(2.5)  # the meter looks every 2 s

    found = memory(client)

    assert found is not None
    assert found["children"] == 2
    assert found["private_bytes_per_child"] < 64 * MEGABYTE
    assert 150 * MEGABYTE / 3 < found["pss_bytes_per_child"] < 150 * MEGABYTE  # a third of the weights, and its own
    assert WARNING not in worker.logs()
    worker.signal_tree(signal.SIGKILL)
    eventually(lambda: memory(client) is None, within=LEASE_SECONDS + 5)


@linux
@pytest.mark.parametrize(
    "model", [("self.objects = [float(i) for i in range(4_000_000)]", "assert sum(self.objects)")], indirect=True
)
def test_a_model_whose_objects_are_copied_as_they_are_used_is_warned_of_once_for_each_child(
    model: HeavyModel, add_worker: AddWorker, client: Client
) -> None:
    worker = add_worker()
    worker.ready()
    pids = {child.pid for child in worker.children()}
    run_in_both(worker, client)

    def warned() -> list[dict[str, Any]]:
        return [event for event in worker.events() if event["event"] == WARNING]

    eventually(lambda: len(warned()) == 2, within=10)
    time.sleep(2.5)
    assert len(warned()) == 2
    assert {event["pid"] for event in warned()} == pids
    for event in warned():
        assert event["level"] == "warning"
        assert event["copied_bytes"] > 100 * MEGABYTE
        assert event["inherited_bytes"] > event["copied_bytes"]
        assert "arrays" in event["advice"]
    published = memory(client)
    assert published is not None
    assert published["private_bytes_per_child"] > 100 * MEGABYTE


@pytest.mark.parametrize("model", [(f"time.sleep({LOAD_SECONDS})",)], indirect=True)
def test_the_successor_of_a_killed_child_has_the_model_at_once(
    model: HeavyModel, add_worker: AddWorker, client: Client
) -> None:
    worker = add_worker()
    worker.ready()
    killed = {child.pid for child in worker.children()}

    began = time.monotonic()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    task = client.finished(client.submit("heavy")["task_id"])

    assert time.monotonic() - began < LOAD_SECONDS / 2
    assert task["result"]["pid"] not in killed
    assert len(model.loads()) == 1
