"""Showing on a terminal how a task gets on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.client import Document


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[Document], None]]:
    """Yield what shows a document as a bar that is gone afterwards; shows nothing if `console` is no terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task("", total=None)

        def show(document: Document) -> None:
            done = fraction(document)
            bar.update(shown, description=describe(document), total=None if done is None else 1.0, completed=done or 0)

        yield show


def fraction(document: Document) -> float | None:
    """Return how much of the task is done, 0..1; None when nobody knows."""
    said = _part(document, "progress").get("fraction")
    return min(max(float(said), 0.0), 1.0) if isinstance(said, int | float) else None


def describe(document: Document) -> str:
    """Say in a few words where the task is: `queued, position 3 (no_workers)`, `running: page 2 of 7`."""
    queue = _part(document, "queue")
    words = str(document["status"])
    if queue.get("position") is not None:
        words += f", position {queue['position']}"
    if queue.get("reason"):
        words += f" ({queue['reason']})"
    message = _part(document, "progress").get("message")
    return printable(f"{words}: {message}" if message else words)


def printable(text: str) -> str:
    """Return `text` on one line, without what could steer the terminal: a model wrote it."""
    return "".join(character if character.isprintable() else " " for character in text)


def _part(document: Document, name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}
