"""One callback through everything that may go wrong on its way: the worker's death, the receiver's, and an API's."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from standardwebhooks import Webhook

from shared.keys import digest, new_key
from tests.integration.client import Client
from tests.integration.conftest import free_port, is_alive
from tests.integration.nodes import ROOT, ApiProcess, WorkerProcess
from tests.integration.receiver import Receiver
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
ANN = new_key()
ALWAYS = (503,) * 100


def callbacks(api: ApiProcess, id: str) -> list[tuple[str, str, str]]:
    """What an API's log says of telling of a task: host, state, answer."""
    lines = [line for line in api.events() if line["event"] == "callback" and line["task_id"] == id]
    return [(line["host"], line["state"], line["answer"]) for line in lines]


@pytest.fixture
def port() -> int:
    """Where the receiver is, whenever it is there."""
    return free_port()


@pytest.fixture
def beside(receiver: Receiver) -> Receiver:
    """Another receiver, which is always well."""
    return receiver


@pytest.fixture
def environment(environment: dict[str, str], port: int, beside: Receiver) -> dict[str, str]:
    return {
        **environment,
        "PENSTOCK_MODELS": str(ROOT / "tests/models/tally"),
        "PENSTOCK_CONCURRENCY": "1",
        "PENSTOCK_LEASE_SECONDS": "1",
        "PENSTOCK_API_KEYS": f"ann:{digest(ANN)}",
        "PENSTOCK_CALLBACK_HOSTS": f"http://127.0.0.1:{port},{beside.host}",
        "PENSTOCK_CALLBACK_SECRET": "a master secret of 32 characters",
        "PENSTOCK_CALLBACK_RETRY_SECONDS": "0.1",
    }


@pytest.fixture
def apis(environment: dict[str, str]) -> Iterator[list[ApiProcess]]:
    """Two APIs; each has a courier, and either may deliver."""
    apis = [ApiProcess(free_port(), environment) for _ in range(2)]
    for api in apis:
        with asking(api) as client:
            eventually(lambda api=api, client=client: is_alive(client.http, api), within=20)
    yield apis
    for api in apis:
        api.close()


@contextlib.contextmanager
def asking(api: ApiProcess) -> Iterator[Client]:
    headers = {"X-API-Key": ANN}
    with httpx2.Client(base_url=api.url, headers=headers, timeout=10, trust_env=False) as http:
        yield Client(http)


@contextlib.contextmanager
def receiving(port: int, statuses: tuple[int, ...] = ()) -> Iterator[Receiver]:
    receiver = Receiver(port, statuses)
    try:
        yield receiver
    finally:
        receiver.close()


def submit(client: Client, url: str, seconds: float) -> str:
    input = {"token": "told", "seconds": seconds}
    answer = client.http.post("/task/tally", json=input, params={"callback_url": url})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def delivered(client: Client, id: str) -> Any:
    """Return what the task says of its callback, once it has been delivered."""

    def look() -> Any:
        found = client.get(id)["callback"]
        return found if found["state"] == "delivered" else None

    return eventually(look, within=20)


def caller(apis: list[ApiProcess], port: int) -> ApiProcess:
    """Return the API that a connection from `port` comes from."""
    ports = {api.pid: {c.laddr.port for c in psutil.Process(api.pid).net_connections("tcp4")} for api in apis}
    (found,) = (api for api in apis if port in ports[api.pid])
    return found


def secret_of(owner: str, environment: dict[str, str]) -> str:
    """Return what the operator gives to the owner."""
    command = [sys.executable, "-m", "cli", "keys", "secret", owner]
    env = {**os.environ, **environment}
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def lose_worker(add_worker: AddWorker, execution_log: Path) -> Callable[[], None]:
    """Kill a worker while it runs the only task, and start another."""

    def lose() -> None:
        worker = add_worker()
        worker.ready()
        eventually(execution_log.read_text)
        worker.kill()
        add_worker().ready()

    return lose


def fail_and_vanish(client: Client, port: int, lose_worker: Callable[[], None]) -> tuple[str, Receiver]:
    """Submit, lose the worker that runs the task, and let the receiver fail three times; then there is none."""
    with receiving(port, (500,) * 3 + ALWAYS) as failing:
        id = submit(client, failing.url, seconds=2)
        lose_worker()
        eventually(lambda: len(failing.seen) >= 3, within=20)
    done = client.get(id)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)
    eventually(lambda: client.get(id)["callback"]["answer"] == "unreachable")
    return id, failing


def require_left_alone(client: Client, held: Receiver, beside: Receiver) -> None:
    """Have somebody look for what is due, and deliver it, while a delivery to `held` is under way."""
    another = submit(client, beside.url, seconds=0)
    assert delivered(client, another)["attempts"] == 1
    assert len(held.seen) == 1


def require_signed(tries: list[tuple[dict[str, str], bytes]], secret: str) -> None:
    """The library that a receiver would use takes every try."""
    for headers, body in tries:
        assert Webhook(secret).verify(body, headers)["type"] == "task.succeeded"


def require_fresh(tries: list[tuple[dict[str, str], bytes]], times: list[float]) -> None:
    """Each was signed after the one before had come."""
    signed = [int(headers["webhook-timestamp"]) for headers, _ in tries]
    for before, at, now in zip([0.0, *times], signed, times, strict=False):
        assert int(before) <= at <= now
    assert signed[0] < signed[-1]


def test_one_end_is_told_under_one_id_through_the_death_of_worker_receiver_and_api(
    apis: list[ApiProcess],
    beside: Receiver,
    lose_worker: Callable[[], None],
    environment: dict[str, str],
    port: int,
) -> None:
    with asking(apis[0]) as client:
        id, failing = fail_and_vanish(client, port, lose_worker)

    with receiving(port) as receiver:
        receiver.hold.clear()
        eventually(lambda: receiver.seen, within=20)
        victim = caller(apis, receiver.peers[0])
        (survivor,) = (api for api in apis if api is not victim)
        with asking(survivor) as client:
            require_left_alone(client, receiver, beside)
            victim.signal_tree(signal.SIGKILL)
            victim.wait()
            receiver.hold.set()  # it accepts, and nobody hears of it
            told = delivered(client, id)

    tries = failing.seen + receiver.seen
    refused = sum(callbacks(api, id).count(("127.0.0.1", "pending", "unreachable")) for api in apis)
    assert {headers["webhook-id"] for headers, _ in tries} == {f"{id}-1"}
    assert {headers["webhook-id"] for headers in failing.accepted + receiver.accepted} == {f"{id}-1"}
    assert len(receiver.seen) == 2
    assert (told["attempts"], told["answer"], told["next_attempt_at"]) == (len(tries) + refused, "200", None)
    assert ("127.0.0.1", "delivered", "200") in callbacks(survivor, id)
    assert len(beside.seen) == 1
    require_signed(tries, secret_of("ann", environment))
    require_fresh(tries, failing.times + receiver.times)
