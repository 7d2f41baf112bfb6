"""The API is killed between what the ledger does and what the client is told: to ask again is safe."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.queue import list_key
from tests.faults.armed import DIRECTORY, STRUCK
from tests.integration.client import Client
from tests.integration.conftest import free_port, is_alive
from tests.integration.nodes import ROOT, Process, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
KEY = {"Idempotency-Key": "9e1b2b7c-payment-17"}
INPUT = {"token": "payment 17", "seconds": 0.2}


@pytest.fixture
def environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    points = tmp_path / "points"
    points.mkdir()
    return {**environment, "PENSTOCK_MODELS": str(ROOT / "tests/models/tally"), DIRECTORY: str(points)}


@pytest.fixture
def points(environment: dict[str, str]) -> Path:
    """Where crash points are armed, and where it is noted who died at one."""
    return Path(environment[DIRECTORY])


class Address:
    """One address, at which one API process serves after the other, as under a supervisor."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.port = free_port()
        self.lives: list[Process] = []

    @contextlib.contextmanager
    def serving(self, *, armed: bool = False) -> Iterator[httpx2.Client]:
        program = ("-m", "tests.faults.armed", "api") if armed else ("-m", "api")
        self.lives.append(Process(*program, "--port", str(self.port), environment=self.environment))
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10, trust_env=False) as http:
            eventually(lambda: is_alive(http, self.lives[-1]), within=20)
            yield http

    def close(self) -> None:
        for process in self.lives:
            process.close()


@pytest.fixture
def address(environment: dict[str, str]) -> Iterator[Address]:
    address = Address(environment)
    yield address
    address.close()


def submit(http: httpx2.Client, input: Any = INPUT) -> httpx2.Response:
    return http.post("/task/tally", json=input, headers=KEY)


def lose_the_answer(address: Address, points: Path, point: str) -> str:
    """Submit to an API that dies at `point`; return the id that it had in hand."""
    with address.serving(armed=True) as http:
        (points / point).touch()
        with pytest.raises(httpx2.TransportError):
            submit(http)
    assert address.lives[-1].wait() == -signal.SIGKILL
    (death,) = (json.loads(line) for line in (points / STRUCK).read_text().splitlines())
    assert death["point"] == point
    (subject,) = death["subjects"]
    return str(subject)


def listed(http: httpx2.Client) -> list[str]:
    return [task["task_id"] for task in http.get("/task").json()["tasks"]]


def test_a_submit_whose_answer_was_lost_is_sent_again_and_is_the_same_task(
    address: Address, points: Path, add_worker: AddWorker, broker_server: RedisServer, execution_log: Path
) -> None:
    accepted = lose_the_answer(address, points, "submit.after.api")

    with address.serving() as http:
        again = submit(http)

        assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true"), again.text
        assert again.json()["task_id"] == accepted
        assert again.headers["location"] == f"/task/{accepted}"
        assert listed(http) == [accepted]
        assert broker_server.client.llen(list_key("tally")) == 1
        add_worker().ready()
        done = Client(http).finished(accepted)
        assert (done["status"], done["attempt"]) == ("succeeded", 1)
        assert [json.loads(line)["token"] for line in execution_log.read_text().splitlines()] == [INPUT["token"]]
        ended = submit(http)
        assert (ended.status_code, ended.headers["idempotency-replayed"]) == (202, "true")
        assert ended.json() == done
        assert submit(http, {**INPUT, "seconds": 0.3}).status_code == 422
        assert listed(http) == [accepted]


def test_a_submit_that_was_lost_itself_is_sent_again_and_is_a_new_task(
    address: Address, points: Path, broker_server: RedisServer
) -> None:
    """The client cannot tell this from the other: the connection broke, and it does the same."""
    lost = lose_the_answer(address, points, "submit.before.api")

    with address.serving() as http:
        again = submit(http)

        assert (again.status_code, again.headers.get("idempotency-replayed")) == (202, None), again.text
        assert again.json()["task_id"] != lost
        assert http.get(f"/task/{lost}").status_code == 404
        assert listed(http) == [again.json()["task_id"]]
        assert broker_server.client.llen(list_key("tally")) == 1


@pytest.mark.parametrize("call", ["cancel", "retry"])
def test_a_cancel_or_retry_whose_answer_was_lost_is_seen_in_the_task(
    address: Address, points: Path, broker_server: RedisServer, call: str
) -> None:
    """Their answer is the task, so a client that reads it, or asks again, knows: nothing was done twice."""
    with address.serving(armed=True) as http:
        id = submit(http).json()["task_id"]
        if call == "retry":
            assert http.post(f"/task/{id}/cancel").is_success
        (points / f"{call}.after.api").touch()
        with pytest.raises(httpx2.TransportError):
            http.post(f"/task/{id}/{call}")

    with address.serving() as http:
        again = http.post(f"/task/{id}/{call}")
        status = http.get(f"/task/{id}").json()["status"]

    assert (again.status_code, status) == ((200, "canceled") if call == "cancel" else (409, "queued"))
