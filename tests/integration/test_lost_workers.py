"""What becomes of a task when its child, its worker or Redis dies, freezes or stops."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import psutil
from pytest_celery import CeleryTestSetup

from shared.queue import list_key
from tests.integration.client import Client
from tests.integration.conftest import LEASE_SECONDS
from tests.integration.nodes import WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def runs_again(client: Client, task_id: str) -> bool:
    document = client.get(task_id)
    return (document["status"], document["attempt"]) == ("running", 2)


def test_a_poison_task_fails_in_the_end_and_harms_no_other(worker: WorkerProcess, client: Client) -> None:
    beside = client.submit("wait", wait_time=3)["task_id"]
    poison = client.submit("faulty", fault="die")["task_id"]

    done = client.finished(poison)

    assert done["status"] == "failed"
    assert done["error"]["code"] == "worker_lost"
    assert done["attempt"] == 3
    neighbour = client.finished(beside)
    assert (neighbour["status"], neighbour["attempt"]) == ("succeeded", 1)
    eventually(lambda: len(worker.children()) == 2)
    assert worker.popen.poll() is None


def test_a_task_longer_than_its_lease_keeps_its_claim(worker: WorkerProcess, client: Client) -> None:
    """With the two sightings, a lease that nobody renewed would be taken back at lease + 4 s at the latest."""
    seconds = int(LEASE_SECONDS) + 6

    done = client.finished(client.submit("wait", wait_time=seconds)["task_id"])

    assert (done["status"], done["attempt"]) == ("succeeded", 1)


def test_a_message_popped_by_a_worker_that_died_is_sent_again(
    add_worker: AddWorker, client: Client, broker_server: RedisServer
) -> None:
    lost, behind = (client.submit("echo", text=text)["task_id"] for text in ("lost", "behind"))
    assert lost.encode() in broker_server.client.rpop(list_key("echo"))

    add_worker()

    for task_id in (lost, behind):
        done = client.finished(task_id)
        assert (done["status"], done["attempt"]) == ("succeeded", 1)


def test_a_killed_child_is_noticed_long_before_its_lease_ends(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1", PENSTOCK_LEASE_SECONDS="600")
    worker.ready()
    task_id = client.submit("wait", wait_time=2)["task_id"]
    eventually(lambda: client.get(task_id)["progress"])  # so the keeper has had a look, too
    (busy,) = worker.children()

    busy.kill()

    eventually(lambda: client.get(task_id)["attempt"] == 2)
    assert client.finished(task_id)["status"] == "succeeded"
    assert [child.pid for child in worker.children()] != [busy.pid]


def test_a_task_of_a_killed_worker_runs_again_on_another(
    celery_setup: CeleryTestSetup, worker: WorkerProcess, add_worker: AddWorker, client: Client
) -> None:
    task_ids = [client.submit("wait", wait_time=5)["task_id"] for _ in range(2)]
    for task_id in task_ids:
        client.until(task_id, "running")
    add_worker().ready()
    tree = worker.children()

    celery_setup.worker.kill()

    killed = time.monotonic()
    eventually(lambda: not any(map(is_running, tree)), within=2)
    for task_id in task_ids:
        eventually(partial(runs_again, client, task_id), within=LEASE_SECONDS + 5)
    assert time.monotonic() - killed < LEASE_SECONDS + 5
    for task_id in task_ids:
        done = client.finished(task_id)
        assert (done["status"], done["attempt"]) == ("succeeded", 2)


def test_a_frozen_worker_that_wakes_up_too_late_changes_nothing(
    worker: WorkerProcess, add_worker: AddWorker, client: Client
) -> None:
    task_id = client.submit("wait", wait_time=4)["task_id"]
    client.until(task_id, "running")
    worker.signal_tree(signal.SIGSTOP)
    add_worker().ready()
    eventually(lambda: client.get(task_id)["attempt"] == 2, within=LEASE_SECONDS + 5)

    worker.signal_tree(signal.SIGCONT)

    # Either the keeper kills the child, or the child has just finished and is refused.
    eventually(lambda: "its claim is lost" in worker.logs() or '"accepted":false' in worker.logs())
    done = client.finished(task_id)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)
    eventually(lambda: len(worker.children()) == 2)


def test_a_stopping_worker_gives_back_what_it_cannot_finish(
    worker: WorkerProcess, add_worker: AddWorker, client: Client
) -> None:
    short, long = (client.submit("wait", wait_time=seconds)["task_id"] for seconds in (1, 8))
    for task_id in (short, long):
        client.until(task_id, "running")

    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait() == 0, worker.logs()
    assert client.finished(short)["attempt"] == 1
    assert client.get(long)["status"] == "queued"
    add_worker().ready()
    done = client.finished(long)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)


def test_redis_killed_and_started_again_loses_nothing(
    celery_setup: CeleryTestSetup, worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    running = client.submit("wait", wait_time=4)["task_id"]
    client.until(running, "running")
    queued = [client.submit("echo", text=str(n))["task_id"] for n in range(5)]

    celery_setup.broker.kill()
    assert client.http.get(f"/task/{running}").status_code == 503
    celery_setup.broker.restart()

    eventually(lambda: client.http.get(f"/task/{running}").status_code == 200)
    for task_id in [running, *queued]:
        done = client.finished(task_id, within=40)
        assert (done["status"], done["attempt"]) == ("succeeded", 1)
