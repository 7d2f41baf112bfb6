"""Waiting for signals without polling: a supervisor sleeps here until someone wants it to stop or a process ends."""

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

STOP = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
WATCHED = STOP | {signal.SIGCHLD}


class Signals:
    """A context in which SIGINT, SIGTERM, SIGHUP and SIGCHLD do nothing but end a `wait`. Main thread only.

    Python writes each signal's number into a socket; one that arrives between two waits ends the next wait at once,
    and none of them raises, so no line of the code in between can be interrupted half-way.
    """

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in sorted(_watched())}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._reader.close()
        self._writer.close()

    def wait(self, timeout: float | None) -> frozenset[int]:
        """Sleep until a signal arrives; return those that did, none if `timeout` seconds passed first."""
        ready, _, _ = select.select([self._reader], [], [], timeout)
        return frozenset(self._reader.recv(4096)) if ready else frozenset()


def _watched() -> frozenset[signal.Signals]:
    """Leave SIGHUP ignored where nohup made it so."""
    return WATCHED - {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else WATCHED


def _nothing(number: int, frame: FrameType | None) -> None:
    """Be a Python handler: without one, nothing is written to the wake-up socket."""
