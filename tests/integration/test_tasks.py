"""The main job from outside: submit, poll, result, and what a model may do wrong."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx2
import pytest

from tests.integration.client import Client
from tests.integration.nodes import WorkerProcess
from tests.waiting import comes_to, eventually

AddWorker = Callable[..., WorkerProcess]


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


def test_cancelling_a_running_task_kills_its_computation_and_frees_the_slot(
    add_worker: AddWorker, client: Client
) -> None:
    # With this lease the next renewal is minutes away: only the worker's own channel tells it of the cancellation.
    worker = add_worker(PENSTOCK_LEASE_SECONDS="600")
    worker.ready()
    spinning = [client.submit("faulty", fault="spin")["task_id"] for _ in range(2)]
    for task_id in spinning:
        client.until(task_id, "running")

    for task_id in spinning:
        assert client.cancel(task_id).json()["status"] == "canceled"

    assert client.finished(client.submit("faulty", fault="none")["task_id"])["status"] == "succeeded"
    assert [client.get(task_id)["status"] for task_id in spinning] == ["canceled", "canceled"]

    def kills() -> list[tuple[str, str]]:
        lines = [line for line in worker.events() if line["event"] == "killed the child"]
        return sorted((line["task_id"], line["why"]) for line in lines)

    comes_to(kills, sorted((id, "canceled") for id in spinning))


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


def test_the_logs_tell_of_a_task_without_its_input(worker: WorkerProcess, client: Client) -> None:
    task_id = client.submit("echo", text="confidential")["task_id"]
    client.finished(task_id)

    comes_to(lambda: [line["event"] for line in worker.events() if line.get("task_id") == task_id], ["finished"])
    assert "confidential" not in worker.logs()
