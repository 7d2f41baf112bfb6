"""What every child is doing, in memory shared by fork: the child writes its slot, the parent reads all of them.

The parent must know which child holds which claim without asking Redis (which may be away) or the child (which may be
deep inside C code). A slot is a few hundred bytes in an anonymous shared mapping: two records, and a sequence number
whose parity says which of them is valid. The child fills the other one, then counts up. So no lock is shared, and a
child killed at any instant of a write leaves what it said before.
"""

import mmap
import os
import struct
import time
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

FLAGS = struct.Struct("<Q")  # of the whole worker, ahead of the slots: 1 while it drains
SEQUENCE = struct.Struct("<Q")  # aligned, as every size here is a multiple of 8: the processor writes it at once
RECORD = struct.Struct("<Bi16s16sqdd387s")  # state, pid, task id, nonce, token, since, limit, reason
REASON_BYTES = 387
SLOT_BYTES = SEQUENCE.size + 2 * RECORD.size
LOOKS = 50  # a look fails if two writes overtake it; no child writes that fast for long
NONE = UUID(int=0)


class State(IntEnum):
    """What a child does."""

    ABSENT = 0  # no child has started here yet
    LOADING = 1  # loads its models
    IDLE = 2
    CLAIMING = 3  # has asked for a task, and does not know the answer
    BUSY = 4  # runs a task it has claimed
    BROKEN = 5  # cannot load a model; `reason` says why


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot at one instant. Times are seconds of the monotonic clock, which all processes of a machine share."""

    index: int
    state: State
    pid: int
    task: str  # of a CLAIMING or BUSY child
    token: int  # of a BUSY child
    since: float  # when the state began
    limit: float  # seconds a BUSY child may take
    reason: str  # of a BROKEN child
    nonce: str = ""  # of a CLAIMING or BUSY child: which request to claim it made

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
        self._memory = mmap.mmap(-1, FLAGS.size + count * SLOT_BYTES)

    def drain(self) -> None:
        """Tell all children that the worker stops: what is not claimed yet is not for them."""
        FLAGS.pack_into(self._memory, 0, 1)

    @property
    def draining(self) -> bool:
        """Tell whether `drain` was called, by whichever process."""
        return bool(FLAGS.unpack_from(self._memory, 0)[0])

    def write(
        self,
        index: int,
        state: State,
        *,
        task: str = "",
        nonce: str = "",
        token: int = 0,
        limit: float = 0.0,
        reason: str = "",
    ) -> None:
        """Say what this process, the child of slot `index`, does from now on."""
        start, sequence = self._start(index), self._sequence(index)
        RECORD.pack_into(
            self._memory,
            _record(start, sequence + 1),
            state,
            os.getpid(),
            _packed(task),
            _packed(nonce),
            token,
            time.monotonic(),
            limit,
            reason.encode()[:REASON_BYTES],
        )
        SEQUENCE.pack_into(self._memory, start, sequence + 1)  # from here on the new record is the valid one

    def look(self, index: int) -> SlotView | None:
        """Return the slot as it is now.

        None only if the slot changed during each of LOOKS looks, which takes a child that does nothing but write.
        """
        start = self._start(index)
        for _ in range(LOOKS):
            sequence = self._sequence(index)
            record = RECORD.unpack_from(self._memory, _record(start, sequence))
            if self._sequence(index) == sequence:  # else the record may have been written over meanwhile
                return _view(index, record)
            time.sleep(0)
        return None

    def look_all(self) -> list[SlotView]:
        """Return every slot as it is now."""
        return [view for view in map(self.look, range(self.count)) if view is not None]

    def _start(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"slot {index} of {self.count}")
        return FLAGS.size + index * SLOT_BYTES

    def _sequence(self, index: int) -> int:
        sequence: int = SEQUENCE.unpack_from(self._memory, self._start(index))[0]
        return sequence


def _record(start: int, sequence: int) -> int:
    """Return where the record is that is valid at this sequence number of the slot at `start`."""
    return start + SEQUENCE.size + (sequence % 2) * RECORD.size


def _packed(id: str) -> bytes:
    return (UUID(id) if id else NONE).bytes


def _view(index: int, record: tuple[int, int, bytes, bytes, int, float, float, bytes]) -> SlotView:
    state, pid, task, nonce, token, since, limit, reason = record
    at_a_task = state in (State.CLAIMING, State.BUSY)
    return SlotView(
        index=index,
        state=State(state),
        pid=pid,
        task=str(UUID(bytes=task)) if at_a_task else "",
        token=token,
        since=since,
        limit=limit,
        reason=reason.rstrip(b"\0").decode(errors="replace"),
        nonce=str(UUID(bytes=nonce)) if at_a_task else "",
    )
