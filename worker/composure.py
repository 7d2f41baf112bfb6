"""Composure: a child finishes its task before it heeds a signal that asks it to end.

Only the parent decides what becomes of a running task, and it says so with SIGKILL. But others signal children too: a
supervisor that stops the whole process group (systemd's KillMode=control-group), Celery's cold shutdown. Their handler
raises SystemExit wherever the child is, which is in the middle of a model's code, and the task would fail as if the
model had raised it.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


@contextmanager
def composed() -> Iterator[Callable[[], bool]]:
    """Put off every ENDING signal until the block has ended; give it a function that tells whether one has come.

    Handlers rather than SIG_IGN, which programs that the model starts would inherit.
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    handlers = {number: signal.signal(number, note) for number in ENDING}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            os.kill(os.getpid(), came[0])
