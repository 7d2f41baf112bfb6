"""Progress put into words and numbers."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli.progress import describe, fraction, progress_bar


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"status": "queued", "queue": {"position": 3, "reason": "no_workers"}}, "queued, position 3 (no_workers)"),
        ({"status": "running", "queue": None, "progress": None}, "running"),
        ({"status": "running", "progress": {"fraction": 0.5, "message": "page 2 of 4"}}, "running: page 2 of 4"),
        ({"status": "running", "progress": {"message": "\x1b[2Jgone\n"}}, "running:  [2Jgone "),
    ],
)
def test_describe(document: dict[str, Any], words: str) -> None:
    assert describe(document) == words


@pytest.mark.parametrize(
    ("progress", "done"), [(None, None), ({"fraction": None}, None), ({"fraction": 0.25}, 0.25), ({"fraction": 7}, 1.0)]
)
def test_fraction(progress: Any, done: float | None) -> None:
    assert fraction({"status": "running", "progress": progress}) == done


def test_a_terminal_sees_the_message_as_it_is() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with progress_bar(terminal) as show:
        show({"status": "running", "progress": {"fraction": 0.5, "message": "[bold] 1 of 2"}})
    assert isinstance(terminal.file, io.StringIO)
    assert "running: [bold] 1 of 2" in terminal.file.getvalue()


def test_a_pipe_sees_nothing() -> None:
    pipe = Console(file=io.StringIO(), force_terminal=False)
    with progress_bar(pipe) as show:
        show({"status": "running", "progress": None})
    assert isinstance(pipe.file, io.StringIO)
    assert not pipe.file.getvalue().strip()
