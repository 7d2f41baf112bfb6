"""`--scale worker=N`, and workers, Redis and APIs that go away while there is work."""

import pytest

from tests.containers.compose import Compose, until_healthy
from tests.containers.conftest import Install, client_of
from tests.containers.engine import docker, inspect
from tests.containers.poller import Poller
from tests.integration.client import Client
from tests.waiting import eventually


@pytest.fixture(scope="module")
def installation(install: Install) -> Compose:
    """Workers of one child each; one that is gone is missed after two seconds."""
    compose = install(PENSTOCK_CONCURRENCY="1", PENSTOCK_LEASE_SECONDS="2", PENSTOCK_DRAIN_SECONDS="1")
    compose.up(worker=3)
    return compose


@pytest.fixture
def client(installation: Compose) -> Client:
    """A client of three workers, whatever the test before has done to them."""
    installation.up(worker=3)
    return client_of(installation, workers=3)


def lost_attempts(installation: Compose, task_id: str) -> int:
    return int(installation.redis("HGET", f"penstock:task:{task_id}", "lost") or 0)


def test_three_workers_take_work(installation: Compose, client: Client) -> None:
    tasks = [client.submit("wait", wait_time=2)["task_id"] for _ in range(6)]

    assert {client.finished(task, within=60)["status"] for task in tasks} == {"succeeded"}
    assert {installation.finisher_of(task) for task in tasks} == set(installation.running("worker"))


def test_a_task_of_a_killed_worker_ends_elsewhere(installation: Compose, client: Client) -> None:
    task = client.submit("wait", wait_time=4)["task_id"]
    client.until(task, "running")
    killed = installation.holder_of(task)

    docker("kill", killed)
    document = client.finished(task, within=60)

    assert (document["status"], document["attempt"]) == ("succeeded", 2)
    assert lost_attempts(installation, task) == 1
    assert installation.finisher_of(task) != killed
    assert not inspect(killed)["State"]["Running"]


def test_a_worker_that_is_stopped_gives_its_task_back(installation: Compose, client: Client) -> None:
    task = client.submit("wait", wait_time=5)["task_id"]
    client.until(task, "running")
    stopped = installation.holder_of(task)

    docker("stop", "--time=60", stopped)

    assert inspect(stopped)["State"]["ExitCode"] == 0  # by itself, within its grace
    assert client.finished(task, within=60)["status"] == "succeeded"
    assert lost_attempts(installation, task) == 0
    assert installation.finisher_of(task) != stopped


def test_what_redis_was_told_outlives_its_container(installation: Compose, client: Client) -> None:
    ended = client.finished(client.submit("wait", wait_time=1)["task_id"])
    under_way = [client.submit("wait", wait_time=3)["task_id"] for _ in range(5)]
    client.until(under_way[0], "running")

    docker("kill", installation.only("redis"))
    refused = client.http.get(f"/task/{ended['task_id']}")
    installation.run("up", "-d", "--no-build", "--no-deps", "--force-recreate", "redis")
    eventually(lambda: client.http.get("/readyz").is_success, within=60, every=0.2)

    assert (refused.status_code, refused.headers["Retry-After"] != "") == (503, True)
    assert client.get(ended["task_id"]) == ended
    assert {client.finished(task, within=60)["status"] for task in under_way} == {"succeeded"}


def test_the_apis_are_restarted_in_turn_and_nobody_notices(installation: Compose, client: Client) -> None:
    installation.up(api=2, worker=3)
    apis = installation.running("api")
    assert len(apis) == 2
    for api in apis:
        until_healthy(api)
    task = client.submit("wait", wait_time=10)["task_id"]

    with Poller(installation.urls, task) as poller:
        for api in apis:
            docker("stop", "--time=20", api)
            assert inspect(api)["State"]["ExitCode"] == 0
            docker("start", api)
            until_healthy(api)
        eventually(lambda: poller.status() == "succeeded", within=60)

    assert poller.unanswered == []
    assert poller.polls > 20
