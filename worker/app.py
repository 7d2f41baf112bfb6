"""One worker: Celery's consumer and prefork pool around our children, and the keeper beside them.

Celery carries hints and runs the pool. What it would do about truth is switched off: no result backend, no events, no
remote control, no late acknowledgement (a message is a hint; what was accepted is in the ledger).
"""

import gc
import os
import platform
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from billiard.process import current_process
from celery import Celery, bootsteps, signals
from celery.exceptions import WorkerShutdown
from celery.worker import state as celery_state
from kombu import Exchange, Queue

from shared.ledger.connection import connect
from shared.model import ModelError, ModelSchema
from shared.queue import PREDICT, broker_url, queue_name
from shared.settings import Settings
from worker.child import Child, load_missing
from worker.execution import ServedModel
from worker.keeper import LeaseKeeper
from worker.slots import Slots, State
from worker.takedown import is_alive

LOAD_SECONDS = 3600  # a large model may take its time; Celery would kill a child after 4 s
READY_LOOK_SECONDS = 0.05
REFORK_SECONDS = 0.1
EXIT_MODEL_FAILED = 78  # EX_CONFIG of sysexits.h: starting again will not help
EXIT_BROKEN = 1
log = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """The parent process: made before the first fork, run until it is told to stop."""

    settings: Settings
    schemas: Mapping[str, ModelSchema]
    name: str = field(default_factory=lambda: f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    slots: Slots = field(init=False)
    child: Child = field(init=False)
    keeper: LeaseKeeper = field(init=False)
    _keeper_thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.slots = Slots(self.settings.concurrency)
        self.child = Child(self.settings, self.name, self.slots, self.schemas, served={})
        fork_lock = lock_out_forks()
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
        )
        self._keeper_thread = threading.Thread(target=self.keeper.run, name="lease-keeper", daemon=True)

    def run(self) -> int:
        """Load, serve, and return the exit code once stopped.

        Raises:
            ModelError: a model that the parent loads does not load.
        """
        self._load_in_parent()
        app = celery_app(self.settings, self.schemas, self.child)
        app.steps["worker"].add(_ready_step(self))
        with connected_signals(self):
            celery_worker = app.Worker(
                hostname=f"penstock@{self.name}",
                concurrency=self.settings.concurrency,
                pool="prefork",
                quiet=True,
                without_heartbeat=True,
                without_gossip=True,
                without_mingle=True,
            )
            celery_worker.start()
        self._stop_keeper()
        return int(celery_worker.exitcode or 0)

    def start_keeping(self) -> None:
        """Wait until every child has loaded its models, then keep leases; comes before the first message is taken.

        Raises:
            ModelError: a child cannot load a model.
        """
        self._wait_for_children()
        self._keeper_thread.start()
        log.info("worker ready", worker=self.name, models=list(self.schemas), children=self.settings.concurrency)

    def drain(self, **_: Any) -> None:
        """Let the keeper know of a warm shutdown: Celery takes nothing new and waits for its children."""
        self.keeper.drain()

    def _load_in_parent(self) -> None:
        shared = {name: schema for name, schema in self.schemas.items() if schema.load_in == "parent"}
        served: dict[str, ServedModel] = self.child.served
        load_missing(shared, served)
        # What lives now is shared with the children; a collector that touched it would copy it page by page.
        gc.collect()
        gc.freeze()

    def _wait_for_children(self) -> None:
        give_up = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < give_up and celery_state.should_stop is None:
            views = self.slots.look_all()
            for view in views:
                if view.state is State.BROKEN:
                    raise ModelError(view.reason)
                if view.state is State.LOADING and not is_alive(view.pid):
                    raise ModelError("a child died while it loaded its models (out of memory?)")
            if len(views) == self.slots.count and all(view.state is State.IDLE for view in views):
                return
            time.sleep(READY_LOOK_SECONDS)
        celery_state.maybe_shutdown()  # told to stop while loading
        raise ModelError(f"the models did not load within {LOAD_SECONDS} s")

    def _stop(self, reason: str) -> None:
        """Stop when a later child cannot load a model or the keeper fails, rather than go on as half a worker."""
        log.error("the worker cannot go on", reason=reason)
        celery_state.should_stop = EXIT_BROKEN

    def _stop_keeper(self) -> None:
        self.keeper.stop()
        if self._keeper_thread.is_alive():
            self._keeper_thread.join(timeout=10)


