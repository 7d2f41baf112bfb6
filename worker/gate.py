"""The order in which children load models of their own: the first alone, then as many at a time as memory allows.

The parent decides, and opens the gate for each child in memory shared by fork. No child holds anything that another
waits for, so one that is killed holds nobody up.
"""

import mmap
import os
import struct
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import structlog

from shared.start import StartError
from worker.memory import MEGABYTE
from worker.room import room

PLACE = struct.Struct("<qq")  # of one child: its pid, once it waits here or has passed; 1 once it may pass
FLAG = struct.Struct("<q")
LOOK_SECONDS = 0.02
SMALL = 64 * MEGABYTE  # copies below this need no order
log = structlog.get_logger()


class Gate:
    """What stands between each child and its loading. Make it before the first fork, in the parent."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._parent = os.getpid()
        self._memory = mmap.mmap(-1, count * PLACE.size)

    def open(self, index: int) -> None:
        """Let a child pass, and whoever takes its place later."""
        FLAG.pack_into(self._memory, index * PLACE.size + FLAG.size, 1)

    def open_to_all(self) -> None:
        """Let every child pass, now and later."""
        for index in range(self.count):
            self.open(index)

    def pass_through(self, index: int) -> None:
        """Wait in this process, the child of slot `index`, until it may pass.

        Raises:
            SystemExit: the parent is gone, so nobody will open.
        """
        FLAG.pack_into(self._memory, index * PLACE.size, os.getpid())
        while not PLACE.unpack_from(self._memory, index * PLACE.size)[1]:
            if os.getppid() != self._parent:
                raise SystemExit
            time.sleep(LOOK_SECONDS)

    def pid(self, index: int) -> int:
        """Return the pid of the child that has come to its place; 0 before it has."""
        pid: int = PLACE.unpack_from(self._memory, index * PLACE.size)[0]
        return pid


@dataclass(frozen=True, slots=True)
class Copy:
    """What a child's own copy of its models takes, in bytes."""

    kept: int
    peak: int  # while it loads; at least what is kept


@dataclass(slots=True)
class Usher:
    """Opens the gate for the children of a starting worker, step by step."""

    gate: Gate
    models: Collection[str]  # that each child loads for itself
    room: Callable[[], int] = room
    _let_in: int = 0
    _before: int = 0  # what the first child had before it loaded
    _peak: int = 0
    _copy: Copy | None = None

    def __post_init__(self) -> None:
        if self.gate.count == 1 or not self.models:
            self._let_in_all()

    def look(self, loaded: Collection[int]) -> None:
        """Let in whoever may come now; `loaded` are the indexes of the children that have finished.

        Raises:
            StartError: not all of them fit into memory.
        """
        if self._let_in == self.gate.count:
            return
        if self._copy is None:
            self._look_at_the_first(finished=0 in loaded)
        elif len(loaded) == self._let_in:
            self._let_in_more(self._copy)

    def _look_at_the_first(self, *, finished: bool) -> None:
        pid = self.gate.pid(0)
        if not pid:
            return
        data = data_of(pid)
        if data is None:  # the system does not say
            self._let_in_all()
        elif not self._let_in:
            self._before = self._peak = data
            self._open(1)
        else:
            self._peak = max(self._peak, data)
            if finished:
                self._judge(Copy(kept=max(0, data - self._before), peak=self._peak - self._before))

    def _judge(self, copy: Copy) -> None:
        self._copy = copy
        if copy.peak < SMALL:
            self._let_in_all()
        else:
            self._let_in_more(copy)

    def _let_in_more(self, copy: Copy) -> None:
        available, left = self.room(), self.gate.count - self._let_in
        fitting = fit(copy, available)
        if fitting < left:
            raise StartError(complaint(self.models, copy, self.gate.count, self._let_in + fitting, available))
        together = at_once(copy, available, left)
        log.info("a child has loaded its models", bytes=copy.kept, available=available, next_at_once=together)
        self._open(together)

    def _let_in_all(self) -> None:
        self._open(self.gate.count - self._let_in)

    def _open(self, more: int) -> None:
        for index in range(self._let_in, self._let_in + more):
            self.gate.open(index)
        self._let_in += more


def fit(copy: Copy, available: int) -> int:
    """Count the copies that fit if they are loaded one after the other."""
    return 0 if available < copy.peak else 1 + (available - copy.peak) // max(1, copy.kept)


def at_once(copy: Copy, available: int, left: int) -> int:
    """Count the copies that may load at the same time; at least one, given that one fits."""
    return max(1, min(left, available // copy.peak))


def complaint(models: Collection[str], copy: Copy, children: int, fitting: int, available: int) -> str:
    """Say that not all children fit, and what to do about it."""
    return (
        f"PENSTOCK_CONCURRENCY={children} is more than memory allows: each child loads its own copy of "
        f"{', '.join(models)}, which takes {_megabytes(copy.kept)} ({_megabytes(copy.peak)} while it loads), and "
        f'{_megabytes(available)} are left. {fitting} would fit; or share one copy with LOAD_IN = "parent", if the '
        "model's library survives a fork"
    )


def data_of(pid: int) -> int | None:
    """Return a process's bytes of data, in memory or swapped out; None if it is gone or its system does not say.

    That is what a copy costs: the files that a model maps are shared, and leave memory when it is wanted.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        figures = dict(line.split(":", 1) for line in lines)
        return sum(int(figures[name].split()[0]) * 1024 for name in ("RssAnon", "VmSwap"))
    except (OSError, KeyError):
        return None


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:.0f} MiB"
