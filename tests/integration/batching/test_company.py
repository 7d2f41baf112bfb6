"""How long a task waits for company in a real child, and who may go on meanwhile."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from shared.ledger import calls
from shared.ledger.connection import Ledger
from tests.contract.steps import KEPT_MS, hinted, messages, read
from tests.integration.batching.eight import kills
from tests.integration.crowd import CROWD, ended, executions, outcomes, queue, variant
from tests.integration.nodes import WorkerProcess
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]


def test_a_lone_task_waits_for_company_and_no_longer(
    ledger: Ledger, add_worker: AddWorker, tmp_path: Path, execution_log: Path
) -> None:
    worker = add_worker(PENSTOCK_MODELS=str(variant(tmp_path / "sociable", MAX_WAIT_MS=300)))
    worker.ready()

    (task,) = ended(ledger, queue(ledger, "succeed", model="sociable"))

    assert (task.status, task.batch, task.attempt) == ("succeeded", 1, 1)
    assert (task.started_ms or 0) - task.created_ms >= 300
    assert executions(execution_log) == [["0"]]


def test_those_that_come_meanwhile_are_computed_together_as_soon_as_they_are_enough(
    ledger: Ledger, add_worker: AddWorker, tmp_path: Path, execution_log: Path
) -> None:
    model = variant(tmp_path / "sociable", MAX_BATCH=3, MAX_WAIT_MS=600_000)
    add_worker("--concurrency", "2", PENSTOCK_MODELS=str(model)).ready()
    first = queue(ledger, "succeed", model="sociable")
    eventually(lambda: not messages(ledger, "sociable"))

    tasks = ended(ledger, [*first, *queue(ledger, "succeed", "succeed", model="sociable")])

    assert [(task.status, task.batch) for task in tasks] == [("succeeded", 3)] * 3
    assert len(executions(execution_log)) == 1


def test_a_worker_told_to_stop_while_tasks_wait_for_company_ends_and_leaves_them(
    ledger: Ledger, add_worker: AddWorker, tmp_path: Path, execution_log: Path
) -> None:
    worker = add_worker(PENSTOCK_MODELS=str(variant(tmp_path / "sociable", MAX_WAIT_MS=600_000)))
    worker.ready()
    ids = queue(ledger, "succeed", "succeed", model="sociable")
    eventually(lambda: messages(ledger, "sociable") == ids[1:])

    os.kill(worker.pid, signal.SIGTERM)

    # A child that was handed a message an instant before may be made to wait for 30 s by billiard: see its pool's
    # _ensure_messages_consumed. The task would wait for minutes.
    assert worker.wait(60) == 0, worker.logs()
    assert sorted(hinted(ledger, "sociable")) == sorted(ids)
    assert [(read(ledger, id).status, read(ledger, id).attempt) for id in ids] == [("queued", 0)] * 2
    assert executions(execution_log) == []


def test_a_child_that_waits_for_company_is_there_for_the_other_models(
    ledger: Ledger, add_worker: AddWorker, tmp_path: Path, execution_log: Path, gate: Path
) -> None:
    folders = f"{variant(tmp_path / 'sociable', MAX_BATCH=2, MAX_WAIT_MS=600_000)},{CROWD}"
    add_worker(PENSTOCK_MODELS=folders).ready()
    waiting = queue(ledger, "succeed", model="sociable")
    eventually(lambda: not messages(ledger, "sociable"))

    assert outcomes(ended(ledger, queue(ledger, "succeed"))) == ["succeeded"]
    assert read(ledger, waiting[0]).attempt == 0
    both = [*waiting, *queue(ledger, "succeed", model="sociable")]
    assert [task.batch for task in ended(ledger, both)] == [2, 2]


def test_a_waiting_task_may_be_canceled(ledger: Ledger, add_worker: AddWorker, tmp_path: Path) -> None:
    worker = add_worker(PENSTOCK_MODELS=str(variant(tmp_path / "sociable", MAX_BATCH=2, MAX_WAIT_MS=600_000)))
    worker.ready()
    ids = queue(ledger, "succeed", model="sociable")
    eventually(lambda: not messages(ledger, "sociable"))

    ledger.run(calls.cancel(ids[0], "", KEPT_MS))

    tasks = ended(ledger, queue(ledger, "succeed", "succeed", model="sociable"))
    assert [task.batch for task in tasks] == [2, 2]
    assert (read(ledger, ids[0]).status, read(ledger, ids[0]).attempt) == ("canceled", 0)
    assert kills(worker) == []
