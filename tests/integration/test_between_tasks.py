"""One child is killed, frozen or refused in the step that leads from a task to the next; it runs in this process."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger import calls
from shared.ledger.call import Call
from shared.ledger.connection import Ledger
from shared.model import read_schemas
from shared.settings import Settings
from shared.task import Status
from tests.contract.steps import KEPT_MS, expire_lease, messages, read, reap, win
from tests.integration.crowd import CROWD, ended, gated, many, order, outcomes, queue, results, variant, watched
from tests.integration.nodes import WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually
from worker.child import Child
from worker.slots import Slots

AddWorker = Callable[..., WorkerProcess]


@pytest.fixture
def environment(environment: dict[str, str], single: Path) -> dict[str, str]:
    return {**environment, "PENSTOCK_MODELS": str(single), "PENSTOCK_CONCURRENCY": "1"}


@dataclass
class Interrupted:
    """A ledger whose client gets a signal at its first `proceed`: before the server has heard of it, or after."""

    ledger: Ledger
    number: int
    heard: bool
    over: bool = False

    def run(self, call: Call[Any]) -> Any:
        if call.script != "proceed" or self.over:
            return self.ledger.run(call)
        self.over = True
        found = self.ledger.run(call) if self.heard else None
        os.kill(os.getpid(), self.number)
        return found or self.ledger.run(call)

    def close(self) -> None:
        """Whoever made the ledger closes it."""


@pytest.fixture
def child(
    broker_server: RedisServer, single: Path, execution_log: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Child]:
    """A child that has loaded both models, in this process."""
    monkeypatch.setenv("EXECUTION_LOG", str(execution_log))
    settings = Settings(redis_url=broker_server.url, models=[single, CROWD], lease_seconds=600, max_attempts=1)
    child = Child(settings, "worker", Slots(1, 8), read_schemas(settings.models), served={}, linger_seconds=0)
    child.start(0)
    yield child
    child.ledger.close()


@contextmanager
def forked(child: Child, hint: str, number: int, *, heard: bool) -> Iterator[int]:
    """The child in a process of its own, until it gets the signal."""
    pid = os.fork()
    if pid == 0:
        child.parent = os.getppid()
        child.ledger.close()
        child.ledger = Interrupted(child.ledger, number, heard)  # type: ignore[assignment]
        child.run(hint)
        os._exit(0)
    os.waitpid(pid, os.WUNTRACED)
    try:
        yield pid
    finally:
        if number == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
            os.waitpid(pid, 0)


@pytest.mark.parametrize("heard", [True, False], ids=["after the server", "before the server"])
def test_a_child_killed_as_it_goes_on_leaves_word_of_what_it_held_and_of_what_it_may_have_won(
    child: Child, ledger: Ledger, execution_log: Path, heard: bool
) -> None:
    """One attempt is allowed: what is taken back has cost it."""
    first, second = many(ledger, 2)
    with forked(child, first, signal.SIGKILL, heard=heard):
        assert [read(ledger, id).status for id in (first, second)] == (
            ["succeeded", "running"] if heard else ["running", "queued"]
        )

        child.start(0)

    tasks = [read(ledger, id) for id in (first, second)]
    assert [task.status for task in tasks] == (["succeeded", "failed"] if heard else ["failed", "queued"])
    assert outcomes(tasks) == (["succeeded", "worker_lost"] if heard else ["worker_lost", "queued"])


@pytest.mark.parametrize("heard", [True, False], ids=["after the server", "before the server"])
def test_a_child_killed_as_it_goes_on_to_a_batch_costs_none_of_it(child: Child, ledger: Ledger, heard: bool) -> None:
    first = queue(ledger, *["succeed"] * 8)
    second = queue(ledger, *["succeed"] * 8)
    with forked(child, first[0], signal.SIGKILL, heard=heard):
        child.start(0)

    tasks = [read(ledger, id) for id in (*first, *second)]
    assert outcomes(tasks) == (["succeeded"] if heard else ["queued"]) * 8 + ["queued"] * 8
    assert [task.lost for task in tasks] == [0] * 16
    child.run(messages(ledger, "crowd")[0])
    assert outcomes([read(ledger, id) for id in (*first, *second)]) == ["succeeded"] * 16


def test_a_child_that_was_frozen_as_it_went_on_publishes_nothing_of_what_was_taken_back(
    child: Child, ledger: Ledger, execution_log: Path
) -> None:
    first, second = many(ledger, 2)
    with watched(ledger) as ends:
        with forked(child, first, signal.SIGSTOP, heard=True):
            assert read(ledger, second).status is Status.RUNNING
            expire_lease(ledger, second, model="single")
            assert reap(ledger, max_attempts=3) == {second: "queued"}
            (held,) = win(ledger, second).claims

        assert order(execution_log) == ["0", "1"]  # it did not know better
        assert ends.count() == {first: 1}
        assert ledger.run(calls.succeed(held, b'{"token": "ours"}', KEPT_MS))
    tasks = [read(ledger, id) for id in (first, second)]
    assert results(tasks) == ["0", "ours"]
    assert [(task.attempt, task.lost) for task in tasks] == [(1, 0), (2, 1)]


def test_a_child_that_was_frozen_before_it_was_heard_publishes_nothing_and_goes_on(
    child: Child, ledger: Ledger, execution_log: Path
) -> None:
    first, second = many(ledger, 2)
    with watched(ledger) as ends:
        with forked(child, first, signal.SIGSTOP, heard=False):
            expire_lease(ledger, first, model="single")
            assert reap(ledger, max_attempts=3) == {first: "queued"}
            child.run(first)
            (third,) = many(ledger, 1)
        assert ends.count() == {first: 1, second: 1, third: 1}
    assert [(read(ledger, id).attempt, read(ledger, id).lost) for id in (first, second)] == [(2, 1), (1, 0)]


@dataclass
class ForgetfulAndFull:
    """A ledger that loses its answer to the first `proceed`, and has no memory for another."""

    ledger: Ledger
    asked: int = 0

    def run(self, call: Call[Any]) -> Any:
        if call.script != "proceed":
            return self.ledger.run(call)
        self.asked += 1
        if self.asked > 1:
            raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'")
        self.ledger.run(call)
        raise RedisTimeoutError("no answer")

    def close(self) -> None:
        """Whoever made the ledger closes it."""


def test_what_was_won_by_a_step_that_was_not_heard_of_is_given_back_if_it_cannot_be_asked_for_again(
    child: Child, ledger: Ledger, execution_log: Path
) -> None:
    ids = many(ledger, 2)
    child.ledger.close()
    child.ledger = ForgetfulAndFull(ledger)  # type: ignore[assignment]

    child.run(ids[0])

    tasks = [read(ledger, id) for id in ids]
    assert [(task.status, task.attempt, task.lost) for task in tasks] == [("succeeded", 1, 0), ("queued", 1, 0)]
    assert order(execution_log) == ["0"]


def test_a_child_that_is_away_while_tasks_wait_for_company_goes_on_afterwards(
    broker_server: RedisServer, ledger: Ledger, add_worker: AddWorker, tmp_path: Path, gate: Path
) -> None:
    """Whoever waits is not yet committed: what it cannot claim is left to the next that comes."""
    sociable = variant(tmp_path / "sociable", MAX_BATCH=2, MAX_WAIT_MS=600_000)
    worker = add_worker(PENSTOCK_MODELS=f"{sociable},{tmp_path / 'single'}")
    worker.ready()
    running = gated(ledger, gate)
    eventually(lambda: read(ledger, running).status is Status.RUNNING)
    waiting = queue(ledger, "succeed", model="sociable")
    gate.touch()
    ended(ledger, [running])

    broker_server.kill()
    eventually(lambda: "waiting for the ledger" in worker.logs())
    eventually(lambda: "cannot claim" in worker.logs(), within=20)
    broker_server.start()

    both = [*waiting, *queue(ledger, "succeed", model="sociable")]
    assert [task.batch for task in ended(ledger, both)] == [2, 2]
    assert "Traceback" not in worker.logs()
