"""The users of deploy/redis/users.acl: the whole system gets along with what they may."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.steps import submit
from tests.integration.client import Client
from tests.integration.crowd import CROWD
from tests.integration.guarded import USERS, GuardedServer, granted
from tests.integration.nodes import WorkerProcess
from tests.integration.receiver import Receiver
from tests.integration.test_doctor import doctor
from tests.redis_server import KINDS
from tests.waiting import eventually

LARGE = "x" * 300_000  # read past the scripts


@pytest.fixture(params=KINDS)
def broker_server(request: pytest.FixtureRequest) -> Iterator[GuardedServer]:
    server = GuardedServer(request.param)
    yield server
    server.close()


@pytest.fixture
def environment(
    environment: dict[str, str], broker_server: GuardedServer, receiver: Receiver, single: Path
) -> dict[str, str]:
    return {
        **environment,
        "PENSTOCK_REDIS_URL": broker_server.url_of("penstock-api"),
        "PENSTOCK_MODELS": f"{environment['PENSTOCK_MODELS']},{CROWD},{single}",
        "PENSTOCK_MAX_ATTEMPTS": "2",
        "PENSTOCK_RATE_LIMIT": "100000/second",
        "PENSTOCK_CALLBACK_HOSTS": receiver.host,
        "PENSTOCK_CALLBACK_SECRET": "a master secret of 32 characters",
    }


@pytest.fixture
def start_worker(
    add_worker: Callable[..., WorkerProcess], broker_server: GuardedServer
) -> Callable[..., WorkerProcess]:
    def start(*arguments: str) -> WorkerProcess:
        worker = add_worker(*arguments, PENSTOCK_REDIS_URL=broker_server.url_of("penstock-worker"))
        worker.ready()
        return worker

    return start


def post(client: Client, model: str, input: dict[str, Any], **parameters: Any) -> str:
    answer = client.http.post(f"/task/{model}", json=input, params=parameters)
    assert answer.is_success, answer.text
    return str(answer.json()["task_id"])


def crowd(client: Client, token: str, **more: Any) -> str:
    return post(client, "crowd", {"token": token, **more})


def ended(client: Client, id: str, within: float = 30) -> str:
    """How a task ended: its error's code, or its status."""
    document = client.finished(id, within=within)
    return str(document["error"]["code"] if document["error"] else document["status"])


def what_clients_do(client: Client, receiver: Receiver) -> None:
    """Every call of the API, with whatever a submit may say."""
    http = client.http
    assert ended(client, post(client, "echo", {"text": LARGE}, priority=3, expires_in=60, time_limit=2)) == "succeeded"
    told = post(client, "echo", {"text": "a"}, callback_url=receiver.url, wait=5)
    eventually(lambda: receiver.accepted)
    keyed = [http.post("/task/echo", json={"text": "b"}, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert keyed[0]["task_id"] == keyed[1]["task_id"]
    running, queued = (post(client, "wait", {"wait_time": 10}) for _ in range(2))
    client.until(running, "running")
    with http.stream("GET", f"/task/{running}/events") as events:
        next(line for line in events.iter_lines() if '"fraction":0.' in line)
    for id in (running, queued):
        assert client.cancel(id).json()["status"] == "canceled"
    assert http.post(f"/task/{queued}/retry").status_code == 202
    assert http.delete(f"/task/{queued}").status_code == 204
    assert http.get(f"/task/{queued}").status_code == 410
    assert http.get(f"/task/{uuid4()}").status_code == 404
    assert told in {task["task_id"] for task in http.get("/task", params={"status": "succeeded"}).json()["tasks"]}
    for path in ("/readyz", "/metrics", "/models", "/models/echo", f"/task/{told}?wait=1"):
        assert http.get(path).status_code == 200


def what_goes_wrong(client: Client, server: GuardedServer, worker: WorkerProcess, gate: Path) -> None:
    """Models that raise, run too long and kill their child; a message that is lost on its way; a batch."""
    assert ended(client, crowd(client, "raises", behave="raise")) == "model_error"
    assert ended(client, post(client, "faulty", {"fault": "spin"}, time_limit=1)) == "timeout"
    assert ended(client, crowd(client, "dies", behave="die")) == "worker_lost"
    held = [post(client, "single", {"token": "held", "gate": str(gate)}) for _ in range(2)]
    for id in held:
        client.until(id, "running")
    lost = post(client, "echo", {"text": "lost"}, priority=3)
    assert server.client.rpop("penstock.echo") is not None
    together = [crowd(client, f"{n}") for n in range(3)]
    assert ended(client, post(client, "crowd", {"token": "late"}, expires_in=1)) == "expired"
    eventually(lambda: any(event.get("outcome") == "resent" for event in worker.events()), within=20)
    gate.touch()
    assert {ended(client, id) for id in (*held, lost, *together)} == {"succeeded"}
    assert client.get(together[0])["batch_size"] == 3


def many_do(client: Client, server: GuardedServer) -> None:
    """So many that what is remembered of the latest is cut."""
    ledger = server.ledger_of("penstock-api")
    for _ in range(300):
        submit(ledger, model="echo", input=b'{"text": "one of many"}')
    ledger.close()
    eventually(lambda: client.http.get("/models/echo").json()["queue"] == {"queued": 0, "running": 0}, within=30)


def who_dies(client: Client, worker: WorkerProcess, start_worker: Callable[..., WorkerProcess]) -> None:
    """A worker is gone with its task, another drains."""
    id = post(client, "wait", {"wait_time": 3})
    client.until(id, "running")
    worker.kill()
    survivor = start_worker()
    assert ended(client, id) == "succeeded"
    id = post(client, "wait", {"wait_time": 10})
    client.until(id, "running")
    survivor.popen.send_signal(signal.SIGTERM)
    assert survivor.wait() == 0
    assert client.get(id)["status"] == "queued"
    eventually(lambda: client.http.get("/readyz").json()["models"]["wait"]["workers"] == 0)


def test_the_system_is_refused_nothing(
    broker_server: GuardedServer,
    client: Client,
    start_worker: Callable[..., WorkerProcess],
    receiver: Receiver,
    gate: Path,
) -> None:
    waiting = post(client, "echo", {"text": "before any worker"})
    worker = start_worker()
    assert ended(client, waiting) == "succeeded"
    what_clients_do(client, receiver)
    what_goes_wrong(client, broker_server, worker, gate)
    many_do(client, broker_server)
    done = doctor("--url", str(client.http.base_url), PENSTOCK_REDIS_URL=broker_server.url_of("penstock-doctor"))
    assert (done.returncode, "forbidden" in done.stdout) == (0, False), done.stdout
    who_dies(client, worker, start_worker)

    assert broker_server.refused() == []
    assert "NOPERM" not in worker.logs()
    stats = broker_server.client.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name, counted in stats.items() if counted["calls"]}
    never = {user: granted(user) - used for user in USERS}
    assert {user: names for user, names in never.items() if names} == {}
