"""Celery's part of a worker: the consumer that takes messages, and the prefork pool whose processes are our children.

Celery carries hints and runs the pool. What it would do about truth is switched off: no result backend, no events, no
remote control, no late acknowledgement (a message is a hint; what was accepted is in the ledger).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from billiard import pool as billiard_pool
from billiard.process import current_process
from celery import Celery, bootsteps, signals
from celery.exceptions import WorkerShutdown
from celery.worker import state
from kombu import Exchange, Queue
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.address import Address, parse_address
from shared.ledger.connect import SENTINEL_SECONDS
from shared.ledger.sentinel import Sentinels
from shared.model import ModelError
from shared.queue import PREDICT, broker_url, queue_name
from shared.start import StartError
from worker.reconnect import ReturningConsumer

LOAD_SECONDS = 3600  # a large model may take its time; Celery would kill a child after 4 s
REFORK_SECONDS = 0.02  # see ModelsReady
# A child that ends waits until its parent has read what it said of its last message, so often for a tenth of a second.
# 300 times by itself, although the parent may be ending too; what a child says there is of no use to us.
LAST_WORD_TRIES = 10
EXIT_FAILED = 1
EXIT_MODEL_FAILED = 78  # EX_CONFIG of sysexits.h: starting again will not help
log = structlog.get_logger()

CELERY: Mapping[str, Any] = {
    "result_backend": None,
    "task_ignore_result": True,
    "task_acks_late": False,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,  # a message waits in Redis, not in a busy worker
    "worker_proc_alive_timeout": LOAD_SECONDS,
    "worker_pool_start_method": "fork",
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_lost_wait": 1.0,
    "worker_consumer": ReturningConsumer,
    # Whatever Redis refuses now (a replica, a full disk) it may grant later; Celery would end the worker.
    "broker_channel_error_retry": True,
    "broker_connection_retry_on_startup": True,
    # Of what Celery does at a lost connection, nothing is for us (it means late acknowledgement and prefetching); set
    # like this it does not log a page about it each time.
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_enable_prefetch_count_reduction": False,
}
TRANSPORT: Mapping[str, Any] = {
    "ack_emulation": False,  # a lost message is sent again by the ledger: see docs/decisions/0007
    "socket_timeout": 2.0,  # what the main loop may wait for a server that is frozen
    "socket_connect_timeout": 2.0,
    "socket_keepalive": True,
    "health_check_interval": 5,
}


def consume(
    app: Celery,
    *,
    name: str,
    children: int,
    on_child_start: Callable[[int], None],
    on_child_stop: Callable[[], None],
    on_pool_start: Callable[[], None],
    on_stop: Callable[[], None],
) -> int:
    """Take messages and run them in the pool until told to stop; return the exit code.

    `on_child_start` is called in each child with its index, and `on_child_stop` in each that ends without being killed;
    `on_pool_start` in the parent before the first message is taken (it may raise ModelError or StartError), `on_stop`
    when a warm shutdown begins, and once more when the pool is about to be waited for, whatever the reason.
    """
    app.steps["worker"].add(_step_between_pool_and_consumer(on_pool_start, on_stop))
    billiard_pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = LAST_WORD_TRIES
    with _connected(on_child_start, on_child_stop, on_stop):
        worker = app.Worker(
            hostname=f"penstock@{name}",
            concurrency=children,
            pool="prefork",
            quiet=True,
            without_heartbeat=True,
            without_gossip=True,
            without_mingle=True,
        )
        worker.start()
    return int(worker.exitcode or 0)


def is_cold_shutdown() -> bool:
    """Tell whether the worker was told to end without waiting for its tasks (SIGQUIT, or Ctrl-C twice).

    Celery's signal for it comes too late: when its pool has waited for the tasks all the same.
    """
    return bool(state.should_terminate)


def celery_app(redis_url: str, models: Iterable[str], run: Callable[[str], None]) -> Celery:
    """Make the consuming Celery app: the queues of `models`, and one task, which hands its id to `run`."""
    address = parse_address(redis_url)
    app = Celery("penstock", broker=broker_url(redis_url), set_as_current=False)
    app.sentinels = Sentinels(address, SENTINEL_SECONDS) if address.primary else None  # for ReturningConsumer
    # The anonymous exchange: routing needs no binding in Redis that could be lost.
    anonymous = Exchange("", type="direct")
    queues = [Queue(queue_name(name), anonymous, routing_key=queue_name(name)) for name in models]
    app.conf.update(
        CELERY,
        task_queues=queues,
        # Said outright: kombu checks no certificate unless it is told to.
        broker_use_ssl=None if address.tls is None else dict(address.tls),
        broker_transport_options=transport_options(address),
    )

    @app.task(name=PREDICT, bind=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def predict(task: Any, *_: Any, **__: Any) -> None:
        run(task.request.id)

    return app


def transport_options(address: Address) -> dict[str, Any]:
    """Return what kombu's transport is told beside the URL."""
    if not address.primary:
        return dict(TRANSPORT)
    # redis-py would try a sentinel ten times that is away, and the main loop would wait for it.
    asking = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    sentinel = {**asking, "retry": Retry(NoBackoff(), 0), **address.sentinel_arguments}
    return {**TRANSPORT, "master_name": address.primary, "sentinel_kwargs": sentinel}


@contextmanager
def _connected(
    on_child_start: Callable[[int], None], on_child_stop: Callable[[], None], on_stop: Callable[[], None]
) -> Iterator[None]:
    """Connect Celery's signals for the time of a run."""
    handlers = {
        signals.setup_logging: lambda **_: None,  # that there is a receiver keeps Celery from setting up its own
        signals.worker_process_init: lambda **_: on_child_start(current_process().index),
        signals.worker_process_shutdown: lambda **_: on_child_stop(),
        signals.worker_shutting_down: lambda **_: on_stop(),
    }
    for signal, handler in handlers.items():
        signal.connect(handler, weak=False)
    try:
        yield
    finally:
        for signal, handler in handlers.items():
            signal.disconnect(handler)


def _step_between_pool_and_consumer(
    on_pool_start: Callable[[], None], on_stop: Callable[[], None]
) -> type[bootsteps.StartStopStep]:
    class ModelsReady(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.components:Pool",)
        timer: Any = None

        def start(self, parent: Any) -> None:  # noqa: ARG002 (Celery's signature)
            try:
                on_pool_start()
            except ModelError as error:
                log.error("a model failed to load", reason=str(error))  # noqa: TRY400 (its message is the reason)
                raise WorkerShutdown(EXIT_MODEL_FAILED) from error
            except StartError as error:
                log.error("the worker cannot start", reason=str(error))  # noqa: TRY400
                raise WorkerShutdown(EXIT_FAILED) from error

        def close(self, parent: Any) -> None:  # noqa: ARG002 (Celery's signature)
            # A worker that stops by itself gets no signal, and its children would go from task to task for ever.
            on_stop()

        def register_with_event_loop(self, parent: Any, hub: Any) -> None:
            # Celery looks after its children when a pipe of theirs closes, which is a moment before they can be
            # collected; when it loses that race it looks again after 5 s (measured: a killed child's slot stayed empty
            # for 4.4 s). So look more often: 50 times a second has the next task done 44 ms after a cancellation,
            # 10 times 103 ms; it costs an idle worker of 8 children 1.5 % of a core, not 0.7 (bench/cancel.py).
            # This is called again after every reconnection.
            if self.timer is not None:
                self.timer.cancel()
            self.timer = hub.call_repeatedly(REFORK_SECONDS, parent.pool.maintain_pool)

    return ModelsReady
