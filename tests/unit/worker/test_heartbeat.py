"""The health check of a worker: what a file says that it touches."""

import os
from pathlib import Path

import pytest

from worker.heartbeat import STALE_SECONDS, VARIABLE, beat, complaint, main, not_writable


def test_a_file_that_was_touched_a_moment_ago_is_well(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    beat(file)

    assert complaint(str(file), file.stat().st_mtime + STALE_SECONDS - 1) is None


def test_one_that_is_old_says_since_when(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    beat(file)

    assert "61 s ago" in (complaint(str(file), file.stat().st_mtime + 61) or "")


def test_one_that_is_not_there_is_not_well(tmp_path: Path) -> None:
    assert "No such file" in (complaint(str(tmp_path / "none"), 0) or "")


def test_without_a_file_there_is_nothing_to_go_by() -> None:
    assert VARIABLE in (complaint("", 0) or "")


@pytest.mark.parametrize(("age", "code"), [(0, 0), (STALE_SECONDS + 5, 1)])
def test_the_exit_code_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, code: int) -> None:
    file = tmp_path / "alive"
    beat(file)
    then = file.stat().st_mtime - age
    os.utime(file, (then, then))
    monkeypatch.setenv(VARIABLE, str(file))

    assert main() == code


def test_what_cannot_be_touched_is_said_at_the_start_and_what_was_left_is_gone(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.touch()

    assert not_writable(left) is None
    assert not left.exists()
    assert not_writable(None) is None
    assert "No such file" in (not_writable(tmp_path / "no" / "where") or "")


def test_a_disk_that_takes_nothing_kills_no_worker(tmp_path: Path) -> None:
    beat(tmp_path / "no" / "where")
    beat(None)
