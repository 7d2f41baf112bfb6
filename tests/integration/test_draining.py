"""Stopping on purpose: a worker that is told to stop takes nothing new, loses nothing, and still does as it is told."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.integration.client import Client
from tests.integration.crowd import variant
from tests.integration.nodes import WorkerProcess, lives
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]


def test_a_draining_worker_finishes_what_runs_and_takes_nothing_new(
    add_worker: AddWorker, client: Client, execution_log: Path
) -> None:
    worker = add_worker("--concurrency", "1", PENSTOCK_DRAIN_SECONDS="30")
    running = client.submit("wait", wait_time=2)["task_id"]
    client.until(running, "running")
    waiting = [client.submit("echo", text=str(n))["task_id"] for n in range(3)]

    os.kill(worker.pid, signal.SIGTERM)
    later = client.submit("echo", text="later")["task_id"]

    assert worker.wait() == 0, worker.logs()
    done = client.finished(running)
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    assert execution_log.read_text() == ""
    documents = [client.get(task_id) for task_id in [*waiting, later]]
    assert {(d["status"], d["attempt"], d["queue"]["reason"]) for d in documents} == {("queued", 0, "no_workers")}
    add_worker().ready()
    for task_id in [*waiting, later]:
        assert client.finished(task_id)["attempt"] == 1


def test_a_draining_worker_still_obeys_a_cancellation(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1", PENSTOCK_DRAIN_SECONDS="600")
    task_id = client.submit("faulty", fault="spin")["task_id"]
    client.until(task_id, "running")
    os.kill(worker.pid, signal.SIGTERM)
    eventually(lambda: client.http.get("/models/faulty").json()["workers"] == 0)

    assert client.cancel(task_id).json()["status"] == "canceled"

    assert worker.wait() == 0, worker.logs()


def test_a_released_task_costs_no_attempt(add_worker: AddWorker, client: Client) -> None:
    """With one attempt allowed, a worker that died would be the end of it."""
    one = {"PENSTOCK_MAX_ATTEMPTS": "1", "PENSTOCK_DRAIN_SECONDS": "0"}
    worker = add_worker(**one)
    task_id = client.submit("wait", wait_time=3)["task_id"]
    client.until(task_id, "running")

    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait() == 0, worker.logs()
    assert client.get(task_id)["status"] == "queued"
    add_worker(**one).ready()
    done = client.finished(task_id)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)


@pytest.mark.parametrize("model", ["wait", "faulty"], ids=["in Python", "in C code"])
def test_a_worker_that_is_not_let_drain_gives_back_what_it_runs(
    add_worker: AddWorker, client: Client, model: str
) -> None:
    """Celery's cold shutdown. With this lease, waiting for its end would be noticed."""
    slow = {"PENSTOCK_LEASE_SECONDS": "600", "PENSTOCK_DRAIN_SECONDS": "600"}
    worker = add_worker("--concurrency", "1", **slow)
    task_id = client.submit(model, **({"wait_time": 10} if model == "wait" else {"fault": "spin"}))["task_id"]
    client.until(task_id, "running")
    (child,) = worker.children()

    os.kill(worker.pid, signal.SIGQUIT)

    worker.wait(5)
    eventually(lambda: not child.is_running())
    document = client.get(task_id)
    assert (document["status"], document["attempt"]) == ("queued", 1), worker.logs()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_children_too_fails_no_task(add_worker: AddWorker, client: Client, number: int) -> None:
    """A supervisor that stops a whole process group means the worker, not the model."""
    worker = add_worker("--concurrency", "2", PENSTOCK_DRAIN_SECONDS="30")
    task_ids = [client.submit("wait", wait_time=2)["task_id"] for _ in range(2)]
    for task_id in task_ids:
        client.until(task_id, "running")

    for child in worker.children():
        child.send_signal(number)
    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait() == 0, worker.logs()
    for task_id in task_ids:
        done = client.finished(task_id)
        assert (done["status"], done["attempt"]) == ("succeeded", 1)


