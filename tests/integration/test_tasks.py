"""The main job from outside: submit, poll, result; and what becomes of a task when something dies."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx2
import psutil
import pytest
from pytest_celery import CeleryTestSetup

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


def test_a_prediction_from_submit_to_result(worker: WorkerProcess, client: Client) -> None:
    submitted = client.submit("wait", wait_time=1)
    task_id = submitted["task_id"]

    assert submitted["status"] in ("queued", "running")
    assert submitted["links"]["self"] == f"/task/{task_id}"
    running = client.until(task_id, "running")
    assert running["attempt"] == 1
    assert running["started_at"] is not None
    assert running["result"] is None
    assert running["queue"] is None
    done = client.finished(task_id)
    assert done["status"] == "succeeded"
    assert done["result"]["message"] == "task done after 1"
    assert done["error"] is None
    assert done["progress"] is None
    created, started, finished = (
        datetime.fromisoformat(done[f"{when}_at"]) for when in ("created", "started", "finished")
    )
    assert created <= started < finished
    assert (finished - started).total_seconds() >= 1


def test_progress_grows_while_it_runs(worker: WorkerProcess, client: Client) -> None:
    task_id = client.submit("wait", wait_time=2)["task_id"]

    fractions: list[float] = []

    def look() -> bool:
        document = client.get(task_id)
        if document["progress"] and document["progress"]["fraction"] not in fractions:
            fractions.append(document["progress"]["fraction"])
        return bool(document["status"] == "succeeded")

    eventually(look)
    assert fractions == sorted(fractions)
    assert len(fractions) >= 4  # at least twice a second


def test_the_worker_is_seen_only_when_it_has_loaded(add_worker: AddWorker, client: Client) -> None:
    def workers() -> int:
        return int(client.http.get("/readyz").json()["models"]["wait"]["workers"])

    assert workers() == 0
    task = client.submit("wait", wait_time=1)
    assert task["queue"]["reason"] == "no_workers"

    first = add_worker()

    eventually(lambda: workers() == 1, within=20)
    assert client.http.get("/models/wait").json()["slots"] == 2
    assert client.finished(task["task_id"])["status"] == "succeeded"
    first.signal_tree(signal.SIGKILL)
    eventually(lambda: workers() == 0, within=LEASE_SECONDS + 5)


def test_positions_while_queued(worker: WorkerProcess, client: Client) -> None:
    running = [client.submit("wait", wait_time=2)["task_id"] for _ in range(2)]
    for task_id in running:
        client.until(task_id, "running")

    queued = [client.submit("wait", wait_time=1) for _ in range(3)]

    assert [task["queue"]["position"] for task in queued] == [1, 2, 3]
    assert {task["queue"]["reason"] for task in queued} == {"waiting"}
    for task in queued:
        assert client.finished(task["task_id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("raise", "model_error", "The model raised KeyError."),
        ("tell", "model_error", "the page has no text"),
        ("exit", "model_error", "The model raised SystemExit."),
        ("nan_progress", "model_error", "progress: the fraction is not a number"),
        ("wrong_type", "invalid_result", "The model returned what its Output refuses."),
        ("no_result", "invalid_result", "The model returned what its Output refuses."),
        ("spin", "timeout", "The prediction ran past its limit of 3 s."),
    ],
)
def test_a_fault_of_the_model_fails_its_task_once_with_a_reason(
    worker: WorkerProcess, client: Client, fault: str, code: str, message: str
) -> None:
    done = client.finished(client.submit("faulty", fault=fault)["task_id"])

    assert done["status"] == "failed"
    assert done["error"] == {"code": code, "message": message}
    assert done["attempt"] == 1
    assert done["result"] is None
    assert client.finished(client.submit("faulty", fault="none")["task_id"])["result"] == {"number": 1.0}


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


def test_a_killed_child_costs_its_task_one_attempt_and_little_time(worker: WorkerProcess, client: Client) -> None:
    task_id = client.submit("wait", wait_time=2)["task_id"]
    client.until(task_id, "running")
    busy = max(worker.children(), key=lambda child: sum(child.cpu_times()[:2]))

    busy.kill()

    eventually(lambda: client.get(task_id)["attempt"] == 2, within=LEASE_SECONDS + 5)
    assert client.finished(task_id)["status"] == "succeeded"
    eventually(lambda: len(worker.children()) == 2)


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
        eventually(lambda id=task_id: client.get(id)["attempt"] == 2, within=LEASE_SECONDS + 5)  # type: ignore[misc]
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
    eventually(lambda: "its claim is lost" in worker.logs() or '"accepted": false' in worker.logs())
    done = client.finished(task_id)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)
    eventually(lambda: len(worker.children()) == 2)


def test_cancelling_a_running_task_kills_its_computation_and_frees_the_slot(
    worker: WorkerProcess, client: Client
) -> None:
    spinning = [client.submit("faulty", fault="spin")["task_id"] for _ in range(2)]
    for task_id in spinning:
        client.until(task_id, "running")

    for task_id in spinning:
        assert client.cancel(task_id).json()["status"] == "canceled"

    assert client.finished(client.submit("faulty", fault="none")["task_id"])["status"] == "succeeded"
    assert [client.get(task_id)["status"] for task_id in spinning] == ["canceled", "canceled"]


def test_a_canceled_queued_task_is_never_run(add_worker: AddWorker, client: Client, execution_log: Path) -> None:
    canceled, kept = (client.submit("echo", text=text)["task_id"] for text in ("canceled", "kept"))

    answer = client.cancel(canceled)

    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    add_worker().ready()
    assert client.finished(kept)["result"] == {"text": "kept"}
    assert client.cancel(kept).status_code == 409
    assert client.get(canceled)["status"] == "canceled"
    assert execution_log.read_text() == "kept\n"


def test_a_thousand_tasks_from_twenty_clients_all_end_each_once(
    worker: WorkerProcess, client: Client, execution_log: Path
) -> None:
    def submit_fifty(number: int) -> list[str]:
        with httpx2.Client(base_url=client.http.base_url, timeout=30) as http:
            return [Client(http).submit("echo", text=f"{number}-{i}")["task_id"] for i in range(50)]

    with ThreadPoolExecutor(20) as clients:
        task_ids = [task_id for ids in clients.map(submit_fifty, range(20)) for task_id in ids]

    assert len(set(task_ids)) == 1000
    outcomes = [client.finished(task_id, within=60) for task_id in task_ids]
    assert Counter(done["status"] for done in outcomes) == {"succeeded": 1000}
    assert {done["result"]["text"] for done in outcomes} == {f"{n}-{i}" for n in range(20) for i in range(50)}
    assert {done["attempt"] for done in outcomes} == {1}
    assert Counter(execution_log.read_text().split()).most_common(1)[0][1] == 1


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


def test_a_worker_may_serve_some_of_the_models(add_worker: AddWorker, client: Client) -> None:
    add_worker("--models", "echo", "--concurrency", "1").ready()

    assert client.finished(client.submit("echo", text="a")["task_id"])["status"] == "succeeded"
    assert client.submit("wait", wait_time=1)["queue"]["reason"] == "no_workers"
    served = {model["name"]: model["slots"] for model in client.http.get("/models").json()["models"]}
    assert served == {"wait": 0, "echo": 1, "faulty": 0}


@pytest.mark.parametrize("load_in", ["parent", "child"])
def test_a_model_that_does_not_load_stops_the_worker_with_the_reason(
    add_worker: AddWorker, tmp_path: Path, load_in: str
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "schema.py").write_text(
        "from pydantic import BaseModel\n"
        f"LOAD_IN = {load_in!r}\n"
        "class Input(BaseModel): pass\n"
        "class Output(BaseModel): pass\n"
    )
    (folder / "model.py").write_text(
        "class Model:\n    def __init__(self): raise OSError('no weights here')\n    def predict(self, input): ...\n"
    )

    worker = add_worker(PENSTOCK_MODELS=str(folder))

    assert worker.wait() == 78
    assert "OSError: no weights here" in worker.logs()
    assert "Traceback" not in worker.logs()


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("PENSTOCK_REDIS_URL", "", 2),
        ("PENSTOCK_REDIS_URL", "http://localhost", 2),
        ("PENSTOCK_REDIS_URL", "redis://user:secret@127.0.0.1:1/0", 1),
        ("PENSTOCK_MODELS", "/nowhere/at_all", 2),
        ("PENSTOCK_CONCURRENCY", "0", 2),
        ("PENSTOCK_LEASE_SECONDS", "soon", 2),
    ],
)
def test_a_wrong_setting_stops_the_worker_with_one_line(
    add_worker: AddWorker, setting: str, value: str, code: int
) -> None:
    worker = add_worker(**{setting: value})

    assert worker.wait() == code
    log = worker.logs()
    assert len(log.splitlines()) == 1, log
    assert setting in log or "/nowhere/at_all" in log
    assert "secret" not in log


def test_the_logs_tell_of_a_task_without_its_input(worker: WorkerProcess, client: Client) -> None:
    task_id = client.submit("echo", text="confidential")["task_id"]
    client.finished(task_id)

    lines = [json.loads(line) for line in worker.logs().splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines if line.get("task_id") == task_id] == ["finished"]
    assert "confidential" not in worker.logs()
