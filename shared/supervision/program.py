"""One program that a supervisor runs: what to start, and the handle on the process that came of it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Program:
    """A command to keep running."""

    name: str  # what messages call it
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stop_seconds: float  # how long it may take to stop when asked to
    kept_files: tuple[int, ...] = ()  # descriptors it inherits besides the standard ones
    see: str = ""  # where its own messages are, when not on the terminal


class Process:
    """A started program, in a session of its own: a terminal's Ctrl-C reaches the supervisor only."""

    def __init__(self, program: Program) -> None:
        """Start it.

        Raises:
            OSError: the command does not exist, may not be run, or the machine has no room for a process.
        """
        self.program = program
        self.started = time.monotonic()
        self._popen = subprocess.Popen(  # noqa: S603  (a command of ours, or of a test)
            program.command,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            pass_fds=program.kept_files,
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509  (this process has one thread)
        )

    @property
    def pid(self) -> int:
        """Its process id, which is the id of its process group too."""
        return self._popen.pid

    def code(self) -> int | None:
        """Return how it ended, None while it runs. Once it ended, what it left in its process group is killed."""
        code = self._popen.poll()
        if code is not None:
            self._kill_group()
        return code

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process itself; what it started is its own business until it is gone."""
        self._popen.terminate()

    def kill(self) -> None:
        """Kill it and its process group at once."""
        self._kill_group()
        self._popen.kill()  # the group does not exist yet in the first instant of a process
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=5)  # longer only in uninterruptible sleep: nothing more can be done

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self.pid, signal.SIGKILL)


def _end_with_parent() -> Callable[[], None] | None:
    """Return what a new process runs first so that a SIGKILL of this one ends it too; None where there is no way."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: nothing but the call itself happens after it
    parent = os.getpid()

    def _ask_the_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return _ask_the_kernel
