"""What runs inside a pool process: load the models that want their own copy, then run tasks."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeGuard

import structlog

from shared.ledger import calls
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger, LedgerUnavailable
from shared.model import ModelError, ModelSchema
from shared.settings import Settings
from shared.trace import Tracing
from worker.composure import composed
from worker.execution import ServedModel
from worker.fetching import Fetcher
from worker.loading import load_model
from worker.output import about
from worker.runner import Runner
from worker.slots import Slots, SlotView, State
from worker.spans import NoSpans, Spans, make_spans
from worker.wording import of_verdict

ANSWER_SECONDS = 2.0
LOOK_SECONDS = 0.05
LINGER_SECONDS = 5.0  # how long a child that has run a task listens for the next message itself
log = structlog.get_logger()


@dataclass(slots=True)
class Child:
    """The state of one pool process. The parent makes it before the fork; `start` completes it in the child."""

    settings: Settings
    worker: str  # the worker's name in the ledger
    slots: Slots
    schemas: Mapping[str, ModelSchema]
    served: dict[str, ServedModel]  # what the parent has loaded; the child adds its own
    linger_seconds: float = LINGER_SECONDS
    tracing: Tracing | None = None
    spans: Spans = field(default_factory=NoSpans)
    index: int = -1
    parent: int = -1
    ledger: Ledger = field(init=False)

    def start(self, index: int) -> None:
        """Load what is still missing and say so in the slot. A model that fails to load leaves the slot BROKEN."""
        self.index, self.parent = index, os.getppid()
        predecessor = self.slots.look(index)
        # A connection of its own: what the parent's threads hold at the instant of the fork is held for ever here. A
        # step that fails is not repeated unseen: a repeated claim must say that it is one.
        self.ledger = connect(
            self.settings.redis_url,
            name=f"penstock-child-{os.getpid()}",
            answer_seconds=ANSWER_SECONDS,
            repeats=0,
        )
        if is_to_be_taken_back(predecessor, time.monotonic()):
            self._take_back(predecessor)
        self.slots.write(index, State.LOADING)  # not before: until here the slot is the only word of what was held
        try:
            loads = load_missing(self.schemas, self.served)
        except ModelError as error:
            self.slots.write(index, State.BROKEN, reason=str(error))
        else:
            self.spans = make_spans(self.tracing, self.worker)  # its thread lives here, so not before the fork
            self.slots.write(index, State.IDLE)
            with suppress(*LedgerUnavailable):  # it is a figure the less
                for load in loads:
                    self.ledger.run(calls.loaded(*load))

    def _take_back(self, predecessor: SlotView) -> None:
        """Queue the tasks of the child that died in this slot again now, rather than when their leases end.

        Done by its successor because the slot shows exactly what was held, however short; a look from the parent now
        and then misses a child that dies at once. If it was killed on purpose the ledger knows, and refuses.
        """
        settings = self.settings
        call = calls.abandon(predecessor.nonces, self.schemas, settings.max_attempts, settings.retention_ms)
        try:
            verdicts = self.ledger.run(call)
            if not verdicts and predecessor.hint:
                self.ledger.run(calls.decline(predecessor.hint))  # it had the message, and did not win the task
        except LedgerUnavailable:
            return  # the reaper will, when the leases have ended
        for verdict in verdicts:
            log.warning("child died", **of_verdict(verdict), pid=predecessor.pid, task_is_now=verdict.outcome)

    def run(self, task_id: str) -> None:
        """Claim the task and run it to its end, and then what comes next, until nothing does."""
        if self.served.keys() < self.schemas.keys():
            self._put_back(task_id)
            return
        fetch = Fetcher(self.settings.fetch_rules, self.settings.max_body_bytes)
        with composed() as is_told_to_end:
            runner = Runner(
                self.settings,
                self.worker,
                self.slots,
                self.index,
                self.ledger,
                self.served,
                fetch,
                is_told_to_end,
                self.linger_seconds,
                self.parent,
                self.spans,
            )
            try:
                runner.run(task_id)
            finally:
                self.slots.write(self.index, State.IDLE)

    def stop(self) -> None:
        """Send what is left to be sent; comes last in a child that is not killed."""
        self.spans.close()

    def _put_back(self, task_id: str) -> None:
        """Keep a message until the worker stops, which it does because of this child, and leave it to others then.

        Celery takes the child for one like the others; while it is busy with this one it gets no more. The slot stays
        BROKEN, for the keeper to see.
        """
        while not self.slots.draining:
            time.sleep(LOOK_SECONDS)
        with suppress(*LedgerUnavailable):  # or else the reaper sends another
            self.ledger.run(calls.decline(task_id))


def is_to_be_taken_back(predecessor: SlotView | None, now: float) -> TypeGuard[SlotView]:
    """Tell whether the child that was in this slot before died with a task, or may have, other than by its time limit.

    A task past its limit has failed as `timeout`; while Redis is away the keeper still owes the ledger that word, and
    its successor must not be faster with another.
    """
    return predecessor is not None and bool(predecessor.nonces) and not predecessor.is_overdue(now)


def load_missing(schemas: Mapping[str, ModelSchema], served: dict[str, ServedModel]) -> list[tuple[str, int]]:
    """Load every model that `served` has not; return which, and how many ms each took.

    Raises:
        ModelError: naming the file and the reason.
    """
    loads = []
    for name, schema in schemas.items():
        if name not in served:
            started = time.monotonic()
            with about(model=name):
                served[name] = ServedModel(schema, load_model(schema))
            seconds = time.monotonic() - started
            log.info("model loaded", model=name, seconds=round(seconds, 3), where=schema.load_in)
            loads.append((name, round(seconds * 1000)))
    return loads
