"""What every child is doing, in memory shared by fork: the child writes its slot, the parent reads all of them.

The parent must know which child holds which claims without asking Redis (which may be away) or the child (which may be
deep inside C code). A slot is a piece of an anonymous shared mapping: two records, and a sequence number whose parity
says which of them is valid. The child fills the other one, then counts up. So no lock is shared, and a child killed at
any instant of a write leaves what it said before.
"""

import mmap
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

FLAGS = struct.Struct("<Q")  # of the whole worker, ahead of the slots: 1 while it drains
SEQUENCE = struct.Struct("<Q")  # aligned, as every size here is a multiple of 8: the processor writes it at once
# State, pid, since, limit, the two nonces, the message's task, how many attempts, how many of them are computed now,
# reason; then the attempts.
HEAD = struct.Struct("<Bxxxidd16s16s16sII384s")
ATTEMPT = struct.Struct("<16sq")  # task id, token
REASON_BYTES = 384
LOOKS = 50  # a look fails if two writes overtake it; no child writes that fast for long
NONE = bytes(16)  # no task, no request

Attempt = tuple[str, int]  # task id, token


class State(IntEnum):
    """What a child does."""

    ABSENT = 0  # no child has started here yet
    LOADING = 1  # loads its models
    IDLE = 2
    CLAIMING = 3  # has asked for a task, and does not know the answer
    BUSY = 4  # computes what it has claimed
    BROKEN = 5  # cannot load a model; `reason` says why
    FINISHING = 6  # has computed; tells the ledger, and may have asked for what comes next: it does not know the answer


LOADED = frozenset({State.IDLE, State.CLAIMING, State.BUSY, State.FINISHING})


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot at one instant. Times are seconds of the monotonic clock, which all processes of a machine share."""

    index: int
    state: State
    pid: int
    since: float = 0.0  # when the state began
    limit: float = 0.0  # seconds that a BUSY child may take for what it computes now
    attempts: tuple[Attempt, ...] = ()  # what a BUSY or FINISHING child holds, as it was claimed
    computing: int = 0  # how many of them, from the first on, a BUSY child computes now: all together, or one alone
    nonce: str = ""  # the request that has won the attempts, or that a CLAIMING child has made
    next_nonce: str = ""  # the request that a FINISHING child may have made
    hint: str = ""  # the task whose message a CLAIMING child was given
    reason: str = ""  # of a BROKEN child

    @property
    def nonces(self) -> tuple[str, ...]:
        """The requests by which this child may hold something."""
        return tuple(nonce for nonce in (self.nonce, self.next_nonce) if nonce)

    def is_overdue(self, now: float) -> bool:
        """Tell whether what is computed now is past its hard time limit."""
        return self.state is State.BUSY and now - self.since > self.limit

    def culprit(self) -> Attempt | None:
        """Return the one attempt that is computed now; None if there are several, or none."""
        return self.attempts[0] if self.computing == 1 else None


class Slots:
    """The slots of one worker, each with room for the attempts of the largest batch. Make it before the first fork."""

    def __init__(self, count: int, largest_batch: int = 1) -> None:
        self.count = count
        self._attempts = largest_batch
        self._record_bytes = HEAD.size + largest_batch * ATTEMPT.size
        self._slot_bytes = SEQUENCE.size + 2 * self._record_bytes
        self._memory = mmap.mmap(-1, FLAGS.size + count * self._slot_bytes)

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
        attempts: Sequence[Attempt] = (),
        computing: int = 0,
        nonce: str = "",
        next_nonce: str = "",
        hint: str = "",
        limit: float = 0.0,
        reason: str = "",
    ) -> None:
        """Say what this process, the child of slot `index`, does from now on."""
        start, sequence = self._start(index), self._sequence(index)
        at = self._record(start, sequence + 1)
        HEAD.pack_into(
            self._memory,
            at,
            state,
            os.getpid(),
            time.monotonic(),
            limit,
            _packed(nonce),
            _packed(next_nonce),
            _packed(hint),
            len(attempts),
            computing,
            reason.encode()[:REASON_BYTES],
        )
        for n, (task, token) in enumerate(attempts):
            ATTEMPT.pack_into(self._memory, at + HEAD.size + n * ATTEMPT.size, _packed(task), token)
        SEQUENCE.pack_into(self._memory, start, sequence + 1)  # from here on the new record is the valid one

    def look(self, index: int) -> SlotView | None:
        """Return the slot as it is now.

        None only if the slot changed during each of LOOKS looks, which takes a child that does nothing but write.
        """
        start = self._start(index)
        for _ in range(LOOKS):
            sequence = self._sequence(index)
            at = self._record(start, sequence)
            record = self._memory[at : at + self._record_bytes]
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
        return FLAGS.size + index * self._slot_bytes

    def _sequence(self, index: int) -> int:
        sequence: int = SEQUENCE.unpack_from(self._memory, self._start(index))[0]
        return sequence

    def _record(self, start: int, sequence: int) -> int:
        """Return where the record is that is valid at this sequence number of the slot at `start`."""
        return start + SEQUENCE.size + (sequence % 2) * self._record_bytes


def _packed(id: str) -> bytes:
    return bytes.fromhex(id.replace("-", "")) if id else NONE


def _unpacked(packed: bytes) -> str:
    return str(UUID(bytes=packed)) if packed != NONE else ""


def _view(index: int, record: bytes) -> SlotView:
    state, pid, since, limit, nonce, next_nonce, hint, count, computing, reason = HEAD.unpack_from(record)
    attempts = (ATTEMPT.unpack_from(record, HEAD.size + n * ATTEMPT.size) for n in range(count))
    return SlotView(
        index=index,
        state=State(state),
        pid=pid,
        since=since,
        limit=limit,
        attempts=tuple((_unpacked(task), token) for task, token in attempts),
        computing=computing,
        nonce=_unpacked(nonce),
        next_nonce=_unpacked(next_nonce),
        hint=_unpacked(hint),
        reason=reason.rstrip(b"\0").decode(errors="replace"),
    )
