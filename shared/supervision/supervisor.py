"""Keeping programs running: start them in order, start again what dies, stop them in the opposite order."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.supervision.program import Process, Program
from shared.supervision.restart import Again, Record, after_end, describe_end
from shared.supervision.signals import STOP, Signals

POLL_SECONDS = 0.1  # how often a condition is looked at; ends of processes and signals are noticed at once
FIRST_HINT_SECONDS = 10.0
EX_OSERR = 71
KILLED_BY_USER = 128 + signal.SIGINT

Check = Callable[[], str | None]
"""Looks whether something has come about: None when it has, otherwise what is missing, in a few words."""


class Stop(Exception):  # noqa: N818  (the order to stop, not always an error)
    """Everything is to be stopped, and `code` is the exit code then."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class _Kept:
    """A program being kept running: its process, or None and when to start it again."""

    program: Program
    process: Process | None = None
    record: Record = field(default_factory=Record)
    due: float = 0.0


class Supervisor:
    """Keeps programs running until told to stop; single-threaded, asleep in `Signals.wait` in between."""

    def __init__(self, signals: Signals, say: Callable[[str], None]) -> None:
        self._signals = signals
        self._say = say
        self._kept: list[_Kept] = []
        self.ever_ready = False  # set by the caller; decides how patient to be with what dies

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on.

        Raises:
            Stop: it cannot be started, and trying again is pointless.
        """
        kept = _Kept(program)
        self._kept.append(kept)
        self._launch(kept)

    def run_until(self, check: Check | None) -> None:
        """Supervise until `check` returns None; for ever without a check.

        Raises:
            Stop: a signal asks for it, or a program is beyond help.
        """
        hints = _Hints(self._say)
        while True:
            self._tend()
            missing = check() if check else None
            if check and missing is None:
                return
            hints.still(missing)
            self._sleep(POLL_SECONDS if check else None)

    def stop_all(self, *, at_once: bool = False) -> bool:
        """Stop everything, the last started first or all `at_once`.

        False: the user pressed Ctrl-C meanwhile and all was killed.
        """
        running = [kept.process for kept in reversed(self._kept) if kept.process]
        self._kept.clear()
        for process in running if at_once else ():
            process.ask_to_stop()
        for process in running:
            if not self._stop(process):
                for other in running:
                    other.kill()
                return False
        return True

    def _stop(self, process: Process) -> bool:
        """Ask a process to stop, kill it when its time is up; False if the user will not wait."""
        deadline = time.monotonic() + process.program.stop_seconds
        process.ask_to_stop()
        while process.code() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                self._say(f"{process.program.name} did not stop in {process.program.stop_seconds:g} s; killing it")
                process.kill()
                return True
            if signal.SIGINT in self._signals.wait(left):
                self._say("killing everything")
                return False
        return True

    def _tend(self) -> None:
        """Deal with what ended, start again what is due."""
        for kept in self._kept:
            code = kept.process.code() if kept.process else None
            if kept.process and code is not None:
                self._ended(kept, code, time.monotonic() - kept.process.started)
            elif kept.process is None and kept.due <= time.monotonic():
                self._launch(kept)

    def _launch(self, kept: _Kept) -> None:
        try:
            kept.process = Process(kept.program)
        except OSError as error:
            self._say(f"{kept.program.name}: {error}")
            self._ended(kept, EX_OSERR, 0.0)

    def _ended(self, kept: _Kept, code: int, lived: float) -> None:
        kept.process = None
        next_step = after_end(kept.record, code=code, lived=lived, ever_ready=self.ever_ready)
        if not isinstance(next_step, Again):
            self._say(f"{kept.program.name} {next_step.reason}; stopping{kept.program.see}")
            raise Stop(next_step.code)
        kept.record, kept.due = next_step.record, time.monotonic() + next_step.delay
        self._say(f"{kept.program.name} {describe_end(code)}; starting it again in {next_step.delay:g} s")

    def _sleep(self, longest: float | None) -> None:
        """Sleep until something happens or something is due."""
        due = [kept.due - time.monotonic() for kept in self._kept if kept.process is None]
        timeout = min([*due, *([] if longest is None else [longest])], default=None)
        if self._signals.wait(None if timeout is None else max(0.0, timeout)) & STOP:
            raise Stop(0)


class _Hints:
    """Says what a wait is for when it gets long: after 10 s, 20 s, 40 s, ..."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = time.monotonic()
        self._next = FIRST_HINT_SECONDS

    def still(self, missing: str | None) -> None:
        waited = time.monotonic() - self._began
        if missing and waited >= self._next:
            self._next *= 2
            self._say(f"not ready after {waited:.0f} s: {missing}")