def test_a_child_that_is_told_to_end_ends_after_its_task_and_is_replaced(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1")
    task_id = client.submit("wait", wait_time=2)["task_id"]
    client.until(task_id, "running")
    (child,) = worker.children()

    child.terminate()

    done = client.finished(task_id)
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    eventually(lambda: not child.is_running())
    assert client.finished(client.submit("echo", text="next")["task_id"])["attempt"] == 1
    assert len(worker.children()) == 1


def test_a_worker_that_stops_does_not_wait_for_a_model_to_load(add_worker: AddWorker, tmp_path: Path) -> None:
    """Loading again is what takes the longest with a large model, and nothing waits for it any more."""
    slow = variant(tmp_path / "slow", LOAD_IN="child")
    with (slow / "model.py").open("a") as model:
        model.write(f"\nif Path({str(tmp_path / 'again')!r}).exists():\n    time.sleep(600)\n")
    worker = add_worker("--concurrency", "1", PENSTOCK_MODELS=str(slow), PENSTOCK_DRAIN_SECONDS="600")
    worker.ready()
    (tmp_path / "again").touch()
    (child,) = worker.children()
    child.kill()
    eventually(lambda: [each.pid for each in worker.children()] not in ([], [child.pid]))

    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait() == 0, worker.logs()


def test_a_worker_that_cannot_end_by_itself_is_ended(add_worker: AddWorker) -> None:
    worker = add_worker("--concurrency", "2", PENSTOCK_DRAIN_SECONDS="0")
    worker.ready()
    children = worker.children()
    children[0].suspend()

    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait(30) == 1, worker.logs()
    assert "does not end by itself" in worker.logs()
    eventually(lambda: not any(lives(child) for child in children))


def test_replacing_every_worker_under_load_fails_no_task(
    add_worker: AddWorker, client: Client, execution_log: Path
) -> None:
    one = {"PENSTOCK_MAX_ATTEMPTS": "1"}
    workers = [add_worker(**one) for _ in range(2)]
    for worker in workers:
        worker.ready()
    stop_at = time.monotonic() + 120
    replaced: list[int] = []

    def load(name: int) -> list[str]:
        with httpx2.Client(base_url=client.http.base_url, timeout=10) as http:
            ids: list[str] = []
            while len(replaced) < 2 and time.monotonic() < stop_at:
                ids.append(Client(http).submit("echo", text=f"{name}-{len(ids)}")["task_id"])
                ids.append(Client(http).submit("wait", wait_time=1)["task_id"]) if len(ids) % 40 == 0 else None
                time.sleep(0.02)  # below what two workers can do
            return ids

    with ThreadPoolExecutor(2) as clients:
        loads = [clients.submit(load, name) for name in range(2)]
        for worker in workers:
            add_worker(**one).ready()
            os.kill(worker.pid, signal.SIGTERM)
            replaced.append(worker.wait(60))
        task_ids = [task_id for each in loads for task_id in each.result(60)]

    assert replaced == [0, 0]
    assert len(task_ids) > 100
    for task_id in task_ids:
        assert client.finished(task_id)["status"] == "succeeded"
    executed = execution_log.read_text().split()
    assert len(executed) == len(set(executed))


def test_a_task_that_waits_too_long_behind_another_is_not_run(
    add_worker: AddWorker, client: Client, execution_log: Path
) -> None:
    add_worker("--concurrency", "1")
    client.until(client.submit("wait", wait_time=2)["task_id"], "running")

    answer = client.http.post("/task/echo?expires_in=0.5", json={"text": "late"})

    done = client.finished(answer.json()["task_id"])
    assert (done["status"], done["error"]["code"], done["attempt"]) == ("failed", "expired", 0)
    behind = client.submit("echo", text="in time")["task_id"]
    assert client.finished(behind)["status"] == "succeeded"
    assert execution_log.read_text() == "in time\n"
