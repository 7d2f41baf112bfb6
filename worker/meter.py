"""The memory meter: a thread of the worker's parent that measures its children now and then.

It warns of a child that has copied what it should share. A thread of its own, because looking at many gigabytes takes
longer than the keeper may be late. It holds no lock while it measures, and the forks' own while it logs.
"""

import threading
import time
from dataclasses import dataclass, field

import structlog

from shared.ledger.records import ChildMemory
from worker.memory import Memory, copied, has_lost_sharing, memory_of
from worker.slots import Slots

SHARE = 0.002  # of a core
SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds
ADVICE = (
    "the model's objects are written to as they are used (reference counts, caches): keep what is large in arrays or "
    "bytes rather than in many Python objects, or plan for a copy in each child"
)
log = structlog.get_logger()


@dataclass(slots=True)
class MemoryMeter:
    """Measures the children of one worker. `fork_lock` is held while it logs; see worker/app.py."""

    slots: Slots
    fork_lock: threading.Lock
    inherited: int = 0  # bytes of data that every child shares with the parent at first
    latest: tuple[ChildMemory, ...] = ()  # replaced as a whole, so whoever reads it needs no lock
    _warned: set[int] = field(default_factory=set)  # pids
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Measure until `stop` is called. The body of the thread."""
        try:
            self._measure_on()
        except Exception:
            with self.fork_lock:
                log.exception("the memory of the children is measured no more")
            self.latest = ()

    def stop(self) -> None:
        """End the thread after its current look."""
        self._stop.set()

    def _measure_on(self) -> None:
        while not self._stop.is_set():
            started = time.thread_time()
            self._look()
            self._stop.wait(pause_seconds(time.thread_time() - started))

    def _look(self) -> None:
        seen = {view.pid: memory_of(view.pid) for view in self.slots.look_all() if view.pid}
        children = {pid: memory for pid, memory in seen.items() if memory is not None}
        self.latest = tuple(ChildMemory(memory.pss, memory.private) for memory in children.values())
        self._warned &= children.keys()
        for pid, memory in children.items():
            if pid not in self._warned and has_lost_sharing(self.inherited, memory):
                self._warned.add(pid)
                self._warn(pid, memory)

    def _warn(self, pid: int, memory: Memory) -> None:
        with self.fork_lock:
            log.warning(
                "a child shares little of what the parent loaded",
                pid=pid,
                inherited_bytes=self.inherited,
                copied_bytes=copied(self.inherited, memory),
                private_bytes=memory.private,
                advice=ADVICE,
            )


def pause_seconds(took: float) -> float:
    """Return how long to wait after a look that took so much CPU time, so that it stays within its share of a core."""
    return min(max(took / SHARE, SHORTEST_PAUSE), LONGEST_PAUSE)
