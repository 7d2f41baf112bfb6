"""Batches in real children: each task keeps its own outcome, whatever becomes of those that it was computed with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.ledger.connection import Ledger
from shared.task import ErrorCode, Status, TaskError
from tests.contract.steps import read, submit
from tests.integration.batching.eight import ALONE, EIGHT, LONG, eight, kills
from tests.integration.crowd import ended, executions, lines, loads, outcomes, queue, results, variant, watched
from tests.integration.nodes import WorkerProcess
from tests.waiting import comes_to

AddWorker = Callable[..., WorkerProcess]


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

    def finished() -> list[tuple[str, int | None]]:
        return [(line["task_id"], line.get("batch")) for line in worker.events() if line["event"] == "finished"]

    comes_to(finished, [*((id, 8) for id in ids[:8]), (ids[8], None)])


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
    comes_to(lambda: kills(worker), ["past its time limit"] * 2)
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
    comes_to(lambda: kills(worker), ["past its time limit"])


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
