"""One worker: the models it serves, its children, the keeper of their leases, and Celery around them."""

import gc
import os
import platform
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
import structlog
from celery.worker import state as celery_state

from shared.ledger import calls
from shared.ledger.connect import connect
from shared.log import name_process
from shared.model import ModelError, ModelSchema
from shared.settings import Settings
from shared.shape import shape_of
from shared.start import StartError
from shared.trace import Tracing
from worker.child import Child, load_missing
from worker.consumer import EXIT_FAILED, LOAD_SECONDS, celery_app, consume, is_cold_shutdown
from worker.gate import Gate, Usher
from worker.keeper import LeaseKeeper
from worker.memory import memory_of
from worker.meter import MemoryMeter
from worker.output import log_prints, prints_logged
from worker.slots import Slots, State

READY_LOOK_SECONDS = 0.05
log = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """The parent process: made before the first fork, run until it is told to stop."""

    settings: Settings
    schemas: Mapping[str, ModelSchema]
    tracing: Tracing | None = None
    name: str = field(default_factory=lambda: f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    slots: Slots = field(init=False)
    child: Child = field(init=False)
    gate: Gate = field(init=False)
    keeper: LeaseKeeper = field(init=False)
    meter: MemoryMeter = field(init=False)
    _keeper_thread: threading.Thread = field(init=False)
    _meter_thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.slots = Slots(self.settings.concurrency, max(schema.max_batch for schema in self.schemas.values()))
        self.child = Child(self.settings, self.name, self.slots, self.schemas, served={}, tracing=self.tracing)
        self.gate = Gate(self.settings.concurrency)
        fork_lock = lock_out_forks()
        self.meter = MemoryMeter(self.slots, fork_lock)
        self.keeper = LeaseKeeper(
            settings=self.settings,
            worker=self.name,
            models=tuple(self.schemas),
            slots=self.slots,
            ledger=connect(
                self.settings.redis_url,
                name="penstock-keeper",
                answer_seconds=min(2.0, self.settings.lease_seconds / 4),
            ),
            fork_lock=fork_lock,
            on_broken=self._stop,
            must_end_now=is_cold_shutdown,
            on_overstay=end_by_force,
            memory=lambda: self.meter.latest,
            shapes={name: shape_of(schema) for name, schema in self.schemas.items()},
        )
        self._keeper_thread = threading.Thread(target=self.keeper.run, name="lease-keeper", daemon=True)
        self._meter_thread = threading.Thread(target=self.meter.run, name="memory-meter", daemon=True)

    def run(self) -> int:
        """Load, serve, and return the exit code once stopped.

        Raises:
            ModelError: a model that the parent loads does not load.
        """
        self._load_in_parent()
        code = consume(
            celery_app(self.settings.redis_url, self.schemas, self.child.run),
            name=self.name,
            children=self.settings.concurrency,
            on_child_start=self._start_child,
            on_child_stop=self.child.stop,
            on_pool_start=self._start_keeping,
            on_stop=self.keeper.drain,
        )
        self._stop_threads()
        return code

    def _start_child(self, index: int) -> None:
        name_process("child")
        log_prints()
        self.gate.pass_through(index)
        self.child.start(index)

    def _start_keeping(self) -> None:
        """Wait until every child has loaded its models, then keep leases; comes before the first message is taken.

        Raises:
            ModelError: a child cannot load a model.
            StartError: a child died meanwhile, or not all fit into memory; another start may go better.
        """
        self._wait_for_children()
        self._keeper_thread.start()
        self._meter_thread.start()
        log.info("worker ready", worker=self.name, models=list(self.schemas), children=self.settings.concurrency)

    def _load_in_parent(self) -> None:
        shared = {name: schema for name, schema in self.schemas.items() if schema.load_in == "parent"}
        with prints_logged():
            loads = load_missing(shared, self.child.served)
        for load in loads:
            self.keeper.owe(calls.loaded(*load))
        # What lives now is shared with the children; a collector that touched it would copy it page by page.
        gc.collect()
        gc.freeze()
        memory = memory_of(os.getpid())
        self.meter.inherited = memory.anonymous if memory else 0

    def _wait_for_children(self) -> None:
        give_up = time.monotonic() + LOAD_SECONDS
        usher = Usher(self.gate, [name for name in self.schemas if name not in self.child.served])
        while time.monotonic() < give_up and celery_state.should_stop is None:
            views = self.slots.look_all()
            for view in views:
                if view.state is State.BROKEN:
                    raise ModelError(view.reason)
            if living_children() < self.slots.count:
                raise StartError("a child died while it loaded its models (out of memory?)")
            if len(views) == self.slots.count and all(view.state is State.IDLE for view in views):
                return
            usher.look([view.index for view in views if view.state is State.IDLE])
            time.sleep(READY_LOOK_SECONDS)
        celery_state.maybe_shutdown()  # told to stop while loading
        raise StartError(f"the models did not load within {LOAD_SECONDS} s")

    def _stop(self, reason: str) -> None:
        """Stop when a later child cannot load a model or the keeper fails, rather than go on as half a worker."""
        log.error("the worker cannot go on", reason=reason)
        celery_state.should_stop = EXIT_FAILED

    def _stop_threads(self) -> None:
        self.keeper.stop()
        self.meter.stop()
        for thread in (self._keeper_thread, self._meter_thread):
            if thread.is_alive():
                thread.join(timeout=10)


def lock_out_forks() -> threading.Lock:
    """Return a lock that every fork of this process takes.

    The keeper holds it while it works, so a child is never forked in the middle of that: a lock the keeper's thread
    holds at the instant of a fork (of a stream, of the resolver, of a library) would stay locked in the child for ever.
    """
    lock = threading.Lock()
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def end_by_force() -> None:
    """End this worker, which was told to stop, has given back its tasks, and is still there.

    Celery's pool waits for each of its children without a limit, also for one that is frozen, or that it takes for busy
    with what it was never given.
    """
    log.error("the worker does not end by itself, and is ended")
    for child in psutil.Process().children():
        child.kill()
    os._exit(EXIT_FAILED)


def living_children() -> int:
    """Count the child processes of this process that run."""
    children = psutil.Process().children()
    return sum(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
