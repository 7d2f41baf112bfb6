"""Killing one child, and only if it still runs the attempt that is meant: stop it, look, settle, kill.

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


def take_down(slots: Slots, victim: SlotView, settle: Callable[[], object] = lambda: None) -> bool:
    """Kill the child of `victim` if it still holds that attempt; return whether it was killed.

    `settle` runs while the child stands still, before the kill: it records in the ledger what becomes of the task.
    Whatever it raises, the child is killed or runs on.
    """
    if not _signal(victim.pid, signal.SIGSTOP):
        return False
    kill = False
    try:
        kill = _is_stopped(victim.pid) and _still_holds(slots, victim)
        if kill:
            settle()
    finally:
        _signal(victim.pid, signal.SIGKILL if kill else signal.SIGCONT)
    return kill


def _still_holds(slots: Slots, victim: SlotView) -> bool:
    view = slots.look(victim.index)
    return view is not None and view.pid == victim.pid and view.holds(victim.task, victim.token)


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
