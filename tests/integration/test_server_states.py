"""A server that is there and will not work: what clients see meanwhile, and that everything goes on by itself after."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from tests.integration.client import Client
from tests.integration.nodes import WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

UNKNOWN = "/task/00000000-0000-4000-8000-000000000000"
HELLO = {"text": "hello"}


@contextmanager
def replica(server: RedisServer) -> Iterator[None]:
    """Its role was taken by another."""
    server.client.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        server.client.replicaof("NO", "ONE")


@contextmanager
def no_memory(server: RedisServer) -> Iterator[None]:
    server.client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        server.client.config_set("maxmemory", 0)


@contextmanager
def full_disk(server: RedisServer) -> Iterator[None]:
    """Saving fails, as it does on a full disk: a directory stands where the file would be written."""
    server.client.config_set("save", "3600 1")
    (server.directory / "dump.rdb").mkdir()
    server.client.bgsave()
    eventually(lambda: server.client.info("persistence")["rdb_last_bgsave_status"] == "err")
    try:
        yield
    finally:
        server.client.config_set("save", "")


@pytest.mark.parametrize(
    ("state", "published_meanwhile"),
    [(replica, False), (no_memory, True), (full_disk, False)],
    ids=["replica", "no memory", "full disk"],
)
def test_a_server_that_refuses_writes_costs_no_task_and_no_attempt(
    worker: WorkerProcess,
    client: Client,
    broker_server: RedisServer,
    state: Callable[[RedisServer], "contextmanager[None]"],
    published_meanwhile: bool,
) -> None:
    running = client.submit("wait", wait_time=2)["task_id"]
    client.until(running, "running")
    queued = [client.submit("wait", wait_time=1)["task_id"] for _ in range(3)]

    with state(broker_server):
        refused = client.http.post("/task/echo", json=HELLO)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True), refused.text
        assert client.http.get(f"/task/{running}").status_code == 200
        assert client.http.get(UNKNOWN).status_code == (503 if state is replica else 404)
        assert client.http.get("/livez").status_code == 200
        if published_meanwhile:
            assert client.finished(running)["status"] == "succeeded"
        else:
            eventually(lambda: "waiting for the ledger" in worker.logs())

    for task_id in [running, *queued]:
        done = client.finished(task_id, within=30)
        assert (done["status"], done["attempt"]) == ("succeeded", 1), worker.logs()
    assert client.finished(client.submit("echo", **HELLO)["task_id"])["status"] == "succeeded"
    assert len(worker.children()) == 2


def test_a_server_that_loads_its_file_is_waited_for(
    worker: WorkerProcess, client: Client, broker_server: RedisServer
) -> None:
    running = client.submit("wait", wait_time=2)["task_id"]
    client.until(running, "running")
    queued = [client.submit("wait", wait_time=1)["task_id"] for _ in range(4)]
    for n in range(100):
        broker_server.client.set(f"ballast:{n}", os.urandom(2000))
    broker_server.client.bgrewriteaof()  # so that it is loaded key by key
    eventually(lambda: not broker_server.client.info("persistence")["aof_rewrite_in_progress"])
    broker_server.kill()

    # Microseconds for every key, and an ear for its clients after every 1,024 bytes.
    slowly = ["--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024"]
    broker_server.start(*slowly, wait=False)
    eventually(lambda: is_loading(broker_server))

    answers = [client.http.get(path).status_code for path in (f"/task/{running}", UNKNOWN, "/readyz", "/livez")]
    assert answers == [503, 503, 503, 200]
    assert client.http.post("/task/echo", json=HELLO).status_code == 503
    assert is_loading(broker_server)  # all the while
    eventually(lambda: client.http.get("/readyz").status_code == 200, within=30)
    done = client.finished(running)
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    for task_id in queued:
        assert client.finished(task_id, within=30)["status"] == "succeeded"


def is_loading(server: RedisServer) -> bool:
    try:
        # A client of its own: the usual one would wait and try again until the server has loaded.
        with redis.Redis(unix_socket_path=str(server.socket), retry=Retry(NoBackoff(), 0)) as client:
            return not client.ping()
    except BusyLoadingError:
        return True
    except RedisConnectionError:
        return False
