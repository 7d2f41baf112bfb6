"""Batches in real children that are broken off from outside: canceled in part, stopped, killed, frozen."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from tests.contract.steps import KEPT_MS, hinted, read
from tests.integration.batching.eight import ALONE, EIGHT, LONG, eight, kills
from tests.integration.burning import is_dead
from tests.integration.conftest import LEASE_SECONDS
from tests.integration.crowd import ended, executions, lines, loads, outcomes, queue, variant, watched
from tests.integration.nodes import WorkerProcess
from tests.waiting import comes_to, eventually

AddWorker = Callable[..., WorkerProcess]
DEAD_WITHIN = 2.0


def slower(folder: Path) -> Path:
    """The crowd model with all the time that it needs."""
    return variant(folder / "slower" / "crowd", TIME_LIMIT_SECONDS=600)


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
    comes_to(lambda: kills(worker), ["canceled"])
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

    comes_to(lambda: kills(worker), ["canceled"])
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
    assert sorted(hinted(ledger, "crowd")) == sorted(ids)
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
            eventually(lambda: "its claim is lost" in gone.logs() or '"accepted":false' in gone.logs())
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
    assert (read(ledger, behind[0]).status, hinted(ledger, "crowd")) == ("queued", behind)


def worker_says_it_drains(ledger: Ledger) -> bool:
    return ledger.run(calls.census(["crowd"]))["crowd"].workers == 0
