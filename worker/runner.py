"""What a child does from one task to the next: claim, compute, finish and claim in one step, until nothing is left."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

import structlog
from redis.exceptions import OutOfMemoryError

from shared.ledger import calls
from shared.ledger.connection import Ledger, LedgerUnavailable
from shared.ledger.records import Asking, Claim, Ended, Wanted, Won
from shared.model import ModelSchema
from shared.queue import list_key
from shared.settings import Settings
from shared.task import PRIORITIES
from worker.execution import Outcome, ServedModel, execute, execute_batch, within
from worker.fetching import Fetcher
from worker.hand import Hand, note, portions
from worker.hints import is_id, named_in
from worker.output import about
from worker.patience import insist
from worker.progress import ProgressReporter
from worker.slots import Slots, State
from worker.spans import NoSpans, Spans
from worker.wording import of_claims

LISTEN_SECONDS = 0.25  # at a time: so much later a child that listens hears that its worker stops
LOOK_AGAIN_SECONDS = 0.005  # while tasks wait for company: it may be complete sooner
log = structlog.get_logger()


@dataclass(slots=True)
class Runner:
    """The tasks of one child."""

    settings: Settings
    worker: str  # the worker's name in the ledger
    slots: Slots
    index: int  # of the child's own slot
    ledger: Ledger
    served: Mapping[str, ServedModel]
    fetch: Fetcher
    is_told_to_end: Callable[[], bool]  # whether this child alone is
    linger_seconds: float
    parent: int  # the process that keeps the leases
    spans: Spans = field(default_factory=NoSpans)
    _wanted: dict[str, tuple[Wanted, ...]] = field(init=False)
    _lists: list[str] = field(init=False)
    _busy_since: float = 0.0

    def __post_init__(self) -> None:
        self._lists = [list_key(model, priority) for priority in reversed(PRIORITIES) for model in self.served]
        self._wanted = turns({name: served.schema for name, served in self.served.items()})

    def run(self, task_id: str) -> None:
        """Claim the task that a message names, or whatever comes next; go on until nothing has come for a while."""
        hint: str | None = task_id
        while hint is not None:
            hand = self._first(hint)
            while hand is not None:
                hand = self._compute(hand)
            hint = self._listen()

    def _listen(self) -> str | None:
        """Wait for the next message for as long as this child lingers, and take it; return the task that it names.

        A message that comes soon is taken here without the parent's having a hand in it, which costs 0.7 ms of its CPU.
        """
        self.slots.write(self.index, State.IDLE)
        give_up = time.monotonic() + self.linger_seconds
        while time.monotonic() < give_up and not self._is_over():
            try:
                message = self.ledger.pop(self._lists, LISTEN_SECONDS)
            except LedgerUnavailable:
                return None  # Celery listens again as soon as Redis is back
            if message is not None:
                return named_in(message)
        return None

    def _first(self, task_id: str) -> Hand | None:
        if not is_id(task_id):
            log.warning("a message names no task")
            return None
        return self._win(task_id, next(iter(self._wanted.values())))

    def _is_over(self) -> bool:
        """Tell whether this child claims nothing more.

        Nor when its parent has died: nobody would renew its leases, or kill it when it should be. (On Linux Celery has
        the system kill it then.)
        """
        return self.slots.draining or self.is_told_to_end() or os.getppid() != self.parent

    def _win(self, hint: str, wanted: tuple[Wanted, ...]) -> Hand | None:
        """Claim what there is; if it had better wait for company, wait with it."""
        try:
            while not self._is_over():
                asking = self._asking(wanted)
                won = self._claim(hint, asking)
                if won.wait_ms is None:
                    return Hand(won.claims, asking.nonce) if won.claims else None
                time.sleep(min(won.wait_ms / 1000, LOOK_AGAIN_SECONDS))
            if hint:  # its message was popped: put it back, for others
                self.ledger.run(calls.decline(hint))
                log.info("declined", task_id=hint)
        except LedgerUnavailable as error:  # the reaper finds the task without a message, and sends another
            log.warning("cannot claim", error=type(error).__name__, **({"task_id": hint} if hint else {}))
        return None

    def _claim(self, hint: str, asking: Asking) -> Won:
        """Claim, and ask again if the answer is lost: a claim that was won and not heard of would run nowhere.

        After a lease it is no longer worth it: the reaper will have taken back what was won.
        """
        give_up = time.monotonic() + self.settings.lease_seconds
        # Before the claim, not after it: a child that dies in between must leave word of what it may have won.
        self.slots.write(self.index, State.CLAIMING, hint=hint, nonce=asking.nonce)
        return insist(
            self.ledger,
            calls.claim(hint, asking, self.settings.retention_ms),
            again=lambda: calls.claim(hint, replace(asking, again=True), self.settings.retention_ms),
            worth_it=lambda _: time.monotonic() < give_up and not self._is_over(),
        )

    def _compute(self, hand: Hand) -> Hand | None:
        for claim in hand.claims:
            log.debug("claimed", **of_claims([claim]), waited_ms=claim.waited_ms)
        served = self.served[hand.claims[0].model]
        if len(hand.claims) > 1:
            ended = self._together(hand, served)
            if ended is not None:
                return self._proceed(hand, ended)
        return self._one_by_one(hand, served)

    def _together(self, hand: Hand, served: ServedModel) -> list[Ended] | None:
        self._say_busy(hand, len(hand.claims), min(time_limit(served.schema, claim) for claim in hand.claims))
        with about(**of_claims(hand.claims)), self.spans.of(hand.claims) as span:
            outcomes = execute_batch(served, [claim.input for claim in hand.claims], self.fetch)
            ended = None if outcomes is None else list(map(self._ended, hand.claims, outcomes))
            span.end(ended)
        return ended

    def _one_by_one(self, hand: Hand, served: ServedModel) -> Hand | None:
        while True:
            claim, *others = hand.claims
            self._say_busy(hand, 1, time_limit(served.schema, claim))
            with about(**of_claims([claim])), self.spans.of([claim]) as span:
                outcome = execute(served, claim.take_input(), ProgressReporter(self.ledger, claim), self.fetch)
                ended = [self._ended(claim, outcome)]
                span.end(ended)
            if not others:
                return self._proceed(hand, ended)
            self._finish(hand, ended)
            hand = replace(hand, claims=tuple(others))

    def _proceed(self, hand: Hand, ended: Sequence[Ended]) -> Hand | None:
        """End what was computed; return what comes next, unless the worker drains or this child is to end."""
        *first, last = portions(ended)
        for portion in first:
            self._finish(hand, portion)
        if self._is_over():
            self._finish(hand, last)
            return None
        asking = self._asking(self._wanted[hand.claims[0].model])
        self._say_finishing(hand, asking.nonce)
        try:
            # However long it takes: a finished computation is worth waiting for.
            finished = insist(
                self.ledger,
                calls.proceed(last, asking, self.settings.retention_ms),
                again=lambda: calls.proceed(last, replace(asking, again=True), self.settings.retention_ms),
                worth_it=lambda error: not isinstance(error, OutOfMemoryError),
                claims=hand.claims,
            )
        except OutOfMemoryError:  # what was accepted may end; nothing new is begun
            # Nor kept, if it was won before, and the answer was lost.
            insist(self.ledger, calls.release([asking.nonce], self.served))
            self._finish(hand, last)
            return None
        note(hand, last, finished.accepted)
        if finished.won.wait_ms is not None:
            return self._win("", asking.wanted)
        return Hand(finished.won.claims, asking.nonce) if finished.won.claims else None

    def _finish(self, hand: Hand, ended: Sequence[Ended]) -> None:
        self._say_finishing(hand)
        accepted = insist(self.ledger, calls.finish(ended, self.settings.retention_ms), claims=hand.claims)
        note(hand, ended, accepted)

    def _ended(self, claim: Claim, outcome: Outcome) -> Ended:
        ran_ms = round(1000 * (time.monotonic() - self._busy_since))
        return Ended(claim.id, claim.token, within(outcome, self.settings.max_result_bytes), claim.nonce, ran_ms)

    def _asking(self, wanted: tuple[Wanted, ...]) -> Asking:
        return Asking(self.worker, str(uuid4()), self.settings.lease_ms, wanted)

    def _say_busy(self, hand: Hand, computing: int, limit: float) -> None:
        self._busy_since = time.monotonic()
        attempts = [(claim.id, claim.token) for claim in hand.claims]
        self.slots.write(self.index, State.BUSY, attempts=attempts, computing=computing, nonce=hand.nonce, limit=limit)

    def _say_finishing(self, hand: Hand, next_nonce: str = "") -> None:
        attempts = [(claim.id, claim.token) for claim in hand.claims]
        self.slots.write(
            self.index, State.FINISHING, attempts=attempts, nonce=hand.nonce, next_nonce=next_nonce, limit=math.inf
        )


def turns(schemas: Mapping[str, ModelSchema]) -> dict[str, tuple[Wanted, ...]]:
    """Return, for each model, of which a child takes tasks after one of it: the others first, each in its turn."""
    wanted = [Wanted(name, schema.max_batch, schema.max_wait_ms) for name, schema in schemas.items()]
    return {each.model: tuple(wanted[n + 1 :] + wanted[: n + 1]) for n, each in enumerate(wanted)}


def time_limit(schema: ModelSchema, claim: Claim) -> float:
    """Return how many seconds an attempt may take: what its client asked for, at most what the model allows."""
    asked_ms = claim.time_limit_ms
    return schema.time_limit_seconds if asked_ms is None else min(schema.time_limit_seconds, asked_ms / 1000)
