"""One child's dealings with a real ledger, when the worker drains and when answers get lost."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger.call import Call
from shared.ledger.connection import Ledger
from shared.model import read_schemas
from shared.queue import list_key
from shared.settings import Settings
from shared.task import ErrorCode, Status
from tests.contract.steps import claim, messages, read, submit
from tests.integration.nodes import ROOT
from tests.redis_server import RedisServer
from worker.child import Child
from worker.slots import Slots, SlotView, State

INPUT = b'{"text": "hello"}'


@dataclass
class LosesAnswers:
    """A ledger whose answers to these scripts are lost on the way, once each: the step has happened."""

    ledger: Ledger
    losing: set[str] = field(default_factory=set)

    def run(self, call: Call[Any]) -> Any:
        found = self.ledger.run(call)
        if call.script in self.losing:
            self.losing.remove(call.script)
            raise RedisTimeoutError("no answer")
        return found

    def close(self) -> None:
        """Whoever made the ledger closes it."""


@dataclass
class DiesAtTheClaim:
    """A ledger whose client is killed when it claims: before the server has heard of it, or after it was `won`."""

    ledger: Ledger
    won: bool

    def run(self, call: Call[Any]) -> None:
        assert call.script == "claim"
        if self.won:
            self.ledger.run(call)
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class ToldToEndAtTheClaim:
    """A ledger whose client gets SIGTERM between the claim and its answer."""

    ledger: Ledger

    def run(self, call: Call[Any]) -> Any:
        found = self.ledger.run(call)
        if call.script == "claim":
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    def close(self) -> None:
        """Whoever made the ledger closes it."""


@pytest.fixture
def child(
    broker_server: RedisServer, ledger: Ledger, execution_log: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Child]:
    """A child that has loaded the echo model, in this process."""
    monkeypatch.setenv("EXECUTION_LOG", str(execution_log))
    settings = Settings(
        redis_url=broker_server.url, models=[ROOT / "tests/models/echo"], lease_seconds=1, max_result_bytes=1024
    )
    child = Child(settings, "worker", Slots(1), read_schemas(settings.models), served={}, linger_seconds=0)
    child.start(0)
    assert child.slots.look(0).state is State.IDLE  # type: ignore[union-attr]
    yield child
    child.ledger.close()


def test_a_claim_whose_answer_is_lost_is_run_all_the_same_and_once(
    child: Child, ledger: Ledger, execution_log: Path
) -> None:
    id = submit(ledger, model="echo", input=INPUT)
    child.ledger = LosesAnswers(ledger, {"claim"})  # type: ignore[assignment]

    child.run(id)

    task = read(ledger, id)
    assert (task.status, task.attempt, task.lost) == (Status.SUCCEEDED, 1, 0)
    assert execution_log.read_text() == "hello\n"


def test_a_result_whose_acceptance_is_lost_counts_as_accepted(
    child: Child, ledger: Ledger, capfd: pytest.CaptureFixture[str]
) -> None:
    id = submit(ledger, model="echo", input=INPUT)
    child.ledger = LosesAnswers(ledger, {"proceed"})  # type: ignore[assignment]

    child.run(id)

    assert read(ledger, id).result == b'{"text":"hello"}'
    captured = capfd.readouterr()
    assert "accepted=True" in captured.out + captured.err


def test_a_finished_computation_is_past_its_time_limit_no_more(child: Child, ledger: Ledger) -> None:
    """However long it waits for Redis to publish it."""
    id = submit(ledger, model="echo", input=INPUT, time_limit_ms=1)
    child.ledger = LosesAnswers(ledger, {"proceed"})  # type: ignore[assignment]
    seen: list[SlotView] = []
    ask = child.ledger.run

    def look_and_ask(call: Call[Any]) -> Any:
        if call.script == "proceed":
            seen.extend(child.slots.look_all())
        return ask(call)

    child.ledger.run = look_and_ask  # type: ignore[method-assign]

    child.run(id)

    assert len(seen) == 2
    assert all(view.attempts == ((id, 1),) and not view.is_overdue(view.since + 3600) for view in seen)


def test_a_claim_is_given_up_after_a_lease(child: Child, ledger: Ledger, broker_server: RedisServer) -> None:
    id = submit(ledger, model="echo", input=INPUT)
    with broker_server.frozen():
        child.run(id)

    assert child.slots.look(0).state is State.IDLE  # type: ignore[union-attr]


@pytest.mark.parametrize("won", [True, False], ids=["won", "not won"])
def test_a_child_that_dies_before_it_hears_of_its_claim_leaves_word_of_it(
    child: Child, ledger: Ledger, won: bool
) -> None:
    id = submit(ledger, model="echo", input=INPUT)
    ledger.client.delete(list_key("echo"))  # the message is popped
    pid = os.fork()
    if pid == 0:
        child.parent = os.getppid()
        child.ledger = DiesAtTheClaim(ledger, won)  # type: ignore[assignment]
        child.run(id)
    os.waitpid(pid, 0)
    assert read(ledger, id).status is (Status.RUNNING if won else Status.QUEUED)

    child.start(0)

    task = read(ledger, id)
    assert (task.status, task.attempt, task.lost) == (Status.QUEUED, int(won), int(won))
    assert messages(ledger, "echo") == [id]


def test_a_child_told_to_end_while_it_claims_runs_what_it_has_won(
    child: Child, ledger: Ledger, execution_log: Path
) -> None:
    id = submit(ledger, model="echo", input=INPUT)
    child.ledger = ToldToEndAtTheClaim(ledger)  # type: ignore[assignment]
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    try:
        with pytest.raises(SystemExit):
            child.run(id)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert read(ledger, id).status is Status.SUCCEEDED
    assert execution_log.read_text() == "hello\n"


def test_a_draining_child_claims_nothing_and_puts_the_message_back(
    child: Child, ledger: Ledger, execution_log: Path
) -> None:
    id, behind = (submit(ledger, model="echo", input=INPUT) for _ in range(2))
    ledger.client.rpop(list_key("echo"))
    child.slots.drain()

    child.run(id)

    assert read(ledger, id).attempt == 0
    assert messages(ledger, "echo") == [id, behind]
    assert execution_log.read_text() == ""


def test_a_message_without_a_task_to_claim_runs_nothing(child: Child, ledger: Ledger, execution_log: Path) -> None:
    """Delivered twice, canceled, unknown, nonsense: it ends at the claim."""
    id = submit(ledger, model="echo", input=INPUT)
    claim(ledger, id)

    child.run(id)
    child.run("00000000-0000-4000-8000-000000000000")
    child.run("nonsense")

    assert execution_log.read_text() == ""


def test_a_result_too_large_fails_and_is_not_kept(child: Child, ledger: Ledger) -> None:
    id = submit(ledger, model="echo", input=b'{"text": "%b"}' % (b"x" * 2000))

    child.run(id)

    task = read(ledger, id)
    assert task.error is not None
    assert task.error.code is ErrorCode.RESULT_TOO_LARGE
    assert task.error.message == "The result has 2011 bytes; 1024 are allowed."
    assert task.result is None