def lock_out_forks() -> threading.Lock:
    """Return a lock that every fork of this process takes.

    The keeper holds it while it works, so a child is never forked in the middle of that: a lock the keeper's thread
    holds at the instant of a fork (of a stream, of the resolver, of a library) would stay locked in the child for ever.
    """
    lock = threading.Lock()
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def celery_app(settings: Settings, schemas: Mapping[str, ModelSchema], child: Child) -> Celery:
    """Make the consuming Celery app, with its one task."""
    app = Celery("penstock", broker=broker_url(settings.redis_url), set_as_current=False)
    # The anonymous exchange: routing needs no binding in Redis that could be lost.
    anonymous = Exchange("", type="direct")
    app.conf.update(
        task_queues=[Queue(queue_name(name), anonymous, routing_key=queue_name(name)) for name in schemas],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # a message waits in Redis, not in a busy worker
        worker_proc_alive_timeout=LOAD_SECONDS,
        worker_pool_start_method="fork",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_lost_wait=1.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # Celery's 100 would end the worker after a long outage
        broker_transport_options={
            # Stale hints only: nothing waits for them. See docs/decisions/0001.
            "visibility_timeout": 3600,
            "socket_timeout": 5.0,
            "socket_connect_timeout": 2.0,
            "socket_keepalive": True,
            "health_check_interval": 5,
        },
    )

    @app.task(name=PREDICT, bind=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def predict(task: Any, *_: Any, **__: Any) -> None:
        child.run(task.request.id)

    return app


class connected_signals:  # noqa: N801 (a context manager, used like a function)
    """Connect Celery's process signals to a worker, for the time of its run."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __enter__(self) -> None:
        signals.setup_logging.connect(_leave_logging_alone, weak=False, dispatch_uid="penstock-log")
        signals.worker_process_init.connect(self._start_child, weak=False, dispatch_uid="penstock-child")
        signals.worker_shutting_down.connect(self._worker.drain, weak=False, dispatch_uid="penstock-drain")

    def __exit__(self, *_: object) -> None:
        signals.setup_logging.disconnect(dispatch_uid="penstock-log")
        signals.worker_process_init.disconnect(dispatch_uid="penstock-child")
        signals.worker_shutting_down.disconnect(dispatch_uid="penstock-drain")

    def _start_child(self, **_: Any) -> None:
        self._worker.child.start(current_process().index)


def _leave_logging_alone(**_: Any) -> None:
    """Stand in for Celery's own logging: that there is a receiver is what Celery looks at."""


def _ready_step(worker: Worker) -> type[bootsteps.StartStopStep]:
    """Make the bootstep between the pool and the consumer: no message is taken before every child has loaded."""

    class ModelsReady(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.components:Pool",)

        def start(self, parent: Any) -> None:  # noqa: ARG002 (Celery's signature)
            try:
                worker.start_keeping()
            except ModelError as error:
                log.error("a model failed to load", reason=str(error))  # noqa: TRY400 (its message is the reason)
                raise WorkerShutdown(EXIT_MODEL_FAILED) from error

        def register_with_event_loop(self, parent: Any, hub: Any) -> None:
            # Celery looks after its children when a pipe of theirs closes, which is a moment before they can be
            # collected; when it loses that race it looks again after 5 s (measured: a killed child's slot stayed empty
            # for 4.4 s). So look more often.
            hub.call_repeatedly(REFORK_SECONDS, parent.pool.maintain_pool)

    return ModelsReady
