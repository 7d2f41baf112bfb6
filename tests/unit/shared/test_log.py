"""One event is one line, whatever a client had put into it."""

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared.log import NOISY, SERVED, Lines, configure_logging, outline, stamp

HOSTILE = "/task/\nFORGED \x1b[31mred\x1b[0m \r\x00\x7f\x85\u2028\u202e ä 😀"
HALF = "\ud800"  # of a character: no UTF-8 has it


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
    stamp()


@pytest.fixture
def level() -> str:
    return "info"


@pytest.fixture
def stderr(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, level: str) -> Terminal:
    terminal = Terminal(tty=getattr(request, "param", False))
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    configure_logging(level, process="api")
    return terminal


def events(stderr: Terminal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.getvalue().splitlines()]


@pytest.mark.parametrize("hostile", [HOSTILE, HOSTILE + HALF], ids=["whole", "half"])
@pytest.mark.parametrize("stderr", [True, False], indirect=True, ids=["terminal", "file"])
def test_no_text_of_a_client_begins_a_line_or_moves_the_cursor(stderr: Terminal, hostile: str) -> None:
    log = logging.getLogger("api.envelope")
    log.warning("%s failed", hostile, extra={"request_id": hostile})
    structlog.get_logger("api").warning(hostile, path=hostile)

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


@pytest.mark.parametrize("text", ["plain", HOSTILE, HALF, "\u2028"])
def test_a_line_in_one_go_says_what_it_says_step_by_step(stderr: Terminal, text: str) -> None:
    fields = {"text": text, "number": 1.5, "pairs": [("a", 1)], "nothing": None, "thing": Path("/there")}
    structlog.get_logger().info("said", **fields)
    structlog.get_logger().info("said", **fields, exc_info=None)  # which takes the steps

    quick, slow = events(stderr)

    assert quick.pop("timestamp")[:16] == slow.pop("timestamp")[:16]
    assert quick == slow
    assert quick["text"] == text


def test_what_the_process_works_on_is_on_every_line_of_every_thread(stderr: Terminal) -> None:
    stamp(task_id="T", attempt=2)
    thread = threading.Thread(target=lambda: structlog.get_logger().info("ours"))
    thread.start()
    thread.join()
    logging.getLogger("a.library").info("theirs")
    structlog.get_logger().info("of another", task_id="U")
    stamp()
    structlog.get_logger().info("idle")

    ours, theirs, other, idle = events(stderr)

    assert (ours["task_id"], ours["attempt"], ours["process"]) == ("T", 2, "api")
    assert (theirs["task_id"], theirs["logger"], theirs["process"]) == ("T", "a.library", "api")
    assert other["task_id"] == "U"
    assert "task_id" not in idle


def test_the_request_that_is_served_is_on_its_own_lines(stderr: Terminal) -> None:
    def serve(id: bytes) -> None:
        SERVED.set(id)
        structlog.get_logger().info("ours")
        logging.getLogger("api").info("theirs")

    for id in (b"one", b"two"):
        Context().run(serve, id)
    structlog.get_logger().info("nobody's")

    assert [line.get("request_id") for line in events(stderr)] == ["one", "one", "two", "two", None]


def _nested() -> BaseException:
    try:
        try:
            int("sesame")
        except ValueError as error:
            raise KeyError("sesame") from error
    except KeyError as error:
        return error


def test_an_outline_has_places_and_types_and_no_text() -> None:
    told = outline(_nested())

    assert "sesame" not in told.replace('int("sesame")', "").replace('KeyError("sesame")', "")  # its own source
    assert told.index("builtins.ValueError") < told.index("builtins.KeyError")
    assert told.count("test_log.py") == 2


def test_an_outline_of_what_came_of_itself_ends() -> None:
    error = ValueError("a")
    error.__cause__ = KeyError("b")
    error.__cause__.__cause__ = error

    assert outline(error).count("builtins.") == 2


@pytest.mark.parametrize("stderr", [True, False], indirect=True, ids=["terminal", "file"])
@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", True)])
def test_the_text_of_a_failure_is_for_debugging(stderr: Terminal, *, shown: bool) -> None:
    try:
        [].index("se" + "same")
    except ValueError as failure:
        structlog.get_logger().warning("it failed", failure=failure)

    assert ("'sesame' is not in list" in stderr.getvalue()) is shown
    assert "ValueError" in stderr.getvalue()
    assert "test_log.py" in stderr.getvalue()


@pytest.mark.parametrize("stderr", [True], indirect=True)
def test_a_terminal_shows_no_local_variables(stderr: Terminal) -> None:
    said = "open " + "sesame"
    try:
        said.index("x")
    except ValueError:
        structlog.get_logger().exception("it failed")

    assert "open sesame" not in stderr.getvalue()


def test_a_line_is_whole_when_write_returns(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        Lines(file).write("ä \ud800\n")

        assert (tmp_path / "log").read_bytes() == "ä \\ud800\n".encode()


def test_a_line_that_does_not_fit_at_once_is_written_on() -> None:
    reader, writer = os.pipe()
    text = "x" * 1_000_000 + "\n"
    found = bytearray()

    def read() -> None:
        while part := os.read(reader, 65536):
            found.extend(part)

    thread = threading.Thread(target=read)
    thread.start()
    with os.fdopen(writer, "w") as file:
        Lines(file).write(text)
    thread.join()
    os.close(reader)

    assert found.decode() == text
