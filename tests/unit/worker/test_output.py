"""What a model prints becomes lines of the log."""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from shared.log import stamp, stamped
from worker.output import LONGEST_LINE, LoggedStream, about, prints_logged, shown


@pytest.fixture
def stream() -> LoggedStream:
    return LoggedStream("stdout", sys.__stdout__ or sys.stdout)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    stamp()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (["hello\n"], ["hello"]),
        (["hello", " ", "there", "\n"], ["hello there"]),
        (["one\ntwo\nthr", "ee\n"], ["one", "two", "three"]),
        (["\n", "\n"], []),
        (["not yet"], []),
        (["  indented\n"], ["  indented"]),
        (["10%\r", "50%\r", "100%\n"], ["100%"]),
        (["\r10%", "\r50%", "\r100%", "\n"], ["100%"]),
        (["windows\r\n"], ["windows"]),
        (["x" * (LONGEST_LINE + 1)], ["x" * LONGEST_LINE, "x"]),
        (["x" * 2 * LONGEST_LINE + "\n"], ["x" * LONGEST_LINE] * 2),
    ],
)
def test_a_line_is_an_event(stream: LoggedStream, written: list[str], lines: list[str]) -> None:
    with capture_logs() as said:
        for text in written:
            assert stream.write(text) == len(text)
            stream.flush()

    assert said == [{"event": "printed", "text": line, "stream": "stdout", "log_level": "info"} for line in lines]


def test_what_has_begun_ends_with_its_task(stream: LoggedStream) -> None:
    with capture_logs() as said:
        stream.write("half")
        stream.end_lines()
        stream.end_lines()
        stream.write(" and half\n")

    assert [line["text"] for line in said] == ["half", " and half"]


def test_threads_do_not_tear_each_others_lines(stream: LoggedStream) -> None:
    with capture_logs() as said:
        stream.write("mine, ")
        thread = threading.Thread(target=lambda: stream.write("theirs\n"))
        thread.start()
        thread.join()
        stream.write("still mine\n")

    assert [line["text"] for line in said] == ["theirs", "mine, still mine"]


def test_a_progress_bar_takes_no_more_room_than_its_line(stream: LoggedStream) -> None:
    with capture_logs() as said:
        for step in range(10_000):
            stream.write(f"\r{step}")
            assert max(map(len, stream._begun.values())) < 10
        stream.end_lines()

    assert [line["text"] for line in said] == ["9999"]


@pytest.mark.parametrize(("line", "seen"), [("a", "a"), ("a\rb", "b"), ("a\rb\r", "b"), ("\r", ""), ("", "")])
def test_what_was_written_over_is_not_shown(line: str, seen: str) -> None:
    assert shown(line) == seen


def test_what_is_printed_in_a_block_is_about_it_to_the_last_half_line() -> None:
    said: list[dict[str, Any]] = []

    def take(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        said.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[stamped, take])
    try:
        with prints_logged():
            with about(task_id="T"):
                print("in it, and not ended", end="")
            print("after it")
    finally:
        structlog.reset_defaults()

    assert [(line["text"], line.get("task_id")) for line in said] == [("in it, and not ended", "T"), ("after it", None)]


def test_the_streams_are_back_afterwards() -> None:
    before = sys.stdout, sys.stderr
    with prints_logged():
        assert (sys.stdout, sys.stderr) != before
        assert sys.stderr.fileno() == before[1].fileno()
        assert not sys.stdout.isatty()
        assert sys.stdout.writable()
    assert (sys.stdout, sys.stderr) == before
