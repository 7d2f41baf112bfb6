"""One embedded server per data directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.lock import DataDirInUse, DataDirLock, is_alive, parse_pid


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with DataDirLock(tmp_path) as first, DataDirLock(tmp_path) as second:
        assert first.take() is None
        with pytest.raises(DataDirInUse, match=rf"another penstock up \(pid {os.getpid()}\) uses {tmp_path}"):
            second.take()


def test_it_is_free_again_once_closed(tmp_path: Path) -> None:
    for _ in range(2):
        with DataDirLock(tmp_path) as lock:
            assert lock.take() is None


def test_a_server_that_outlives_its_supervisor_still_holds_it(tmp_path: Path) -> None:
    with DataDirLock(tmp_path) as first:
        assert first.take() is None
        server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[first.descriptor])
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "lock").write_text(f"{gone.pid}\n")
    with DataDirLock(tmp_path) as second:
        assert "earlier run" in str(second.take())
        server.communicate(b"\n")
        assert second.take() is None


@pytest.mark.parametrize(("text", "pid"), [(b"12\n", 12), (b"", None), (b"12\x00", None), (b"-1", None)])
def test_parse_pid(text: bytes, pid: int | None) -> None:
    assert parse_pid(text) == pid


def test_is_alive() -> None:
    assert is_alive(os.getpid())
    assert is_alive(1)
