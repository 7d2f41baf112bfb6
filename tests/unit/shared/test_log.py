"""One event is one line, whatever a client had put into it."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from shared.log import NOISY, configure_logging

HOSTILE = "/task/\nFORGED \x1b[31mred\x1b[0m \r\x00\x7f\x85\u2028\u202e\ud800 ä 😀"


class Terminal(io.StringIO):
    def __init__(self, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stderr(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal(tty=request.param)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    configure_logging("info", process="api")
    return terminal


@pytest.mark.parametrize("stderr", [True, False], indirect=True, ids=["terminal", "file"])
def test_no_text_of_a_client_begins_a_line_or_moves_the_cursor(stderr: Terminal) -> None:
    log = logging.getLogger("api.envelope")
    log.warning("%s failed", HOSTILE, extra={"request_id": HOSTILE})
    structlog.get_logger("api").warning(HOSTILE, path=HOSTILE)

    lines = stderr.getvalue().split("\n")

    assert len(lines) == 3
    assert lines[2] == ""
    for char in "\r\x00\x7f\x85\u2028\u202e\ud800":
        assert char not in stderr.getvalue()
    assert "\x1b[31mred" not in stderr.getvalue()
    assert all(r"\nFORGED" in line for line in lines[:2])


@pytest.mark.parametrize("stderr", [False], indirect=True)
def test_a_traceback_is_a_part_of_its_line_in_a_file(stderr: Terminal) -> None:
    _fail()
    (line,) = stderr.getvalue().splitlines()
    assert "ValueError" in json.loads(line)["exception"]


@pytest.mark.parametrize("stderr", [True], indirect=True)
def test_a_traceback_keeps_its_lines_on_a_terminal(stderr: Terminal) -> None:
    _fail()
    assert len(stderr.getvalue().splitlines()) > 3


def _fail() -> None:
    try:
        int("first\nFORGED", base=99)
    except ValueError:
        logging.getLogger("api").exception("it failed")
