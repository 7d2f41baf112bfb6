"""The commands that run an installation, as far as they go without one."""

from pathlib import Path

import pytest

from shared.keys import owner_of, parse_lines
from tests.unit.cli.command import penstock


def test_keys_new_prints_a_key_and_its_line() -> None:
    done = penstock("keys", "new", "ann")
    key, line = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert owner_of(key, parse_lines(line)) == "ann"
    assert penstock("keys", "new", "ann").stdout != done.stdout


def test_keys_new_wants_a_name_that_fits_into_the_line() -> None:
    done = penstock("keys", "new", "ann,ben:x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("penstock: 'ann,ben:x' is no name")


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_part_alone_needs_a_ledger(part: str, tmp_path: Path) -> None:
    done = penstock(part)
    assert done.returncode == 2
    assert done.stderr.startswith("penstock: PENSTOCK_REDIS_URL: ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_named() -> None:
    done = penstock("up", PENSTOCK_API_PORT="many", PENSTOCK_LEASE_SECONDS="0")
    assert done.returncode == 2
    lines = sorted(done.stderr.splitlines())
    assert [line.split(": ")[:2] for line in lines] == [
        ["penstock", "PENSTOCK_API_PORT"],
        ["penstock", "PENSTOCK_LEASE_SECONDS"],
    ]


def test_help_and_version_are_there() -> None:
    shown = penstock("--help")
    assert shown.returncode == 0
    for command in ("up", "api", "worker", "submit", "get", "wait"):
        assert command in shown.stdout
    assert penstock("--version").returncode == 0
