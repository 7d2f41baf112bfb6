"""What runs inside a pool process: load the models that want their own copy, then claim, predict and finish."""

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeGuard
from uuid import UUID, uuid4

import structlog

from shared.ledger import calls
from shared.ledger.calls import Call
from shared.ledger.connection import Ledger, LedgerUnavailable, connect
from shared.ledger.records import Claim
from shared.model import ModelError, ModelSchema
from shared.settings import Settings
from shared.task import TaskError
from worker.composure import composed
from worker.execution import Outcome, ServedModel, execute, within
from worker.fetching import Fetcher
from worker.loading import load_model
from worker.patience import insist
from worker.progress import ProgressReporter
from worker.slots import Slots, SlotView, State

ANSWER_SECONDS = 2.0
log = structlog.get_logger()


@dataclass(slots=True)
class Child:
    """The state of one pool process. The parent makes it before the fork; `start` completes it in the child."""

    settings: Settings
    worker: str  # the worker's name in the ledger
    slots: Slots
    schemas: Mapping[str, ModelSchema]
    served: dict[str, ServedModel]  # what the parent has loaded; the child adds its own
    index: int = -1
    ledger: Ledger = field(init=False)
    fetch: Fetcher = field(init=False)

    def __post_init__(self) -> None:
        self.fetch = Fetcher(self.settings.fetch_rules, self.settings.max_body_bytes)

    def start(self, index: int) -> None:
        """Load what is still missing and say so in the slot. A model that fails to load leaves the slot BROKEN."""
        self.index = index
        predecessor = self.slots.look(index)
        # A connection of its own: what the parent's threads hold at the instant of the fork is held for ever here.
        self.ledger = connect(
            self.settings.redis_url, name=f"penstock-child-{os.getpid()}", answer_seconds=ANSWER_SECONDS
        )
        if is_to_be_taken_back(predecessor, time.monotonic()):
            self._take_back(predecessor)
        self.slots.write(index, State.LOADING)  # not before: until here the slot is the only word of what was held
        try:
            load_missing(self.schemas, self.served)
        except ModelError as error:
            self.slots.write(index, State.BROKEN, reason=str(error))
        else:
            self.slots.write(index, State.IDLE)

    def _take_back(self, predecessor: SlotView) -> None:
        """Queue the task of the child that died in this slot again now, rather than when its lease ends.

        Done by its successor because the slot shows exactly what was held, however short; a look from the parent now
        and then misses a child that dies at once. If it was killed on purpose the ledger knows, and refuses.
        """
        held = (predecessor.task, predecessor.nonce)
        call = calls.abandon(*held, self.settings.max_attempts, self.settings.retention_ms)
        try:
            status = self.ledger.run(call)
            if status is None and predecessor.state is State.CLAIMING:
                self.ledger.run(calls.decline(predecessor.task))  # it had the message, and did not win the task
        except LedgerUnavailable:
            return  # the reaper will, when the lease has ended
        if status is not None:
            log.warning("child died", task_id=predecessor.task, pid=predecessor.pid, task_is_now=status)

    def run(self, task_id: str) -> None:
        """Claim the task and run it to its end; nothing to do if the claim is not won."""
        nonce = str(uuid4())
        with structlog.contextvars.bound_contextvars(task_id=task_id), composed():
            try:
                claim = self._win(task_id, nonce)
                if claim is not None:
                    self._run_claimed(claim, nonce)
            finally:
                self.slots.write(self.index, State.IDLE)

    def _win(self, task_id: str, nonce: str) -> Claim | None:
        if not is_id(task_id):
            log.warning("a message names no task")
            return None
        try:
            return None if self._declined(task_id) else self._claim(task_id, nonce)
        except LedgerUnavailable as error:  # the reaper finds the task without a message, and sends another
            log.warning("cannot claim", error=type(error).__name__)
            return None

    def _declined(self, task_id: str) -> bool:
        """Put the message back if this worker drains: it was popped a moment before the worker was told to stop."""
        if not self.slots.draining:
            return False
        self.ledger.run(calls.decline(task_id))
        log.info("declined")
        return True

    def _claim(self, task_id: str, nonce: str) -> Claim | None:
        """Claim, and ask again if the answer is lost: a claim that was won and not heard of would run nowhere.

        After a lease it is no longer worth it: the reaper will have taken back what was won.
        """
        give_up = time.monotonic() + self.settings.lease_seconds
        call = calls.claim(task_id, self.worker, nonce, self.settings.lease_ms, self.settings.retention_ms)
        # Before the claim, not after it: a child that dies in between must leave word of what it may have won.
        self.slots.write(self.index, State.CLAIMING, task=task_id, nonce=nonce)
        return insist(self.ledger, call, lambda: time.monotonic() < give_up and not self.slots.draining)

    def _run_claimed(self, claim: Claim, nonce: str) -> None:
        served = self.served[claim.model]
        busy = partial(self.slots.write, self.index, State.BUSY, task=claim.id, nonce=nonce, token=claim.token)
        busy(limit=time_limit(served.schema.time_limit_seconds, claim.time_limit_ms))
        with structlog.contextvars.bound_contextvars(attempt=claim.token):
            log.debug("claimed", model=claim.model)
            outcome = execute(served, claim.input, ProgressReporter(self.ledger, claim), self.fetch)
            outcome = within(outcome, self.settings.max_result_bytes)
            # Computed in time: how long Redis may now be away is no matter of the model's time limit.
            busy(limit=math.inf)
            # However long it takes: a finished computation is worth waiting for, and the parent kills this child if the
            # claim is lost meanwhile.
            accepted = insist(self.ledger, self._finish(claim, outcome))
            self.slots.write(self.index, State.IDLE)  # at once: the ledger now calls this claim lost
            log.info("finished", model=claim.model, outcome=_word(outcome), accepted=accepted)

    def _finish(self, claim: Claim, outcome: Outcome) -> Call[bool]:
        if isinstance(outcome, TaskError):
            return calls.fail(claim.id, claim.token, outcome, self.settings.retention_ms)
        return calls.succeed(claim, outcome, self.settings.retention_ms)


def is_to_be_taken_back(predecessor: SlotView | None, now: float) -> TypeGuard[SlotView]:
    """Tell whether the child that was in this slot before died with a task, or may have, other than by its time limit.

    A task past its limit has failed as `timeout`; while Redis is away the keeper still owes the ledger that word, and
    its successor must not be faster with another.
    """
    if predecessor is None or predecessor.is_overdue(now):
        return False
    return predecessor.state in (State.CLAIMING, State.BUSY)


def is_id(text: str) -> bool:
    """Tell whether a message's id can be a task's: the queue is Redis's, and anyone may have put something in."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def time_limit(of_model: float, asked_ms: int | None) -> float:
    """Return how many seconds an attempt may take: what its client asked for, at most what the model allows."""
    return of_model if asked_ms is None else min(of_model, asked_ms / 1000)


def load_missing(schemas: Mapping[str, ModelSchema], served: dict[str, ServedModel]) -> None:
    """Load every model that `served` has not.

    Raises:
        ModelError: naming the file and the reason.
    """
    for name, schema in schemas.items():
        if name not in served:
            started = time.monotonic()
            served[name] = ServedModel(schema, load_model(schema))
            log.info("model loaded", model=name, seconds=round(time.monotonic() - started, 3), where=schema.load_in)


def _word(outcome: Outcome) -> str:
    return outcome.code.value if isinstance(outcome, TaskError) else "succeeded"
