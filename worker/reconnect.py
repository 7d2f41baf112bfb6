"""Celery's consumer, made to be back as soon as Redis is, and to look after its children until then.

Celery's own waits 2, 4, 6 ... 30 s between two attempts to connect, asleep in the parent's main loop: after an outage
of a minute no message was taken for 12 s more, and no dead child was replaced meanwhile.
"""

import time
from typing import Any

import structlog
from celery.utils.threads import bound_open_broker_sockets
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from redis.exceptions import ConnectionError as RedisConnectionError

RETRY_SECONDS = 0.5  # between two attempts to connect, however long the outage lasts
PAUSE_SECONDS = 0.05
LOOK_SECONDS = 0.5  # between two looks whether the primary is still the same
LAST_ANSWER_SECONDS = 1.2  # how long a stopping worker waits for its last BRPOP, which a server answers within 1 s
log = structlog.get_logger()


class ReturningConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer but for how it connects and how it stops."""

    # Celery's counts from -1, and at 0 ends the worker if a child has died since the pool was started. Here one that
    # dies is replaced, then as later; that all had loaded their models was seen before.
    restart_count = 0
    _pool_is_in_loop = False
    _next_attempt = 0.0
    _look: Any = None

    def ensure_connected(self, conn: Any) -> Any:
        """Return `conn` once it is connected, however long Redis is away.

        Raises:
            WorkerShutdown: told to stop meanwhile.
        """
        # A server may accept us and then refuse to work (a replica, a full disk): that too is an attempt.
        while time.monotonic() < self._next_attempt:
            self._meanwhile()
            time.sleep(PAUSE_SECONDS)
        conn.ensure_connection(
            self._note_failure,
            max_retries=None,
            interval_start=RETRY_SECONDS,
            interval_step=0,
            interval_max=RETRY_SECONDS,
            callback=self._meanwhile,
        )
        self._next_attempt = time.monotonic() + RETRY_SECONDS
        self.first_connection_attempt = False
        self._watch_the_dying_again()
        self._forget_the_dead()
        return conn

    def on_ready(self) -> None:
        """Take note that the main loop runs, and knows the pool: called by Celery after every connection."""
        self._pool_is_in_loop = True
        super().on_ready()
        if self.app.sentinels is not None:
            if self._look is not None:
                self._look.cancel()
            self._look = self.hub.call_repeatedly(LOOK_SECONDS, self._leave_others)

    def on_close(self) -> None:
        """Forget what was taken by a connection that broke; called by Celery after every one.

        Before the main loop has run that is nothing. Celery would look after the children here all the same, and end
        the worker if one has died: a pool that has not met the loop does not make room for a successor.
        """
        if self._pool_is_in_loop:
            super().on_close()

    def stop(self) -> None:
        """Take no more messages, and put the one that may be on its way back into the queue.

        Celery would do that when the last child has finished, so the message would wait as long as the drain takes.
        """
        super().stop()
        if self.connection is not None:
            bound_open_broker_sockets(self.connection, LAST_ANSWER_SECONDS)
        self.shutdown()

    def _meanwhile(self) -> None:
        """Do what the main loop would: stop when told to, and replace children that died."""
        maybe_shutdown()
        if self._pool_is_in_loop:  # a child forked sooner than that would never be given a task
            self.pool.maintain_pool()

    def _watch_the_dying_again(self) -> None:
        """Make the pool ready for its next main loop.

        A child's pipe closes a moment before the child can be collected. Celery stops watching the pipe at once, and
        ends the worker ("file descriptor is None"; celery#9250 is its like) if it comes to watch all children anew
        within that moment. Without the mark of having been watched it takes the pipe again, and collects the child.
        """
        if self.pool is None or self.pool._pool is None:  # noqa: SLF001 (Celery has no other way to its children)
            return
        for child in self.pool._pool._pool:  # noqa: SLF001
            if getattr(child, "_sentinel_poll", True) is None:
                del child._sentinel_poll  # noqa: SLF001

    def _forget_the_dead(self) -> None:
        """Have the pool's next main loop listen to living children alone.

        Celery forgets the pipes of a child that dies, but not the one with its results if it died with a message
        unread: it closes that, and its number stays. The main loop after a reconnection listens to every number that
        is left, whatever has it by now: the pipe by which another child gets its messages, say. Then the parent takes
        them for results and throws them away, and that child is busy for ever with what it was never given.
        """
        if self.pool is None or self.pool._pool is None:  # noqa: SLF001 (as above)
            return
        pool = self.pool._pool  # noqa: SLF001
        for number, child in list(pool._fileno_to_outq.items()):  # noqa: SLF001
            if child not in pool._pool:  # noqa: SLF001
                del pool._fileno_to_outq[number]  # noqa: SLF001

    def _leave_others(self) -> None:
        """Break the connection if the primary is now another server: on this one no message comes any more.

        Raises:
            RedisConnectionError: it is; Celery's main loop takes it for the connection's own, and connects anew.
        """
        taking = self.task_consumer.channel.client.connection
        if taking is None or not taking.is_connected:
            return
        if self.app.sentinels.have_moved_from(taking.host, taking.port):
            raise RedisConnectionError("another server is the primary now")

    def _note_failure(self, error: BaseException, _: float) -> None:
        log.debug("cannot connect to take messages", error=f"{type(error).__name__}: {error}")
