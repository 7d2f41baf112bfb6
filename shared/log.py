"""Logs of every process: one line an event, readable on a terminal, JSON elsewhere. Never an input, never a key.

What a line is about is on it without being said each time: in the API the request that is being served, and in any
process whatever all of it works on. A child works on one thing at a time, so that holds for every thread in it.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from pydantic_core import to_json

# Celery reports what its pool does with ours-to-kill children as errors with tracebacks; the keeper's lines say the
# same with the task's id and the reason.
NOISY = {
    "celery.worker.request": logging.CRITICAL,
    "celery.app.trace": logging.CRITICAL,
    "celery.worker.strategy": logging.WARNING,
    "celery.worker.consumer.connection": logging.WARNING,
    "celery.apps.worker": logging.WARNING,
    "celery.pool": logging.CRITICAL,
    "multiprocessing": logging.CRITICAL,
    "httpx2": logging.WARNING,
    "urllib3": logging.WARNING,
}

# The id of the request that is served, as it stands in a header: decoded only when a line is written, which is seldom.
SERVED: ContextVar[bytes] = ContextVar("served", default=b"")


class _Process:
    """What is on every line of this process; replaced as a whole, so that whoever reads it needs no lock."""

    def __init__(self) -> None:
        self.name = ""
        self.works_on: Mapping[str, object] = {}


_process = _Process()


def configure_logging(level: str, *, process: str) -> None:
    """Send the logs of this process, Celery's and uvicorn's included, to stderr. `process` is on every line.

    Our own lines go there past Python's logging, with which each takes more than twice as long: a child that runs
    thousands of short tasks a second writes as many.
    """
    shared: list[structlog.typing.Processor] = [
        stamped,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.UnicodeDecoder(),
    ]
    lines, rendering = Lines(sys.stderr), _rendering(level)
    structlog.configure(
        processors=[*shared, *rendering] if sys.stderr.isatty() else [InOneGo([*shared, *rendering])],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: LineLogger(lines),
        cache_logger_on_first_use=True,
    )
    name_process(process)
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, quieter in NOISY.items():
        logging.getLogger(name).setLevel(quieter)


def name_process(name: str) -> None:
    """Have every line of this process say from now on which kind it is."""
    _process.name = name


def stamp(**fields: object) -> None:
    """Have every line of this process carry `fields` from now on, instead of those of the last stamp.

    Whichever thread writes it: the threads that a model starts know nothing of what started them.
    """
    _process.works_on = fields


def request_id() -> str:
    """Return the id of the request that is served; empty if none is."""
    return SERVED.get().decode()


def stamped(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say what an event is about, unless it says so itself."""
    for name, value in _process.works_on.items():
        event.setdefault(name, value)
    if id := SERVED.get():
        event.setdefault("request_id", id.decode())
    event.setdefault("process", _process.name)
    return event


class InOneGo:
    """Makes of an event the line of JSON that the processors would make of it together, in a third of the time.

    A child that runs thousands of short tasks a second writes as many lines, and eight processors took a quarter of its
    time: 30 us for each line, in between, when its core has forgotten where it was.
    """

    RARE = frozenset({"failure", "exc_info", "stack_info", "extra"})  # what the processors have to tell first

    def __init__(self, processors: Sequence[structlog.typing.Processor]) -> None:
        self._processors = processors

    def __call__(self, logger: object, level: str, event: structlog.typing.EventDict) -> str:
        """Return the line."""
        if not self.RARE.isdisjoint(event):
            told: Any = event
            for processor in self._processors:
                told = processor(logger, level, told)
            return str(told)
        stamped(logger, level, event)
        event["level"] = level
        event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return as_json(event)


def as_json(event: Mapping[str, object], **_: object) -> str:
    """Return an event as JSON on one line, of printable ASCII alone; what JSON has no word for as Python shows it."""
    try:
        quick = to_json(event, fallback=repr).decode()
    except ValueError:  # half of a character that is two in UTF-16, which a model may print
        quick = "\n"
    # The quick one escapes nothing that JSON lets stand: what ends a line elsewhere, or turns the direction of writing.
    if quick.isascii() and quick.isprintable():
        return quick
    return json.dumps(event, default=repr, separators=(",", ":"))


class Lines:
    """A stream of whole lines, each handed on in one system call.

    It has no lock and no buffer, so it does not matter who writes at the instant of a fork, or in the middle of what.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        try:
            self._descriptor: int | None = file.fileno()
        except OSError:  # a file in memory
            self._descriptor = None

    def write(self, text: str) -> int:
        """Write a line, its end included."""
        if self._descriptor is None:
            return self._file.write(text)
        left = text.encode("utf-8", "backslashreplace")
        while left:
            left = left[os.write(self._descriptor, left) :]
        return len(text)

    def flush(self) -> None:
        """Do nothing: whatever was written is gone."""


class LineLogger:
    """Where structlog's own lines end."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def msg(self, line: str) -> None:
        """Write an event that is rendered."""
        self._lines.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def _rendering(level: str) -> list[structlog.typing.Processor]:
    told = with_texts if level == "debug" else without_texts
    if sys.stderr.isatty():
        # Not structlog's own choice for tracebacks, which shows local variables: a model's are its inputs.
        plain = structlog.dev.plain_traceback
        return [one_line, told, structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=plain)]
    return [told, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(as_json)]


def without_texts(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tell the `failure` of an event, an exception that an input may have led to, without any exception's text."""
    failure = event.pop("failure", None)
    if isinstance(failure, BaseException):
        event["exception"] = outline(failure)
    return event


def with_texts(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tell the `failure` of an event in full, as `exc_info` always is."""
    failure = event.pop("failure", None)
    if isinstance(failure, BaseException):
        event["exc_info"] = failure
    return event


def outline(error: BaseException) -> str:
    """Return a traceback with types and places alone: the text of an exception often quotes what it could not take."""
    return "\n\nThen:\n\n".join(map(_outline, reversed(list(causes(error)))))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, what it came of, what that came of, ..., each once."""
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and not any(each is one for one in seen):
        yield each
        seen.append(each)
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _outline(error: BaseException) -> str:
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{places}{type(error).__module__}.{type(error).__qualname__}"


def one_line(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what would begin a line or move the cursor in any text of an event.

    A path may be in it, and no client may write a line of the log. JSON does that by itself; tracebacks, which are
    made later, keep their lines.
    """
    return {name: _visible(value) if isinstance(value, str) else value for name, value in event.items()}


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text.rstrip("\n"))
