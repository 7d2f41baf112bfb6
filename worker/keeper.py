"""The lease keeper: a thread of the worker's parent that speaks for its children while they compute.

About three times a lease it renews all claims in one call; it kills the child whose claim is lost or canceled, or
whose task is past its hard limit; it announces the worker; and it reaps. A thread, because Celery's main loop sleeps
while it reconnects; with its own connection, because Celery's may be the broken one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from redis.client import PubSub
from redis.exceptions import RedisError

from shared.ledger import calls
from shared.ledger.call import Call
from shared.ledger.connection import Ledger
from shared.ledger.records import ChildMemory
from shared.settings import Settings
from worker.dooms import Cause, Doom, doom_of_lost, dooms, last_words
from worker.heartbeat import beat
from worker.slots import LOADED, Attempt, Slots, SlotView, State
from worker.takedown import take_down
from worker.wording import of_attempts, of_verdict

LOOK_SECONDS = 0.1  # how late a hard limit may be noticed
REPORT_SECONDS = 1.0  # between two announcements, and between two reapings
SIGHTING_SECONDS = 1.5  # between the reaper's two sightings; a worker renews sooner than that after Redis is back
PURGES = 10  # after each reaping, of a thousand each: ten times as many tasks as a worker ends in a second
OVERSTAY_SECONDS = 8.0  # after the drain; whoever stops a worker is told to give it 10
MISSING_SECONDS = 3.0  # between two sightings of a queued task that no message leads to
log = structlog.get_logger()


@dataclass(slots=True)
class LeaseKeeper:
    """Keeps the leases of one worker. `fork_lock` is held whenever it does anything but wait; see worker/app.py."""

    settings: Settings
    worker: str
    models: tuple[str, ...]
    slots: Slots
    ledger: Ledger
    fork_lock: threading.Lock
    on_broken: Callable[[str], None]  # told why this worker cannot go on
    must_end_now: Callable[[], bool]  # whether it was told not to wait for its tasks
    on_overstay: Callable[[], None]  # told that the worker should have ended, and is still there
    memory: Callable[[], tuple[ChildMemory, ...]] = tuple  # what each child takes, as last measured
    shapes: Mapping[str, str] = field(default_factory=dict)  # of each model, as this worker has it
    _ended: dict[int, int] = field(default_factory=dict)  # by slot: a pid that was killed, and is still in its slot
    _owed: deque[Call[Any]] = field(default_factory=deque)  # what the ledger has yet to be told
    _canceled: dict[Attempt, float] = field(default_factory=dict)  # until when a slot may yet turn out to hold it
    _next_renewal: float = 0.0
    _next_report: float = 0.0
    _drain_at: float | None = None
    _away: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Keep the leases until `stop` is called. The body of the thread."""
        try:
            self._keep()
        except Exception as error:
            # A worker whose leases nobody renews would have every task run twice.
            log.exception("the lease keeper failed")
            self.on_broken(f"the lease keeper failed: {type(error).__name__}: {error}")

    def _keep(self) -> None:
        with self.ledger.client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            while not self._stop.is_set():
                canceled = self._wait(pubsub)
                with self.fork_lock:
                    self._tick(canceled)
                if self._away:  # the wait may have ended at once, with the news of a connection made anew
                    self._stop.wait(LOOK_SECONDS)
        if not self._away:
            with self.fork_lock, suppress(RedisError, OSError):
                self.ledger.run(calls.announce(self.worker, dict.fromkeys(self.models, 0), 0))
        self.ledger.close()

    def stop(self) -> None:
        """End the thread after its current step; the worker is taken off the ledger's list."""
        self._stop.set()

    def owe(self, call: Call[Any]) -> None:
        """Have the ledger told something as soon as it can be. Not while the thread runs."""
        self._owed.append(call)

    def drain(self, seconds: float | None = None) -> None:
        """Claim nothing more; take the worker off the list; release what still runs after `seconds`, the drain time.

        Again it may bring the end forward, but not put it off.
        """
        self.slots.drain()
        seconds = self.settings.drain_seconds if seconds is None else seconds
        if self._drain_at is None:
            log.info("draining", seconds=seconds)
        at = time.monotonic() + seconds
        self._drain_at = at if self._drain_at is None else min(self._drain_at, at)

    def _wait(self, pubsub: PubSub) -> Attempt | None:
        """Wait a moment for a cancellation; without Redis, just wait."""
        try:
            if not pubsub.subscribed:
                pubsub.subscribe(f"penstock:worker:{self.worker}")
            message = pubsub.get_message(timeout=LOOK_SECONDS)
        except (RedisError, OSError):
            self._stop.wait(LOOK_SECONDS)
            return None
        if message is None:
            return None
        if message["type"] == "subscribe":
            # For the first time, or silently anew after the connection was cut: the answer to a renewal names what was
            # canceled while nobody listened.
            self._next_renewal = 0.0
            return None
        return parse_canceled(message["data"])

    def _tick(self, canceled: Attempt | None) -> None:
        """First what the children need, which works without Redis; then what the ledger must hear."""
        beat(self.settings.heartbeat_file)
        if self.must_end_now():
            self.drain(0)
        now = time.monotonic()
        if canceled is not None:
            # A claim is won before the child can say so in its slot; and a child that does not stop is tried again.
            self._canceled[canceled] = now + self.settings.lease_seconds
        self._canceled = {attempt: until for attempt, until in self._canceled.items() if now < until}
        views = [view for view in self.slots.look_all() if not self._is_ended(view)]
        for doom in dooms(views, now, self._canceled, self._drain_at):
            self._kill(doom)
        if self._drain_at is not None and now >= self._drain_at + OVERSTAY_SECONDS:
            self.on_overstay()
        try:
            self._talk(views, now)
        except (RedisError, OSError) as error:  # whatever it is that Redis will not do now, the leases may yet be saved
            self._note_away(error)
        else:
            self._note_back()

    def _talk(self, views: list[SlotView], now: float) -> None:
        """Renewals, everything that is owed, and once a second the announcement and the reaping."""
        if now >= self._next_renewal:
            self._renew(views)
            self._next_renewal = now + self.settings.lease_seconds / 3
        while self._owed:
            self._tell(self._owed[0])
            self._owed.popleft()
        if now >= self._next_report:
            self._report(views)
            self._next_report = now + REPORT_SECONDS

    def _renew(self, views: list[SlotView]) -> None:
        held = [(*attempt, view.nonce) for view in views for attempt in view.attempts]
        lost = self.ledger.run(calls.renew(held, self.settings.lease_ms)) if held else frozenset()
        for view in views:
            gone = {attempt for attempt in view.attempts if attempt[0] in lost}
            if gone:
                self._kill(doom_of_lost(view, gone))

    def _report(self, views: list[SlotView]) -> None:
        slots = slots_by_model(views, self.models, draining=self._drain_at is not None)
        self.ledger.run(calls.announce(self.worker, slots, self.settings.lease_ms, self.memory(), self.shapes))
        for view in views:
            if view.state is State.BROKEN:
                self.on_broken(view.reason)
        sighting_ms, missing_ms = int(SIGHTING_SECONDS * 1000), int(MISSING_SECONDS * 1000)
        reap = calls.reap(self.settings.max_attempts, self.settings.retention_ms, sighting_ms, missing_ms)
        for verdict in self.ledger.run(reap):
            log.warning("reaped", **of_verdict(verdict), outcome=verdict.outcome)
        for _ in range(PURGES):
            if not self.ledger.run(calls.purge()):
                break

    def _is_ended(self, view: SlotView) -> bool:
        """Tell whether the slot shows a child that was killed: it does until its successor starts."""
        return self._ended.get(view.index) == view.pid

    def _kill(self, doom: Doom) -> None:
        """Take a child down, unless it has moved on: most have, when they are quick and their claim seems lost."""
        now = self.slots.look(doom.view.index)
        if now is None or not doom.is_still_due(now):
            return
        if take_down(self.slots, doom.view, doom.is_still_due, partial(self._settle, doom.cause)):
            self._ended[doom.view.index] = doom.view.pid
            log.info("killed the child", why=doom.cause.value, pid=doom.view.pid, **of_attempts(doom.view.attempts))

    def _settle(self, cause: Cause, view: SlotView) -> None:
        words = last_words(view, cause, self.models, self.settings.retention_ms)
        while words:
            try:
                self._tell(words[0])
            except (RedisError, OSError):
                self._owed.extend(words)
                return
            words.pop(0)

    def _tell(self, call: Call[Any]) -> None:
        """Run a step; of what it gives back, say so: nobody else does."""
        answer = self.ledger.run(call)
        for id in answer if call.script == "release" else ():
            log.info("released", task_id=id)

    def _note_away(self, error: BaseException) -> None:
        if not self._away:
            log.warning("the ledger is away", error=f"{type(error).__name__}: {error}")
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            log.info("the ledger is back")
        self._away = False


def slots_by_model(views: Iterable[SlotView], models: Iterable[str], *, draining: bool) -> dict[str, int]:
    """Count the children that can take a task of each model: all that have loaded, none while draining."""
    loaded = sum(view.state in LOADED for view in views)
    return dict.fromkeys(models, 0 if draining else loaded)


def parse_canceled(data: bytes) -> Attempt | None:
    """Read a message of the worker's channel: `<id> <token>`. None for anything else: a hint, not an order."""
    task, _, token = data.decode(errors="replace").partition(" ")
    return (task, int(token)) if token.isdigit() else None
