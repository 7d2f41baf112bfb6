"""Cancelling: at once in the ledger, in a moment on the processor, whatever the child is busy with; and no one else."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.client import PubSub

from shared.ledger import calls
from shared.ledger.connect import connect
from tests.contract.steps import KEPT_MS, submit
from tests.integration.burning import is_dead, started
from tests.integration.client import Client
from tests.integration.nodes import ROOT, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import comes_to, eventually

AddWorker = Callable[..., WorkerProcess]
KINDS = ("python", "numpy", "pow", "sleep")
DEAD_WITHIN = 2.0
ROUNDS = 60  # of each race


@pytest.fixture
def load_log(tmp_path: Path) -> Path:
    """Where the burn model notes that it was loaded."""
    return tmp_path / "loads"


@pytest.fixture
def environment(environment: dict[str, str], load_log: Path) -> dict[str, str]:
    folders = ",".join(str(ROOT / folder) for folder in ("tests/models/burn", "tests/models/echo"))
    return {**environment, "PENSTOCK_MODELS": folders, "LOAD_LOG": str(load_log)}


@pytest.fixture
def add_patient_worker(add_worker: AddWorker) -> AddWorker:
    """Start a worker whose leases last for minutes: no renewal tells it of a cancellation, only its own channel."""

    def add(children: int) -> WorkerProcess:
        worker = add_worker("--concurrency", str(children), PENSTOCK_LEASE_SECONDS="600")
        worker.ready()
        return worker

    return add


@pytest.mark.parametrize("how", KINDS)
def test_a_canceled_task_ends_at_once_and_costs_its_child_and_nothing_else(
    add_patient_worker: AddWorker, client: Client, load_log: Path, how: str
) -> None:
    worker = add_patient_worker(2)
    sibling, sibling_child = started(client, "sleep", seconds=3)
    victim, victim_child = started(client, how)
    before = {child.pid for child in worker.children()}

    answer = client.cancel(victim)

    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert client.get(victim)["status"] == "canceled"
    eventually(lambda: is_dead(victim_child), within=DEAD_WITHIN)
    following = client.finished(client.submit("burn", how="none")["task_id"])
    assert following["status"] == "succeeded"
    assert following["attempt"] == 1
    assert following["result"]["pid"] not in before
    assert {child.pid for child in worker.children()} == {sibling_child.pid, following["result"]["pid"]}
    survivor = client.finished(sibling)
    assert (survivor["status"], survivor["attempt"]) == ("succeeded", 1)
    assert survivor["result"] == {"pid": sibling_child.pid}
    assert survivor["finished_at"] > following["finished_at"]  # or it had nothing to survive
    assert loads(load_log) == [worker.pid]
    ended = client.get(victim)
    assert (ended["status"], ended["attempt"], ended["result"], ended["error"]) == ("canceled", 1, None, None)


def test_a_canceled_queued_task_never_runs(add_patient_worker: AddWorker, client: Client, execution_log: Path) -> None:
    worker = add_patient_worker(1)
    running, child = started(client, "sleep")
    canceled, kept = (client.submit("echo", text=text)["task_id"] for text in ("canceled", "kept"))

    answer = client.cancel(canceled)

    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert not is_dead(child)
    assert client.get(running)["status"] == "running"
    client.cancel(running)
    assert client.finished(kept)["status"] == "succeeded"
    assert execution_log.read_text() == "kept\n"
    never_run = client.get(canceled)
    assert (never_run["status"], never_run["attempt"], never_run["started_at"]) == ("canceled", 0, None)
    comes_to(lambda: [kill["task_id"] for kill in kills(worker)], [running])


def test_two_clients_cancel_at_once_and_one_child_dies(add_patient_worker: AddWorker, client: Client) -> None:
    worker = add_patient_worker(1)
    running, child = started(client, "pow")
    together = threading.Barrier(2)

    def cancel(_: int) -> httpx2.Response:
        with httpx2.Client(base_url=client.http.base_url, timeout=10) as http:
            together.wait()
            return Client(http).cancel(running)

    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(cancel, range(2)))

    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(200, "canceled")] * 2
    assert answers[0].json()["finished_at"] == answers[1].json()["finished_at"]
    eventually(lambda: is_dead(child), within=DEAD_WITHIN)
    following = [client.submit("burn", how="none")["task_id"] for _ in range(5)]
    outcomes = [client.finished(task_id) for task_id in following]
    assert {(done["status"], done["attempt"]) for done in outcomes} == {("succeeded", 1)}
    assert len({done["result"]["pid"] for done in outcomes}) == 1
    comes_to(lambda: [kill["task_id"] for kill in kills(worker)], [running])


def test_a_cancellation_that_races_the_end_is_too_late_or_in_time_and_never_hits_the_next_task(
    add_patient_worker: AddWorker, client: Client, load_log: Path
) -> None:
    worker = add_patient_worker(1)
    seen: dict[str, int] = {"succeeded": 0, "canceled": 0}
    delay = 0.02

    for _ in range(ROUNDS):
        racing = client.submit("burn", how="sleep", seconds=0.02)["task_id"]
        # It waits behind the racing one, and is what the child runs when a kill that comes too late would arrive.
        following = client.submit("burn", how="sleep", seconds=0.03)["task_id"]
        eventually(lambda id=racing: client.get(id)["status"] != "queued", every=0.001)
        time.sleep(delay)  # not to wait for something: the instant of the cancellation, steered to the end of the task
        answer = client.cancel(racing)
        outcome = client.get(racing)["status"]
        assert (answer.status_code, outcome) in ((409, "succeeded"), (200, "canceled"))
        after = client.finished(following)
        assert (after["status"], after["attempt"]) == ("succeeded", 1)
        assert client.get(racing)["status"] == outcome
        seen[outcome] += 1
        delay *= 1.1 if outcome == "canceled" else 0.9

    assert min(seen.values()) > 0, seen
    assert len(kills(worker)) <= seen["canceled"]
    assert loads(load_log) == [worker.pid]


def test_a_task_that_is_canceled_the_instant_it_is_claimed_is_stopped(
    add_patient_worker: AddWorker, client: Client, broker_server: RedisServer, load_log: Path
) -> None:
    # The child has won the claim, and has yet to say so in its slot when the keeper hears of the cancellation. Over
    # HTTP that is rare; who speaks to the ledger itself is quick enough, about every seventh time.
    worker = add_patient_worker(1)
    with closing(connect(broker_server.url, name="test")) as ledger, ledger.client.pubsub() as pubsub:
        pubsub.psubscribe("penstock:task:*")
        for number in range(ROUNDS):
            racing = submit(ledger, model="burn", input=b'{"how": "sleep"}')
            wait_until_claimed(pubsub, racing)
            ledger.run(calls.cancel(racing, "", KEPT_MS))
            following = client.finished(client.submit("burn", how="none")["task_id"], within=5)
            assert (following["status"], following["attempt"]) == ("succeeded", 1), number

    comes_to(lambda: len(kills(worker)), ROUNDS)
    assert loads(load_log) == [worker.pid]


@pytest.mark.parametrize("how", ["numpy", "pow"])
def test_a_task_may_be_given_less_time_than_its_model_and_c_code_obeys(
    add_patient_worker: AddWorker, client: Client, load_log: Path, how: str
) -> None:
    worker = add_patient_worker(1)
    answer = client.http.post("/task/burn?time_limit=0.5", json={"how": how})
    assert answer.status_code == 202, answer.text

    done = client.finished(answer.json()["task_id"])

    assert (done["status"], done["attempt"], done["result"]) == ("failed", 1, None)
    assert done["error"] == {"code": "timeout", "message": "The prediction ran past its limit of 0.5 s."}
    following = client.finished(client.submit("burn", how="none")["task_id"])
    assert (following["status"], following["attempt"]) == ("succeeded", 1)
    assert client.get(done["task_id"]) == done
    assert loads(load_log) == [worker.pid]


def wait_until_claimed(pubsub: PubSub, task_id: str) -> None:
    """Wait for the ledger to say that the task runs; what it said of other tasks before is passed over."""
    claimed = {"channel": f"penstock:task:{task_id}".encode(), "data": b"running"}
    eventually(lambda: claimed.items() <= (pubsub.get_message(timeout=1) or {}).items(), every=0)


def kills(worker: WorkerProcess) -> list[dict[str, Any]]:
    return [line for line in worker.events() if line["event"] == "killed the child"]


def loads(log: Path) -> list[int]:
    """The processes that have loaded the burn model, once for each time."""
    return [int(pid) for pid in log.read_text().split()]
