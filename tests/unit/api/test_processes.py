"""Giving up: processes that never come to serve. What clients see of several: tests/integration/api."""

import logging
import os
import signal
import sys
import threading

import pytest

from api import processes
from api.listener import bind
from shared.supervision import restart
from shared.supervision.parts import module_command
from tests.waiting import eventually


@pytest.mark.parametrize(("ends_with", "code"), [(1, 1), (2, 2)])
def test_processes_that_die_at_once_are_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ends_with: int, code: int
) -> None:
    monkeypatch.setattr(restart, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(
        processes, "module_command", lambda *_: (sys.executable, "-c", f"raise SystemExit({ends_with})")
    )
    with bind("127.0.0.1", 0) as bound, caplog.at_level(logging.WARNING):
        assert processes.keep_serving(2, bound, []) == code
        assert not processes.is_listening(bound)
    assert f"exited with code {ends_with}" in caplog.messages[-1]
    assert "stopping" in caplog.messages[-1]


def test_once_they_served_they_are_started_again_however_often_they_die(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(restart, "FIRST_DELAY_SECONDS", 0.001)
    listens = "import socket, sys; socket.socket(fileno=int(sys.argv[-1])).listen(); raise SystemExit(1)"
    monkeypatch.setattr(processes, "module_command", lambda _, given: (sys.executable, "-c", listens, *given))

    def stop_when_seen_enough() -> None:
        eventually(lambda: len(caplog.messages) > restart.TRIES_BEFORE_READY + 2)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop_when_seen_enough)
    with bind("127.0.0.1", 0) as bound, caplog.at_level(logging.WARNING):
        thread.start()
        assert processes.keep_serving(1, bound, []) == 0
    thread.join()


def test_a_process_is_told_what_its_parent_was_told_and_the_socket() -> None:
    with bind("127.0.0.1", 0) as bound:
        program = processes.server_program(1, bound, ["--port", "1"], "metrics")
        assert program.command == module_command("api", ["--port", "1", "--bound", str(bound.fileno())])
        assert program.kept_files == (bound.fileno(),)


def test_an_address_is_listened_on_by_nobody_before_somebody_can_serve() -> None:
    with bind("127.0.0.1", 0) as bound:
        assert not processes.is_listening(bound)
        bound.listen()
        assert processes.is_listening(bound)
