"""What a process's memory is, and when a child shares too little of what it inherited."""

import mmap
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from worker.memory import MEGABYTE, Memory, copied, has_lost_sharing, memory_of, parse_rollup
from worker.meter import pause_seconds

ROLLUP = b"""555cedd7d000-7ffe941ef000 ---p 00000000 00:00 0                          [rollup]
Rss:                1764 kB
Pss:                 479 kB
Pss_Dirty:           116 kB
Shared_Clean:       1576 kB
Shared_Dirty:         40 kB
Private_Clean:        72 kB
Private_Dirty:       116 kB
Anonymous:           156 kB
Swap:                  8 kB
SwapPss:               4 kB
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def child(*, private: int, shared: int, swapped: int = 0) -> Memory:
    return Memory(0, private * MEGABYTE, shared * MEGABYTE, swapped * MEGABYTE, 0)


def test_the_kernels_words() -> None:
    assert parse_rollup(ROLLUP) == Memory(
        pss=479 * 1024, private=188 * 1024, shared=40 * 1024, swapped=8 * 1024, anonymous=156 * 1024
    )
    assert parse_rollup(ROLLUP.replace(b"Swap:", b"Other:")) is None
    assert parse_rollup(b"") is None


@pytest.mark.parametrize(
    ("inherited", "memory", "expected"),
    [
        (400, child(private=0, shared=400), 0),
        (400, child(private=300, shared=100), 300),
        (400, child(private=900, shared=400), 0),  # all its own: a model that it loaded, or its work
        (400, child(private=900, shared=100), 300),
        (400, child(private=10, shared=0, swapped=395), 5),
        (400, child(private=10, shared=0), 10),  # the rest was given back, not copied
        (400, child(private=10, shared=500), 0),
    ],
)
def test_what_was_copied_left_the_shared_and_became_private(inherited: int, memory: Memory, expected: int) -> None:
    assert copied(inherited * MEGABYTE, memory) == expected * MEGABYTE


@pytest.mark.parametrize(
    ("inherited", "copies", "expected"),
    [(400, 200, False), (400, 201, True), (100, 64, False), (100, 65, True), (50, 50, False), (0, 0, False)],
)
def test_sharing_is_lost_when_more_than_half_and_more_than_64_mib_are_copied(
    inherited: int, copies: int, expected: bool
) -> None:
    memory = child(private=copies + 30, shared=inherited - copies)

    assert has_lost_sharing(inherited * MEGABYTE, memory) is expected


@linux
def test_a_fork_shares_until_it_writes() -> None:
    block = mmap.mmap(-1, 100 * MEGABYTE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    fill(block, 1)
    parent = memory_of(os.getpid())
    assert parent is not None
    assert parent.anonymous >= 100 * MEGABYTE

    with forked(lambda: None) as reader, forked(lambda: fill(block, 2)) as writer:
        assert copied(parent.anonymous, reader) < 20 * MEGABYTE
        assert reader.pss < parent.pss
        assert copied(parent.anonymous, writer) >= 99 * MEGABYTE
        assert writer.private >= 100 * MEGABYTE


def test_a_process_that_is_gone_has_no_memory() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

    assert memory_of(pid) is None


@pytest.mark.parametrize(("took", "pause"), [(0.0001, 2.0), (0.02, 10.0), (5.0, 60.0)])
def test_looking_takes_its_share_of_a_core_and_no_more(took: float, pause: float) -> None:
    assert pause_seconds(took) == pytest.approx(pause)


def fill(block: mmap.mmap, value: int) -> None:
    block[:] = bytes([value]) * len(block)


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[Memory]:
    """Measure a child that has done its work, and end it."""
    done, has_done = os.pipe()
    pid = os.fork()
    if pid == 0:
        work()
        os.write(has_done, b"1")
        signal.pause()
    try:
        os.read(done, 1)
        memory = memory_of(pid)
        assert memory is not None
        yield memory
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(done)
        os.close(has_done)
