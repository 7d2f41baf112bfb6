"""What every child is doing, in memory shared by fork: the child writes its slot, the parent reads all of them.

The parent must know which child holds which claim without asking Redis (which may be away) or the child (which may be
deep inside C code). A slot is a few dozen bytes in an anonymous shared mapping. A sequence number, odd while the child
writes, tells the parent to look again; so no lock is shared, and a child killed in the middle of a write blocks no one.
"""

import mmap
import os
import struct
import time
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

SEQUENCE = struct.Struct("<I")
RECORD = struct.Struct("<Bi16sqdd400s")  # state, pid, task id, token, since, limit, reason
SIZE = SEQUENCE.size + RECORD.size
LOOKS = 50  # a write lasts microseconds; longer than this many looks, its writer is stopped or dead in the middle of it
NO_TASK = UUID(int=0)


class State(IntEnum):
    """What a child does."""

    ABSENT = 0  # no child has started here yet
    LOADING = 1  # loads its models
    IDLE = 2
    BUSY = 3  # runs a task it has claimed
    BROKEN = 4  # cannot load a model; `reason` says why


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot at one instant. Times are seconds of the monotonic clock, which all processes of a machine share."""

    index: int
    state: State
    pid: int
    task: str  # of a BUSY child
    token: int
    since: float  # when the state began
    limit: float  # seconds a BUSY child may take
    reason: str  # of a BROKEN child

    def is_overdue(self, now: float) -> bool:
        """Tell whether the running task is past its hard time limit."""
        return self.state is State.BUSY and now - self.since > self.limit

    def holds(self, task: str, token: int) -> bool:
        """Tell whether this child runs exactly that attempt."""
        return self.state is State.BUSY and self.task == task and self.token == token


class Slots:
    """The slots of one worker. Make it before the first fork."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._memory = mmap.mmap(-1, count * SIZE + 1)  # the last byte: draining

    def drain(self) -> None:
        """Tell every child to claim nothing from now on."""
        self._memory[-1] = 1

    @property
    def draining(self) -> bool:
        """Whether this worker takes nothing new."""
        return bool(self._memory[-1])

    def write(
        self, index: int, state: State, *, task: str = "", token: int = 0, limit: float = 0.0, reason: str = ""
    ) -> None:
        """Say what this process, the child of slot `index`, does from now on."""
        record = RECORD.pack(
            state,
            os.getpid(),
            (UUID(task) if task else NO_TASK).bytes,
            token,
            time.monotonic(),
            limit,
            reason.encode()[:400],
        )
        start = index * SIZE
        (sequence,) = SEQUENCE.unpack_from(self._memory, start)
        odd = (sequence | 1) & 0xFFFFFFFF  # a predecessor may have died in the middle of a write
        SEQUENCE.pack_into(self._memory, start, odd)
        self._memory[start + SEQUENCE.size : start + SIZE] = record
        SEQUENCE.pack_into(self._memory, start, (odd + 1) & 0xFFFFFFFF)

    def look(self, index: int) -> SlotView | None:
        """Return the slot as it is now, or None if its child stands still in the middle of a write."""
        start = index * SIZE
        for _ in range(LOOKS):
            before = SEQUENCE.unpack_from(self._memory, start)[0]
            record = bytes(self._memory[start + SEQUENCE.size : start + SIZE])
            if before % 2 == 0 and SEQUENCE.unpack_from(self._memory, start)[0] == before:
                return _view(index, record)
            time.sleep(0)
        return None

    def look_all(self) -> list[SlotView]:
        """Return every slot that can be read now."""
        return [view for view in map(self.look, range(self.count)) if view is not None]


def _view(index: int, record: bytes) -> SlotView:
    state, pid, task, token, since, limit, reason = RECORD.unpack(record)
    return SlotView(
        index=index,
        state=State(state),
        pid=pid,
        task=str(UUID(bytes=task)) if state == State.BUSY else "",
        token=token,
        since=since,
        limit=limit,
        reason=reason.rstrip(b"\0").decode(errors="replace"),
    )
