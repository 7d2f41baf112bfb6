"""How much memory a process has, how much of it to itself, and whether a child still shares what its parent loaded.

Linux tells it in /proc/<pid>/smaps_rollup, by walking the process's page tables: 0.6 ms for 400 MB in huge pages, 2 ms
for 500 MB in small ones. Elsewhere nothing is known, and nothing is published.
"""

import os
import re
from dataclasses import dataclass

KILOBYTE = 1024
MEGABYTE = 2**20
ROLLUP_BYTES = 8192  # it has 1 KB
LEAST_LOSS = 64 * MEGABYTE  # a child copies some 15 MB of the interpreter and its libraries as it goes
FIGURE = re.compile(rb"^(\w+): +(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one process, in bytes."""

    pss: int  # what it has to itself, and its share of each page that it shares
    private: int  # what it has to itself
    shared: int  # data that it shares with its parent or its siblings; without files, which anyone may share
    swapped: int  # data that is on disk, shared or not
    anonymous: int  # data, shared or not


def memory_of(pid: int) -> Memory | None:
    """Return what a process has now; None if it is gone, or its system does not say.

    It runs in a thread beside one that forks, so it takes no lock: neither a file object's nor the import system's.
    """
    try:
        file = os.open(f"/proc/{pid}/smaps_rollup", os.O_RDONLY)
    except OSError:
        return None
    try:
        return parse_rollup(os.read(file, ROLLUP_BYTES))
    except OSError:  # it ended meanwhile
        return None
    finally:
        os.close(file)


def parse_rollup(text: bytes) -> Memory | None:
    """Read a smaps_rollup; None if it lacks a figure."""
    figures = {name: int(kilobytes) * KILOBYTE for name, kilobytes in FIGURE.findall(text)}
    try:
        return Memory(
            pss=figures[b"Pss"],
            private=figures[b"Private_Clean"] + figures[b"Private_Dirty"],
            shared=figures[b"Shared_Dirty"],
            swapped=figures[b"Swap"],
            anonymous=figures[b"Anonymous"],
        )
    except KeyError:
        return None


def copied(inherited: int, child: Memory) -> int:
    """Return how much of what a child inherited has become its own copy.

    A page that is copied is shared no longer, and private from then on. What the child allocates for itself is private,
    and takes nothing from what is shared; what is swapped out is no longer seen as shared, and becomes nobody's own.
    """
    return max(0, min(inherited - child.shared - child.swapped, child.private))


def has_lost_sharing(inherited: int, child: Memory) -> bool:
    """Tell whether a child has copied so much of what it inherited that sharing it was of little use."""
    return copied(inherited, child) > max(LEAST_LOSS, inherited // 2)
