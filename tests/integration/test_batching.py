"""Batches in real children: each task keeps its own outcome, whatever becomes of those that it was computed with."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.task import ErrorCode, Status, TaskError
from tests.contract.steps import KEPT_MS, messages, read, submit
from tests.integration.burning import is_dead
from tests.integration.conftest import LEASE_SECONDS
from tests.integration.crowd import CROWD, ended, executions, lines, loads, outcomes, queue, results, variant, watched
from tests.integration.nodes import WorkerProcess
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
EIGHT = [str(n) for n in range(8)]
ALONE = [[token] for token in EIGHT]
DEAD_WITHIN = 2.0
LONG = {"PENSTOCK_LEASE_SECONDS": "600"}  # waiting for its end would be noticed


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PENSTOCK_MODELS": str(CROWD), "PENSTOCK_CONCURRENCY": "1"}


def eight(behave: str, at: int = 3) -> list[str]:
    """The behaviours of eight tasks, of which one does this."""
    return [behave if n == at else "succeed" for n in range(8)]


def slower(folder: Path) -> Path:
    """The crowd model with all the time that it needs."""
    return variant(folder / "slower" / "crowd", TIME_LIMIT_SECONDS=600)


def kills(worker: WorkerProcess) -> list[str]:
    return [line["why"] for line in worker.events() if line["event"] == "killed the child"]


def test_what_waits_is_computed_together_and_what_is_alone_is_alone(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path
) -> None:
    ids = queue(ledger, *["succeed"] * 9)
    worker = add_worker()

    tasks = ended(ledger, ids)

    assert outcomes(tasks) == ["succeeded"] * 9
    assert results(tasks) == [*EIGHT, "8"]
    assert [task.batch for task in tasks] == [8] * 8 + [1]
    assert [(line["tokens"], line.get("together", False)) for line in lines(execution_log)[1:]] == [
        (EIGHT, True),
        (["8"], False),
    ]
    finished = [line for line in worker.events() if line["event"] == "finished"]
    assert [(line["task_id"], line.get("batch")) for line in finished] == [(id, 8) for id in ids[:8]] + [(ids[8], None)]


@pytest.mark.parametrize(
    ("behave", "code"), [("invalid", "invalid_result"), ("absurd", "invalid_result"), ("raise", "model_error")]
)
def test_one_that_goes_wrong_fails_alone_and_nothing_is_run_again(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path, behave: str, code: str
) -> None:
    ids = queue(ledger, *eight(behave))
    add_worker()

    with watched(ledger) as ends:
        tasks = ended(ledger, ids)
        assert ends.count() == dict.fromkeys(ids, 1)

    assert outcomes(tasks) == ["succeeded"] * 3 + [code] + ["succeeded"] * 4
    assert [(task.attempt, task.lost) for task in tasks] == [(1, 0)] * 8
    assert results(tasks) == [token if token != "3" else None for token in EIGHT]
    assert executions(execution_log) == ([EIGHT, *ALONE] if behave == "raise" else [EIGHT])


def test_too_few_outputs_have_each_computed_alone(ledger: Ledger, add_worker: AddWorker, execution_log: Path) -> None:
    ids = queue(ledger, *eight("miscount"))
    add_worker()

    tasks = ended(ledger, ids)

    assert outcomes(tasks) == ["succeeded"] * 8
    assert results(tasks) == EIGHT
    assert [(task.attempt, task.lost) for task in tasks] == [(1, 0)] * 8
    assert executions(execution_log) == [EIGHT, *ALONE]


def test_of_a_batch_that_failed_each_is_published_as_it_ends(ledger: Ledger, add_worker: AddWorker, gate: Path) -> None:
    first = queue(ledger, "raise", "succeed")
    last = queue(ledger, "succeed", gate=str(gate))
    add_worker()

    assert outcomes(ended(ledger, first)) == ["model_error", "succeeded"]
    assert read(ledger, last[0]).status is Status.RUNNING
    gate.touch()
    assert read(ledger, ended(ledger, last)[0].id).attempt == 1


def test_one_that_kills_the_process_costs_its_neighbours_no_attempt(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path
) -> None:
    ids = queue(ledger, *eight("die"))
    worker = add_worker(**LONG)

    tasks = ended(ledger, ids)

    assert outcomes(tasks) == ["succeeded"] * 3 + ["worker_lost"] + ["succeeded"] * 4
    assert [(task.attempt, task.lost) for task in tasks] == [(2, 0)] * 3 + [(4, 3)] + [(2, 0)] * 4
    computed = executions(execution_log)
    assert computed[0] == EIGHT
    assert sorted(computed[1:]) == sorted([*ALONE, ["3"], ["3"]])
    assert len(worker.children()) == 1


def test_one_that_kills_the_process_where_none_may_be_lost_fails_alone(ledger: Ledger, add_worker: AddWorker) -> None:
    ids = queue(ledger, *eight("die"))
    add_worker(PENSTOCK_MAX_ATTEMPTS="1")

    assert outcomes(ended(ledger, ids)) == ["succeeded"] * 3 + ["worker_lost"] + ["succeeded"] * 4


def test_one_that_runs_too_long_fails_alone(ledger: Ledger, add_worker: AddWorker, execution_log: Path) -> None:
    ids = queue(ledger, *eight("spin"))
    worker = add_worker(**LONG)

    tasks = ended(ledger, ids)

    assert outcomes(tasks) == ["succeeded"] * 3 + ["timeout"] + ["succeeded"] * 4
    assert tasks[3].error == TaskError(ErrorCode.TIMEOUT, "The prediction ran past its limit of 3 s.")
    assert [(task.attempt, task.lost) for task in tasks] == [(2, 0)] * 8
    computed = executions(execution_log)
    assert computed[0] == EIGHT
    assert sorted(computed[1:]) == ALONE
    assert kills(worker) == ["past its time limit"] * 2
    assert loads(execution_log) == [worker.pid]


def test_one_that_runs_too_long_after_its_batch_has_failed_is_known_at_once(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path
) -> None:
    """What follows it has never run, and does so at no cost."""
    ids = queue(ledger, "raise", "spin", "succeed")
    worker = add_worker(**LONG)

    tasks = ended(ledger, ids)

    assert outcomes(tasks) == ["model_error", "timeout", "succeeded"]
    assert [(task.attempt, task.lost) for task in tasks] == [(1, 0), (1, 0), (2, 0)]
    assert executions(execution_log) == [["0", "1", "2"], ["0"], ["1"], ["2"]]
    assert kills(worker) == ["past its time limit"]


def test_the_shortest_limit_of_a_batch_counts_and_fails_only_who_asked_for_it(
    ledger: Ledger, add_worker: AddWorker, tmp_path: Path, execution_log: Path
) -> None:
    model = variant(tmp_path / "patient", TIME_LIMIT_SECONDS=600)
    hasty = submit(ledger, model="patient", input=b'{"token": "hasty", "behave": "spin"}', time_limit_ms=500)
    ids = queue(ledger, *["succeed"] * 3, model="patient")
    add_worker(PENSTOCK_MODELS=str(model))

    tasks = ended(ledger, [hasty, *ids])

    assert outcomes(tasks) == ["timeout"] + ["succeeded"] * 3
    assert tasks[0].error == TaskError(ErrorCode.TIMEOUT, "The prediction ran past its limit of 0.5 s.")
    assert [(task.attempt, task.lost) for task in tasks] == [(2, 0)] * 4


def test_what_expired_in_the_queue_is_not_computed(ledger: Ledger, add_worker: AddWorker, execution_log: Path) -> None:
    late = submit(ledger, model="crowd", input=b'{"token": "late"}', expires_in_ms=1)
    ids = queue(ledger, *["succeed"] * 7)
    add_worker()

    tasks = ended(ledger, [late, *ids])

    assert outcomes(tasks) == ["expired"] + ["succeeded"] * 7
    assert executions(execution_log) == [EIGHT[:7]]


def test_canceling_one_frees_the_processor_and_costs_its_neighbours_nothing(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path
) -> None:
    ids = queue(ledger, *eight("burn"))
    worker = add_worker(**LONG, PENSTOCK_MAX_ATTEMPTS="1")
    eventually(lambda: executions(execution_log))
    burning = psutil.Process(lines(execution_log)[-1]["pid"])

    ledger.run(calls.cancel(ids[3], "", KEPT_MS))

    eventually(lambda: is_dead(burning), within=DEAD_WITHIN)
    tasks = ended(ledger, ids)
    assert outcomes(tasks) == ["succeeded"] * 3 + ["canceled"] + ["succeeded"] * 4
    assert [(task.attempt, task.lost) for task in tasks] == [(2, 0)] * 3 + [(1, 0)] + [(2, 0)] * 4
    seven = [token for token in EIGHT if token != "3"]
    assert [sorted(tokens) for tokens in executions(execution_log)] == [EIGHT, seven]
    assert kills(worker) == ["canceled"]
    assert loads(execution_log) == [worker.pid]


def test_one_canceled_while_its_batch_is_computed_one_by_one_is_not_computed(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path, gate: Path
) -> None:
    failing = queue(ledger, "raise")
    slow = queue(ledger, "succeed", gate=str(gate))
    rest = queue(ledger, "succeed", "succeed")
    worker = add_worker(**LONG)
    ended(ledger, failing)

    ledger.run(calls.cancel(rest[0], "", KEPT_MS))

    eventually(lambda: kills(worker) == ["canceled"])
    gate.touch()
    assert outcomes(ended(ledger, [*slow, *rest])) == ["succeeded", "canceled", "succeeded"]
    assert len(executions(execution_log)) == 4  # all, the first, the second; then the second and the last
    assert sorted(executions(execution_log)[-1]) == ["0", "1"]


def test_a_stopping_worker_gives_a_batch_back_at_no_cost(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path, gate: Path
) -> None:
    slow = {"PENSTOCK_MODELS": str(slower(gate.parent))}
    ids = queue(ledger, *eight("succeed"), gate=str(gate))
    one = {"PENSTOCK_MAX_ATTEMPTS": "1", "PENSTOCK_DRAIN_SECONDS": "0"}
    worker = add_worker(**LONG, **one, **slow)
    eventually(lambda: executions(execution_log))

    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait() == 0, worker.logs()
    tasks = [read(ledger, id) for id in ids]
    assert [(task.status, task.attempt, task.lost, task.batch) for task in tasks] == [("queued", 1, 0, None)] * 8
    assert sorted(messages(ledger, "crowd")) == sorted(ids)
    assert len(executions(execution_log)) == 1
    gate.touch()
    add_worker(**one, **slow)
    tasks = ended(ledger, ids)
    assert outcomes(tasks) == ["succeeded"] * 8
    assert [(task.attempt, task.lost, task.batch) for task in tasks] == [(2, 0, 8)] * 8


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_batch_of_a_worker_that_is_gone_ends_elsewhere_and_none_of_it_twice(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path, gate: Path, how: str
) -> None:
    slow = {"PENSTOCK_MODELS": str(slower(gate.parent))}
    ids = queue(ledger, *eight("succeed"), gate=str(gate))
    gone = add_worker(**slow)
    eventually(lambda: executions(execution_log))
    with watched(ledger) as ends:
        gone.signal_tree(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        add_worker("--concurrency", "2", **slow).ready()
        eventually(lambda: any(read(ledger, id).attempt == 2 for id in ids), within=LEASE_SECONDS + 10)

        gate.touch()
        gone.signal_tree(signal.SIGCONT)

        tasks = ended(ledger, ids)
        if how == "frozen":
            eventually(lambda: "its claim is lost" in gone.logs() or '"accepted": false' in gone.logs())
            eventually(lambda: len(gone.children()) == 1)
        assert outcomes(tasks) == ["succeeded"] * 8
        assert [(task.attempt, task.lost) for task in tasks] == [(2, 0)] * 8
        assert ends.count() == dict.fromkeys(ids, 1)
    assert sorted(tokens for tokens in executions(execution_log) if len(tokens) == 1) == ALONE


def test_a_signal_to_the_child_too_fails_no_batch(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path, gate: Path
) -> None:
    """A supervisor that stops a whole process group means the worker, not the model."""
    ids = queue(ledger, *eight("succeed"), gate=str(gate))
    behind = queue(ledger, "succeed")
    worker = add_worker(PENSTOCK_DRAIN_SECONDS="30", PENSTOCK_MODELS=str(slower(gate.parent)))
    eventually(lambda: executions(execution_log))

    worker.signal_tree(signal.SIGTERM)
    eventually(lambda: worker_says_it_drains(ledger))
    gate.touch()

    assert worker.wait() == 0, worker.logs()
    assert [read(ledger, id).status for id in ids] == ["succeeded"] * 8
    assert (read(ledger, behind[0]).status, messages(ledger, "crowd")) == ("queued", behind)


def worker_says_it_drains(ledger: Ledger) -> bool:
    return ledger.run(calls.census(["crowd"]))["crowd"].workers == 0


# How long a task waits for company.


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
    assert sorted(messages(ledger, "sociable")) == sorted(ids)
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
