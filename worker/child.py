"""What runs inside a pool process: load the models that want their own copy, then claim, predict and finish."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from shared.ledger import calls
from shared.ledger.connection import Ledger, LedgerUnavailable, connect
from shared.model import ModelError, ModelSchema
from shared.settings import Settings
from shared.task import TaskError
from worker.execution import Outcome, ServedModel, execute
from worker.loading import load_model
from worker.progress import ProgressReporter
from worker.slots import Slots, SlotView, State

ANSWER_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 2.0
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

    def start(self, index: int) -> None:
        """Load what is still missing and say so in the slot. A model that fails to load leaves the slot BROKEN."""
        self.index = index
        predecessor = self.slots.look(index)
        self.slots.write(index, State.LOADING)
        # A connection of its own: what the parent's threads hold at the instant of the fork is held for ever here.
        self.ledger = connect(
            self.settings.redis_url, name=f"penstock-child-{os.getpid()}", answer_seconds=ANSWER_SECONDS
        )
        if predecessor is not None and predecessor.state is State.BUSY:
            self._take_back(predecessor)
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
        retention_ms = int(self.settings.retention_seconds * 1000)
        attempt = (predecessor.task, predecessor.token)
        try:
            status = self.ledger.run(calls.abandon(*attempt, self.settings.max_attempts, retention_ms))
        except LedgerUnavailable:
            return  # the reaper will, when the lease has ended
        if status is not None:
            log.warning("child died", task_id=attempt[0], attempt=attempt[1], pid=predecessor.pid, task_is_now=status)

    def run(self, task_id: str) -> None:
        """Claim the task and run it to its end; nothing to do if the claim is not won."""
        lease_ms = int(self.settings.lease_seconds * 1000)
        try:
            claim = self.ledger.run(calls.claim(task_id, self.worker, lease_ms))
        except LedgerUnavailable as error:  # the reaper will find the task without a message, and send another
            log.warning("cannot claim", task_id=task_id, error=type(error).__name__)
            return
        if claim is None:
            return
        with structlog.contextvars.bound_contextvars(task_id=claim.id, attempt=claim.token):
            self._run_claimed(claim)

    def _run_claimed(self, claim: calls.Claim) -> None:
        served = self.served[claim.model]
        limit = served.schema.time_limit_seconds
        self.slots.write(self.index, State.BUSY, task=claim.id, token=claim.token, limit=limit)
        try:
            log.debug("claimed", model=claim.model)
            outcome = execute(served, claim.input, ProgressReporter(self.ledger, claim))
            accepted = publish(self.ledger, self._finish(claim, outcome))
        finally:
            self.slots.write(self.index, State.IDLE)
        log.info("finished", model=claim.model, outcome=_word(outcome), accepted=accepted)

    def _finish(self, claim: calls.Claim, outcome: Outcome) -> calls.Call[bool]:
        retention_ms = int(self.settings.retention_seconds * 1000)
        if isinstance(outcome, TaskError):
            return calls.fail(claim.id, claim.token, outcome, retention_ms)
        return calls.succeed(claim, outcome, retention_ms)


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


def publish(ledger: Ledger, call: calls.Call[bool]) -> bool:
    """Run a finishing call however long Redis is away. False: the claim was lost meanwhile, the outcome is dropped.

    It may take for ever on purpose: the parent kills this child if the lease is lost, and a finished computation is
    worth waiting for.
    """
    pause = 0.1
    while True:
        try:
            return ledger.run(call)
        except LedgerUnavailable as error:
            log.warning("cannot publish yet", error=type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _word(outcome: Outcome) -> str:
    return outcome.code.value if isinstance(outcome, TaskError) else "succeeded"
