"""How long the running tasks took to recover from a fault. Pure: works on what was observed."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.batches import asked_by_token, broken_off, course, resumes
from tests.faults.observations import Asked, Execution, Fault, History, Task


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one task that was running when a fault struck it."""

    fault: Fault
    task: Task
    due: float  # when the fault's outage was over, or the task would have ended by itself if that is later
    clock: float  # from when it counts: `due`, or the end of another outage that was in its way
    at: float  # when the task ran again or was seen to be final

    @property
    def seconds(self) -> float:
        return max(0.0, self.at - self.clock)

    @property
    def is_undisturbed(self) -> bool:
        """Tell whether no other fault was in its way."""
        return self.clock == self.due


@dataclass(frozen=True, slots=True)
class Run:
    """A task with the execution that each attempt began with; its turn after a batch that raised is not another."""

    task: Task
    executions: Sequence[Execution]
    ends: Sequence[float]  # when each would be over by itself

    def before(self, instant: float) -> Execution | None:
        """Return the execution that was the latest at an instant."""
        place = bisect_right(self.executions, instant, key=lambda run: run.at)
        return self.executions[place - 1] if place else None

    def due(self, instant: float) -> float:
        """Return when the execution that was under way would have ended had nothing happened."""
        place = bisect_right(self.executions, instant, key=lambda run: run.at)
        return self.ends[place - 1] if place and self.task.asked.behave != "die" else 0.0

    def after(self, instant: float) -> Execution | None:
        """Return the first execution that began after an instant."""
        place = bisect_right(self.executions, instant, key=lambda run: run.at)
        return self.executions[place] if place < len(self.executions) else None


def recoveries(history: History) -> list[Recovery]:
    """Return the recovery of every task from every fault that hit it; those that never came are left out."""
    faults = [*history.faults, *broken_off(history, deaths(history.faults))]
    runs, dead = list(runs_of(history)), deaths(faults)
    found = (_recovery(fault, run, faults) for fault in faults for run in hit(fault, runs, dead))
    return [recovery for recovery in found if recovery is not None]


def runs_of(history: History) -> Iterator[Run]:
    """Yield every task with its executions, in their order."""
    by_token: dict[str, list[Execution]] = {}
    for execution in history.executions:
        by_token.setdefault(execution.token, []).append(execution)
    asked, limit = asked_by_token(history), history.setup.limit_seconds
    for task in history.tasks:
        token = task.asked.token
        begun = _begun(sorted(by_token.get(token, []), key=lambda run: run.at), asked)
        yield Run(task, begun, [course(execution, asked, limit).end(token) for execution in begun])


def _begun(executions: Sequence[Execution], asked: Mapping[str, Asked]) -> list[Execution]:
    """Leave out the turns that go on with what their child began before, whatever others did in between.

    A worker that was cut off may come back in the middle of its turns, when another has run the task already.
    """
    begun, latest = [], dict[int, Execution]()
    for run in executions:
        before = latest.get(run.pid)
        if before is None or not resumes(run, before, asked):
            begun.append(run)
        latest[run.pid] = run
    return begun


def deaths(faults: Iterable[Fault]) -> dict[int, float]:
    """Return when each process died that a fault has killed."""
    return {pid: fault.struck for fault in faults if fault.deadly for pid in fault.pids}


def hit(fault: Fault, runs: Iterable[Run], dead: Mapping[int, float]) -> list[Run]:
    """Return the tasks that ran, or were about to, where the fault struck."""
    return [run for run in runs if hits(fault, run) or (fault.everyone and _is_running(run, fault.struck, dead))]


def hits(fault: Fault, run: Run) -> bool:
    """Tell whether the fault struck this very task, or the process that ran it."""
    final = run.task.final
    if final is not None and final.at <= fault.struck:
        return False
    execution = run.before(fault.struck)
    at_it = execution is not None and bool(fault.pids & {execution.pid, execution.parent})
    return at_it or run.task.id in fault.tasks


def _is_running(run: Run, instant: float, dead: Mapping[int, float]) -> bool:
    """Tell whether a task ran at an instant, as far as can be told; a poison task is a fault of its own."""
    execution, final = run.before(instant), run.task.final
    if execution is None or run.task.asked.behave == "die" or (final is not None and final.at <= instant):
        return False
    return all(dead.get(pid, instant) >= instant for pid in (execution.pid, execution.parent))


def _recovery(fault: Fault, run: Run, faults: Iterable[Fault]) -> Recovery | None:
    again, final = run.after(fault.struck), run.task.final
    moments = [moment.at for moment in (again, final) if moment is not None]
    if not moments:
        return None
    at, due = min(moments), fault.ended
    if again is None or (final is not None and final.at < again.at):
        due = max(due, run.due(fault.struck))
    return Recovery(fault, run.task, due, _restarted(fault, run, due, at, faults), at)


def _restarted(fault: Fault, run: Run, clock: float, at: float, faults: Iterable[Fault]) -> float:
    """Start the clock again at the end of every other outage in the way, and of every other fault that hit the task."""
    others = [other for other in faults if other is not fault and other.struck < at and other.harmless_from > clock]
    for other in sorted(others, key=lambda other: other.struck):
        if other.hinders:
            clock = max(clock, min(other.harmless_from, at))
        elif other.struck > fault.struck and hits(other, run):
            clock = max(clock, min(other.ended, at))
    return clock
