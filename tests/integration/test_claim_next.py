"""A child goes from task to task by itself: nothing is left behind, done twice, starved, or out of anyone's control."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.queue import list_key
from shared.task import Status
from tests.contract.steps import KEPT_MS, hinted, messages, read, submit
from tests.integration.crowd import (
    ended,
    executions,
    gated,
    lines,
    many,
    order,
    outcomes,
    queue,
    results,
    variant,
    watched,
)
from tests.integration.nodes import WorkerProcess, lives
from tests.waiting import comes_to, eventually

AddWorker = Callable[..., WorkerProcess]
MANY = 200
KILLS = 20
HANDED_OVER = 100  # far less than MANY: one for each child, and an idle worker asks once a second


@pytest.fixture
def environment(environment: dict[str, str], single: Path) -> dict[str, str]:
    return {**environment, "PENSTOCK_MODELS": str(single), "PENSTOCK_CONCURRENCY": "1"}


def test_a_long_queue_is_emptied_in_order_without_the_parent(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path
) -> None:
    ids = many(ledger, MANY)
    with watched(ledger) as ends:
        worker = add_worker("--concurrency", "2")

        tasks = ended(ledger, ids)

        assert ends.count() == dict.fromkeys(ids, 1)
    assert outcomes(tasks) == ["succeeded"] * MANY
    assert [(task.attempt, task.lost) for task in tasks] == [(1, 0)] * MANY
    assert messages(ledger, "single") == []
    assert Counter(order(execution_log)) == Counter(str(n) for n in range(MANY))
    assert {line["pid"] for line in lines(execution_log)[1:]} == {child.pid for child in worker.children()}
    assert ledger.client.info("commandstats")["cmdstat_brpop"]["calls"] < HANDED_OVER


def listening(ledger: Ledger) -> list[str]:
    """The names of the connections that wait for a message."""
    return [client["name"] for client in ledger.client.client_list() if "b" in client["flags"]]


def test_a_child_that_has_run_a_task_listens_for_the_next_message_itself(ledger: Ledger, add_worker: AddWorker) -> None:
    add_worker()
    ended(ledger, many(ledger, 1))

    eventually(lambda: [name.startswith("penstock-child-") for name in listening(ledger)] == [True])

    for _ in range(3):
        assert outcomes(ended(ledger, many(ledger, 1))) == ["succeeded"]
    assert messages(ledger, "single") == []


def test_a_listening_child_passes_over_what_is_not_ours(ledger: Ledger, add_worker: AddWorker) -> None:
    add_worker()
    ended(ledger, many(ledger, 1))
    eventually(lambda: listening(ledger))

    for nonsense in (b"not JSON", b"[]", b'{"headers": {"id": 7}}', b'{"headers": {"id": "7"}}'):
        ledger.client.lpush(list_key("single"), nonsense)

    assert outcomes(ended(ledger, many(ledger, 2))) == ["succeeded", "succeeded"]
    eventually(lambda: not ledger.client.llen(list_key("single")))


def test_a_listening_child_takes_nothing_once_its_worker_stops(ledger: Ledger, add_worker: AddWorker) -> None:
    worker = add_worker()
    ended(ledger, many(ledger, 1))
    eventually(lambda: listening(ledger))

    os.kill(worker.pid, signal.SIGTERM)

    assert worker.wait() == 0
    (id,) = many(ledger, 1)
    assert read(ledger, id).status is Status.QUEUED
    assert messages(ledger, "single") == [id]


def test_children_whose_parent_was_killed_claim_nothing_more(ledger: Ledger, add_worker: AddWorker) -> None:
    """Nobody would renew their leases."""
    ids = many(ledger, 1000, seconds=0.02)
    worker = add_worker("--concurrency", "2")
    eventually(lambda: read(ledger, ids[20]).is_final)
    children = worker.children()

    os.kill(worker.pid, signal.SIGKILL)

    eventually(lambda: not any(lives(child) for child in children))
    queued = [id for id in ids if read(ledger, id).status is Status.QUEUED]
    assert len(queued) > MANY


def test_two_models_take_turns(ledger: Ledger, add_worker: AddWorker, tmp_path: Path, execution_log: Path) -> None:
    other = variant(tmp_path / "other", MAX_BATCH=4)
    singles = many(ledger, 10)
    ids = [submit(ledger, model="other", input=b'{"token": "other"}') for _ in range(40)]
    add_worker(PENSTOCK_MODELS=f"{tmp_path / 'single'},{other}")

    assert set(outcomes(ended(ledger, singles + ids))) == {"succeeded"}

    groups = [len(tokens) if tokens[0] == "other" else "single" for tokens in executions(execution_log)]
    turns = [[4, "single"] * 10, ["single", 4] * 10]  # whichever message came first
    assert groups in turns


def test_the_most_urgent_is_next(ledger: Ledger, add_worker: AddWorker, gate: Path, execution_log: Path) -> None:
    first, rest = gated(ledger, gate), many(ledger, 20)
    add_worker()
    eventually(lambda: order(execution_log))

    urgent = submit(ledger, model="single", input=b'{"token": "urgent"}', priority=3)
    gate.touch()

    ended(ledger, [first, urgent, *rest])
    assert order(execution_log) == ["gated", "urgent", *(str(n) for n in range(20))]


def test_what_is_canceled_in_the_queue_is_passed_over(
    ledger: Ledger, add_worker: AddWorker, gate: Path, execution_log: Path
) -> None:
    first, rest = gated(ledger, gate), many(ledger, 20)
    add_worker()
    eventually(lambda: order(execution_log))

    for n in (0, 7, 19):
        ledger.run(calls.cancel(rest[n], "", KEPT_MS))
    gate.touch()

    tasks = ended(ledger, [first, *rest])
    assert Counter(outcomes(tasks)) == {"succeeded": 18, "canceled": 3}
    assert order(execution_log) == ["gated", *(str(n) for n in range(20) if n not in {0, 7, 19})]
    eventually(lambda: not messages(ledger, "single"))  # what leads nowhere wakes a child once more, at most


def test_one_canceled_while_it_runs_costs_the_queue_behind_it_nothing(
    ledger: Ledger, add_worker: AddWorker, gate: Path, execution_log: Path
) -> None:
    before, running, behind = many(ledger, 5), gated(ledger, gate), many(ledger, 5)
    worker = add_worker(PENSTOCK_LEASE_SECONDS="600")
    eventually(lambda: "gated" in order(execution_log))

    ledger.run(calls.cancel(running, "", KEPT_MS))

    tasks = ended(ledger, [*before, *behind])
    assert [(task.status, task.attempt, task.lost) for task in tasks] == [("succeeded", 1, 0)] * 10
    assert read(ledger, running).status is Status.CANCELED
    comes_to(lambda: [line["task_id"] for line in worker.events() if line["event"] == "killed the child"], [running])


def test_children_killed_at_any_moment_lose_no_task_and_no_slot(
    ledger: Ledger, add_worker: AddWorker, execution_log: Path
) -> None:
    chance = random.Random(4)
    ids = many(ledger, 1500, seconds=0.002)
    with watched(ledger) as ends:
        worker = add_worker("--concurrency", "2", PENSTOCK_LEASE_SECONDS="600", PENSTOCK_MAX_ATTEMPTS="100")
        worker.ready()
        for _ in range(KILLS):
            done = len(executions(execution_log))
            until = done + chance.randint(1, 30)
            eventually(lambda until=until: len(executions(execution_log)) >= until, every=0.001)
            chance.choice(worker.children()).kill()
            eventually(lambda: len(worker.children()) == 2)

        tasks = ended(ledger, ids, within=60)

        assert ends.count() == dict.fromkeys(ids, 1)
    assert outcomes(tasks) == ["succeeded"] * 1500
    assert results(tasks) == [str(n) for n in range(1500)]
    assert all(task.attempt == 1 + task.lost for task in tasks)
    assert sum(task.lost for task in tasks) <= KILLS
    times = Counter(order(execution_log))
    assert all(times[str(n)] <= task.attempt for n, task in enumerate(tasks))
    assert messages(ledger, "single") == []
    both = many(ledger, 2, seconds=0.5)
    eventually(lambda: all(read(ledger, id).status is Status.RUNNING for id in both))  # no slot was lost


def test_a_child_told_to_end_does_so_after_its_task_and_leaves_the_rest_to_its_successor(
    ledger: Ledger, add_worker: AddWorker, gate: Path, execution_log: Path
) -> None:
    first, rest = gated(ledger, gate), many(ledger, 5)
    worker = add_worker(PENSTOCK_LEASE_SECONDS="600")
    eventually(lambda: order(execution_log))
    (child,) = worker.children()

    child.terminate()
    gate.touch()

    tasks = ended(ledger, [first, *rest])
    assert [(task.status, task.attempt, task.lost) for task in tasks] == [("succeeded", 1, 0)] * 6
    assert [line["tokens"] for line in lines(execution_log) if line["pid"] == child.pid] == [["gated"]]


def test_a_worker_that_cannot_go_on_takes_nothing_more(ledger: Ledger, add_worker: AddWorker, tmp_path: Path) -> None:
    """It stops by itself, and no signal tells it to: its healthy children must hear of it all the same."""
    broken = variant(tmp_path / "frail", LOAD_IN="child", MAX_BATCH=1)
    with (broken / "model.py").open("a") as model:
        model.write(f"\nif Path({str(tmp_path / 'spoilt')!r}).exists():\n    raise OSError\n")
    ids = queue(ledger, *["succeed"] * 3000, model="frail", seconds=0.02)
    worker = add_worker("--concurrency", "2", PENSTOCK_MODELS=str(broken), PENSTOCK_DRAIN_SECONDS="600")
    worker.ready()
    (tmp_path / "spoilt").touch()

    worker.children()[0].kill()

    assert worker.wait() == 1, worker.logs()
    statuses = Counter(read(ledger, id).status for id in ids)
    assert statuses[Status.QUEUED] > 0
    assert statuses[Status.RUNNING] == statuses[Status.FAILED] == 0


def test_a_draining_worker_leaves_the_queue_and_its_messages_to_others(
    ledger: Ledger, add_worker: AddWorker, gate: Path, execution_log: Path
) -> None:
    first, rest = gated(ledger, gate), many(ledger, 20)
    worker = add_worker(PENSTOCK_DRAIN_SECONDS="600")
    eventually(lambda: order(execution_log))

    os.kill(worker.pid, signal.SIGTERM)
    eventually(lambda: ledger.run(calls.census(["single"]))["single"].workers == 0)
    gate.touch()

    assert worker.wait() == 0, worker.logs()
    assert read(ledger, first).status is Status.SUCCEEDED
    assert order(execution_log) == ["gated"]
    assert [read(ledger, id).attempt for id in rest] == [0] * 20
    assert hinted(ledger, "single") == rest


# Between two tasks: the child has computed, and does not know yet what came of it.
