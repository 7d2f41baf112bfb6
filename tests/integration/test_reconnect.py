"""A worker whose Redis goes away, freezes or refuses: how soon it takes messages again, and what it does meanwhile."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.queue import list_key
from tests.integration.client import Client
from tests.integration.conftest import free_port
from tests.integration.nodes import WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]

OUTAGE_SECONDS = 7  # Celery's own consumer would look again 5 s after the end of such an outage
FREEZE_SECONDS = 12  # by then the worker has given up the connection on which it waits
BACK_WITHIN = 2.0
STOPPED_WITHIN = 6.0  # the drain time is 1 s
REFUSED = "Connection to broker lost"


@pytest.fixture(params=["unix", "tcp"])
def broker_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    port = free_port()
    server = RedisServer("", "--port", str(port))
    if request.param == "tcp":
        server.url = f"redis://127.0.0.1:{port}/0"
    yield server
    server.close()


only_unix = pytest.mark.parametrize("broker_server", ["unix"], indirect=True)


@pytest.fixture
def ready_worker(add_worker: AddWorker) -> WorkerProcess:
    worker = add_worker()
    worker.ready()
    return worker


def seconds_until_served(client: Client) -> float:
    """Submit as soon as the API lets us; return how long it took from now until that task has run."""
    started = time.monotonic()
    answer = eventually(lambda: answered(client))
    done = client.finished(answer)
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    return time.monotonic() - started


def answered(client: Client) -> str | None:
    answer = client.http.post("/task/echo", json={"text": "served"})
    return answer.json()["task_id"] if answer.status_code == 202 else None


def test_a_worker_takes_messages_as_soon_as_redis_is_back(
    ready_worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    broker_server.kill()
    time.sleep(OUTAGE_SECONDS)
    broker_server.start()

    assert seconds_until_served(client) < BACK_WITHIN
    assert seconds_until_served(client) < BACK_WITHIN


def test_a_worker_takes_messages_as_soon_as_a_frozen_redis_wakes_up(
    ready_worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    with broker_server.frozen():
        time.sleep(FREEZE_SECONDS)

    assert seconds_until_served(client) < BACK_WITHIN


@only_unix
def test_a_child_that_dies_while_redis_is_away_is_replaced_meanwhile(
    ready_worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    broker_server.kill()
    eventually(lambda: "Connection to broker lost" in ready_worker.logs())
    before = {child.pid for child in ready_worker.children()}

    ready_worker.children()[0].kill()

    eventually(lambda: len({child.pid for child in ready_worker.children()} - before) == 1, within=3)
    broker_server.start()
    assert seconds_until_served(client) < BACK_WITHIN


@only_unix
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_worker_stops_in_time_while_redis_is_away(
    ready_worker: WorkerProcess, client: Client, broker_server: RedisServer, how: str
) -> None:
    task_id = client.submit("wait", wait_time=1)["task_id"]
    client.until(task_id, "running")
    with broker_server.frozen() if how == "frozen" else contextlib.nullcontext():
        if how == "killed":
            broker_server.kill()
        eventually(lambda: "waiting for the ledger" in ready_worker.logs())

        os.kill(ready_worker.pid, signal.SIGTERM)

        assert ready_worker.wait(STOPPED_WITHIN) == 0, ready_worker.logs()


@only_unix
def test_a_worker_outlives_a_replica(ready_worker: WorkerProcess, client: Client, broker_server: RedisServer) -> None:
    broker_server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    eventually(lambda: "ReadOnlyError" in ready_worker.logs() and "broker lost" in ready_worker.logs())

    broker_server.client.execute_command("REPLICAOF", "NO", "ONE")

    assert seconds_until_served(client) < BACK_WITHIN
    assert ready_worker.popen.poll() is None


@only_unix
def test_a_message_that_is_taken_while_redis_has_no_memory_is_not_lost(
    ready_worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    ready_worker.signal_tree(signal.SIGSTOP)
    task_ids = [client.submit("echo", text=text)["task_id"] for text in ("popped", "waiting")]
    broker_server.client.config_set("maxmemory", "1")

    ready_worker.signal_tree(signal.SIGCONT)
    eventually(lambda: "OutOfMemoryError" in ready_worker.logs())

    broker_server.client.config_set("maxmemory", "0")

    for task_id in task_ids:
        done = client.finished(task_id)
        assert (done["status"], done["attempt"]) == ("succeeded", 1)
    assert seconds_until_served(client) < BACK_WITHIN
    assert ready_worker.popen.poll() is None


@only_unix
def test_a_message_that_comes_while_the_worker_stops_is_not_held_until_it_has_drained(
    add_worker: AddWorker, client: Client, broker_server: RedisServer
) -> None:
    worker = add_worker(PENSTOCK_DRAIN_SECONDS="30")
    worker.ready()
    client.until(client.submit("wait", wait_time=8)["task_id"], "running")
    os.kill(worker.pid, signal.SIGTERM)
    eventually(lambda: "Warm shutdown" in worker.logs())

    task_id = client.submit("echo", text="late")["task_id"]

    # Run by the idle child, or back in the queue for another worker.
    eventually(
        lambda: broker_server.client.llen(list_key("echo")) or client.get(task_id)["status"] == "succeeded", within=2
    )
    assert worker.popen.poll() is None


@only_unix
def test_connections_that_are_cut_again_and_again_cost_no_task_and_double_none(
    add_worker: AddWorker, client: Client, broker_server: RedisServer, execution_log: Path
) -> None:
    task_ids = [client.submit("echo", text=str(n))["task_id"] for n in range(400)]
    worker = add_worker()
    worker.ready()
    give_up = time.monotonic() + 20

    while broker_server.client.llen(list_key("echo")) and time.monotonic() < give_up:
        broker_server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(0.05)

    seconds_until_served(client)
    outcomes = [client.finished(task_id) for task_id in task_ids]
    assert {(done["status"], done["attempt"]) for done in outcomes} == {("succeeded", 1)}
    executed = execution_log.read_text().split()
    assert len(executed) == len(set(executed)) == len(task_ids) + 1
    assert not list(broker_server.client.scan_iter("unacked*"))


@only_unix
def test_a_child_that_dies_before_the_first_message_can_be_taken_is_replaced(
    add_worker: AddWorker, client: Client, broker_server: RedisServer
) -> None:
    """The moment between a worker's readiness and its main loop, made longer: what Celery writes first is refused."""
    broker_server.client.set("_kombu.binding.celery", "no set")
    worker = add_worker()
    eventually(lambda: REFUSED in worker.logs())
    worker.children()[0].kill()
    refused = worker.logs().count(REFUSED)
    eventually(lambda: worker.popen.poll() is not None or worker.logs().count(REFUSED) >= refused + 2)

    broker_server.client.delete("_kombu.binding.celery")

    assert worker.popen.poll() is None, worker.logs()
    assert seconds_until_served(client) < BACK_WITHIN
    eventually(lambda: len(worker.children()) == 2)


@only_unix
def test_a_worker_outlives_a_broken_connection_while_a_child_looks_dead(
    ready_worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    """The moment between a child's death and its being collected, made longer: its pipes are closed, and it lives."""
    client.until(client.submit("faulty", fault="unplug")["task_id"], "running")
    time.sleep(0.5)  # by then the pool has noticed

    broker_server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    assert seconds_until_served(client) < BACK_WITHIN
    eventually(lambda: len(ready_worker.children()) == 2)
    assert ready_worker.popen.poll() is None, ready_worker.logs()
