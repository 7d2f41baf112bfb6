"""Logs of every process: one line an event, readable on a terminal, JSON elsewhere. Never an input, never a key."""

import logging
import sys

import structlog

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
}


def configure_logging(level: str, *, process: str) -> None:
    """Send the logs of this process, Celery's and uvicorn's included, to stderr. `process` is on every line.

    Our own lines go there past Python's logging, with which each takes 35 us instead of 14: a child that runs thousands
    of short tasks a second writes as many.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[*shared, *_rendering()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, quieter in NOISY.items():
        logging.getLogger(name).setLevel(quieter)


def _rendering() -> list[structlog.typing.Processor]:
    if sys.stderr.isatty():
        return [one_line, structlog.dev.ConsoleRenderer(pad_event_to=0)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


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
