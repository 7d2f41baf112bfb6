"""Killing one child, and only if it is still at what it is to be killed for: stop it, look, settle, kill.

SIGKILL because a Python signal handler waits for C code to return (measured on Celery's SIGTERM: 6.5 s late). A
stopped child cannot move on to its next task between the look and the kill, so no other task is ever hit.
"""

import os
import signal
import time
from collections.abc import Callable

import psutil

from worker.slots import Slots, SlotView

STOPPED_WITHIN_SECONDS = 0.2  # from the signal to the scheduler's having seen it: microseconds, except under strain


def take_down(
    slots: Slots,
    victim: SlotView,
    is_still_at_it: Callable[[SlotView], bool],
    settle: Callable[[SlotView], object] = lambda _: None,
) -> bool:
    """Kill the child of `victim` if it is still at it, by its slot; return whether it was killed.

    `settle` runs while the child stands still, before the kill, with its slot as it is then: it records in the ledger
    what becomes of its tasks. Whatever it raises, the child is killed or runs on.
    """
    if not _signal(victim.pid, signal.SIGSTOP):
        return False
    view = None
    try:
        view = _look(slots, victim, is_still_at_it) if _is_stopped(victim.pid) else None
        if view is not None:
            settle(view)
    finally:
        _signal(victim.pid, signal.SIGCONT if view is None else signal.SIGKILL)
    return view is not None


def _look(slots: Slots, victim: SlotView, is_still_at_it: Callable[[SlotView], bool]) -> SlotView | None:
    view = slots.look(victim.index)
    return view if view is not None and view.pid == victim.pid and is_still_at_it(view) else None


def _is_stopped(pid: int) -> bool:
    give_up = time.monotonic() + STOPPED_WITHIN_SECONDS
    while time.monotonic() < give_up:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                return True
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.0005)
    return False


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
