"""Sentinel failover under load: real sentinels, a real primary that dies, freezes or is replaced, and what is lost."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.failover import Load, Outcome
from tests.integration.client import Client
from tests.integration.conftest import LEASE_SECONDS
from tests.integration.nodes import ROOT, WorkerProcess
from tests.redis_server import RedisServer
from tests.sentinel import Replicated
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
UNKNOWN = "/task/00000000-0000-4000-8000-000000000000"
SLOWEST_SECONDS = 3.0  # of two requests; a hanging one would take until the failover is over, or for ever
PAUSE_MS = 10_000


@pytest.fixture
def group() -> Iterator[Replicated]:
    group = Replicated()
    yield group
    group.close()


@pytest.fixture
def environment(group: Replicated, execution_log: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    return {
        "PENSTOCK_REDIS_URL": group.url,
        "PENSTOCK_MODELS": f"{ROOT / 'models/wait'},{ROOT / 'tests/models/echo'}",
        "PENSTOCK_CONCURRENCY": "2",
        "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS),
        "PENSTOCK_DRAIN_SECONDS": "1",
        "PENSTOCK_REPLICAS_ACK": str(getattr(request, "param", 0)),
        "EXECUTION_LOG": str(execution_log),
    }


acknowledged = pytest.mark.parametrize("environment", [1], indirect=True)


@pytest.fixture
def workers(add_worker: AddWorker) -> list[WorkerProcess]:
    workers = [add_worker(), add_worker()]
    for worker in workers:
        worker.ready()
    return workers


@pytest.fixture
def load(client: Client, workers: list[WorkerProcess]) -> Iterator[Load]:
    with Load(str(client.http.base_url)) as load:
        load.more(10)
        yield load


def counted(load: Load, client: Client, workers: list[WorkerProcess]) -> Outcome:
    """End the load and count, after what must hold whatever happened to the primary."""
    load.more()
    load.stop()
    outcome = load.outcome(client.http, workers)
    print(outcome, f"slowest {load.slowest:.2f} s")
    assert load.odd == []
    assert load.slowest < SLOWEST_SECONDS
    for worker in workers:
        assert worker.popen.poll() is None, worker.logs()
        assert "Traceback" not in worker.logs()
    assert outcome.wrong == 0
    assert client.http.get(UNKNOWN).status_code == 404
    return outcome


@acknowledged
def test_a_killed_primary_costs_no_task_that_a_replica_has(
    group: Replicated, load: Load, client: Client, workers: list[WorkerProcess]
) -> None:
    running = client.submit("wait", wait_time=8)["task_id"]
    client.until(running, "running")
    killed = group.primary
    killed.kill()
    eventually(lambda: load.refused)
    group.succeeded(killed)

    outcome = counted(load, client, workers)

    assert (outcome.lost, outcome.doubled) == (0, 0)
    done = client.finished(running)
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    killed.start()
    assert group.settle() is not killed
    with pytest.raises(redis.exceptions.ReadOnlyError):
        killed.client.set("anything", "")
    assert client.finished(client.submit("echo", text="after")["task_id"])["status"] == "succeeded"


def test_everyone_leaves_a_primary_that_is_replaced_though_it_is_well(
    group: Replicated, load: Load, client: Client, workers: list[WorkerProcess]
) -> None:
    """It goes on as a primary for ten seconds: what is written to it meanwhile is lost."""
    replaced = group.primary
    group.fail_over()

    eventually(lambda: not ours(replaced), within=5)
    assert replaced.client.info("replication")["role"] == "master"
    assert client.finished(client.submit("echo", text="at once")["task_id"])["status"] == "succeeded"

    counted(load, client, workers)


def test_nothing_is_lost_if_writing_is_paused_before_the_primary_is_replaced(
    group: Replicated, load: Load, client: Client, workers: list[WorkerProcess]
) -> None:
    group.primary.client.client_pause(PAUSE_MS, all=False)
    group.fail_over()

    outcome = counted(load, client, workers)

    assert (outcome.lost, outcome.doubled) == (0, 0)


@acknowledged
def test_nobody_believes_a_primary_that_thaws(
    group: Replicated, load: Load, client: Client, workers: list[WorkerProcess]
) -> None:
    frozen = group.primary
    with frozen.frozen():
        group.succeeded(frozen)
        load.more()

    assert counted(load, client, workers).lost == 0
    assert group.settle() is not frozen


@acknowledged
def test_a_task_is_not_accepted_that_no_replica_has(
    group: Replicated, client: Client, workers: list[WorkerProcess]
) -> None:
    key = {"Idempotency-Key": "once"}
    primary = group.primary
    replicas = [server for server in group.servers if server is not primary]
    with replicas[0].frozen():
        assert client.http.post("/task/echo", json={"text": "one is enough"}).status_code == 202
        with replicas[1].frozen():
            refused = client.http.post("/task/echo", json={"text": "once"}, headers=key)
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True), refused.text

    again = eventually(lambda: accepted(client.http.post("/task/echo", json={"text": "once"}, headers=key)))
    assert again["task_id"]
    assert client.finished(again["task_id"])["attempt"] == 1


def accepted(answer: object) -> dict[str, str] | None:
    return answer.json() if answer.is_success else None  # type: ignore[attr-defined]


def ours(server: RedisServer) -> list[str]:
    """Name the connections of Penstock's and of Celery's to a server."""
    rows = [row for row in server.client.client_list(_type="normal") if not row["laddr"].startswith("/")]
    return [row["name"] or row["cmd"] for row in rows if row["name"].startswith("penstock") or row["cmd"] == "brpop"]
