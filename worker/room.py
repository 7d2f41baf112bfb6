"""How much memory this process and its children may yet take: what the machine has, or what a cgroup leaves them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
# By version: the limit, what counts against it, and the prefix of what memory.stat says of the cgroup with those below.
FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"), 2: ("memory.max", "memory.current", "")}
PAGE_CACHE = ("active_file", "inactive_file")  # counts as used, and leaves when memory is wanted


def room() -> int:
    """Return how many bytes may be taken now."""
    return min([int(psutil.virtual_memory().available), *cgroup_rooms()])


def cgroup_rooms() -> Iterator[int]:
    """Yield what is left in each cgroup that this process is in and that has a limit, its ancestors included."""
    try:
        lines = OWN_CGROUPS.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield from _rooms(CGROUPS / "memory", path, 1)
        elif number == "0":
            yield from _rooms(CGROUPS, path, 2)


def _rooms(mount: Path, path: str, version: int) -> Iterator[int]:
    # Inside a container the path may be that of the host, of which only the end, or nothing, is mounted here.
    own = PurePosixPath(path.lstrip("/"))
    for folder in (own, *own.parents):
        left = _room_in(mount / folder, version)
        if left is not None:
            yield left


def _room_in(folder: Path, version: int) -> int | None:
    limit_file, usage_file, prefix = FILES[version]
    try:
        limit = (folder / limit_file).read_text().strip()
        usage = int((folder / usage_file).read_text())
        statistics = (folder / "memory.stat").read_text()
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - usage + page_cache(statistics, prefix))


def page_cache(statistics: str, prefix: str = "") -> int:
    """Return the bytes of a memory.stat that hold files."""
    figures = dict(line.split(" ", 1) for line in statistics.splitlines())
    return sum(int(figures.get(f"{prefix}{name}", 0)) for name in PAGE_CACHE)
