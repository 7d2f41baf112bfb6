"""What a model prints: into the log, line by line, with what its process works on at that moment.

Celery has something like it (worker_redirect_stdouts), which knows no task, makes a line of every write, half lines
included, and is not there when logging is set up by somebody else, as here.
"""

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from shared.log import stamp

LONGEST_LINE = 8192  # characters; what is longer becomes several lines
NAMES = ("stdout", "stderr")
log = structlog.get_logger()


class LoggedStream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr. Each thread has its own line, so that none is torn by another's.

    What goes past it (C code, programs that the model starts, `buffer`) goes where it always did, as it is.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, original: TextIO) -> None:
        self._name = name
        self._original = original
        self._begun: dict[int, str] = {}  # by thread: a line that has not ended

    @property
    def buffer(self) -> Any:
        """The stream of bytes below, which is not logged."""
        return self._original.buffer

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._original.fileno()

    def reconfigure(self, **_: object) -> None:
        """Take what sys.stdout takes; there is nothing to set."""

    def write(self, text: str) -> int:
        """Log what ends a line, and keep the rest until more comes. Flushing does not end a line."""
        thread = threading.get_ident()
        *lines, rest = (self._begun.pop(thread, "") + text).split("\n")
        for line in lines:
            self._say(line)
        if len(rest) > LONGEST_LINE:
            self._say(rest)
        elif rest:
            self._begun[thread] = shown(rest) + "\r" * rest.endswith("\r")
        return len(text)

    def end_lines(self) -> None:
        """Log what every thread has begun."""
        for thread in list(self._begun):
            self._say(self._begun.pop(thread, ""))

    def _say(self, line: str) -> None:
        line = shown(line)
        for start in range(0, len(line), LONGEST_LINE):
            log.info("printed", text=line[start : start + LONGEST_LINE], stream=self._name)


def shown(line: str) -> str:
    """Return what a terminal shows of a line in the end, if it was written over: a progress bar does so many times."""
    return line.rstrip("\r").rpartition("\r")[2]


def log_prints() -> None:
    """Have what this process prints go into its log from now on."""
    for name in NAMES:
        setattr(sys, name, LoggedStream(name, getattr(sys, name)))


@contextmanager
def prints_logged() -> Iterator[None]:
    """Have what this process prints go into its log for the time of the block."""
    before = {name: getattr(sys, name) for name in NAMES}
    log_prints()
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)


class about:  # noqa: N801 (it is used like a function: with about(task_id=...))
    """Have everything that is printed or logged in the block, by whichever thread, carry these fields.

    Each task has one, so it is no generator, which takes three times as long.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        stamp(**self._fields)

    def __exit__(self, *_: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, LoggedStream):
                stream.end_lines()
        stamp()
