"""How much memory may yet be taken, as the machine and the cgroups say."""

from pathlib import Path

import psutil
import pytest

from worker import room as rooms
from worker.memory import MEGABYTE
from worker.room import room

UNLIMITED_1 = 9223372036854771712


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rooms, "CGROUPS", tmp_path)
    monkeypatch.setattr(rooms, "OWN_CGROUPS", tmp_path / "own")
    return tmp_path


def write(folder: Path, version: int, limit: int | str, usage: int, cache: int = 0) -> None:
    limit_file, usage_file, prefix = rooms.FILES[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / usage_file).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(
        f"anon 5\nactive_file 0\ninactive_file 0\n{prefix}active_file {cache}\n{prefix}inactive_file {cache}\n"
    )


def own(cgroups: Path, *lines: str) -> None:
    (cgroups / "own").write_text("".join(f"{line}\n" for line in lines))


def test_without_cgroups_it_is_what_the_machine_has(cgroups: Path) -> None:
    assert room() == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_the_narrowest_cgroup_counts(cgroups: Path) -> None:
    own(cgroups, "0::/outer/inner")
    write(cgroups / "outer/inner", 2, "max", MEGABYTE)
    write(cgroups / "outer", 2, 20 * MEGABYTE, 5 * MEGABYTE)
    write(cgroups, 2, 50 * MEGABYTE, 10 * MEGABYTE)

    assert room() == 15 * MEGABYTE


@pytest.mark.parametrize("version", [1, 2])
def test_files_in_memory_leave_when_it_is_wanted(cgroups: Path, version: int) -> None:
    own(cgroups, {1: "4:cpu,memory:/", 2: "0::/"}[version])
    write({1: cgroups / "memory", 2: cgroups}[version], version, 20 * MEGABYTE, 18 * MEGABYTE, cache=3 * MEGABYTE)

    assert room() == 8 * MEGABYTE


def test_the_path_of_the_host_is_not_mounted_in_a_container(cgroups: Path) -> None:
    own(cgroups, "9:name=systemd:/", "4:memory:/docker/8f4a3282")
    write(cgroups / "memory", 1, 7 * MEGABYTE, MEGABYTE)

    assert room() == 6 * MEGABYTE


def test_a_cgroup_of_version_1_without_a_limit_leaves_what_the_machine_has(cgroups: Path) -> None:
    own(cgroups, "4:memory:/", "0::/")
    write(cgroups / "memory", 1, UNLIMITED_1, MEGABYTE)

    assert room() == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_one_that_has_more_than_its_limit_leaves_nothing(cgroups: Path) -> None:
    own(cgroups, "0::/")
    write(cgroups, 2, MEGABYTE, 2 * MEGABYTE)

    assert room() == 0
