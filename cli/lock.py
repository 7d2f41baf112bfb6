"""The lock of a data directory: one embedded server at a time writes there."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class DataDirInUse(Exception):  # noqa: N818  (an answer, not a fault)
    """Another `penstock up` runs on this data directory; the message names it."""


class DataDirLock:
    """An flock on `<data dir>/lock`, with the process id of its holder inside; released by closing.

    The embedded server inherits the descriptor, and with it the lock: after a SIGKILL of `penstock up` the next one
    cannot start a second server on files that the first is still writing.
    """

    def __init__(self, data_dir: Path) -> None:
        """Open the lock file without taking the lock.

        Raises:
            OSError: the file cannot be opened.
        """
        self._path = data_dir / "lock"
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def take(self) -> str | None:
        """Take the lock and return None, or say what it still waits for: a server that outlived its `penstock up`.

        Raises:
            DataDirInUse: whoever wrote its process id into the file is alive.
        """
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = parse_pid(os.pread(self.descriptor, 32, 0))
            if holder is None or is_alive(holder):
                raise DataDirInUse(
                    f"another penstock up (pid {holder or 'unknown'}) uses {self._path.parent}"
                ) from None
            return f"the embedded server of an earlier run still uses {self._path.parent}"
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, b"%d\n" % os.getpid(), 0)
        return None


def parse_pid(text: bytes) -> int | None:
    """Return the process id in a lock file, None if there is none."""
    return int(text) if text.strip().isdigit() else None


def is_alive(pid: int) -> bool:
    """Tell whether a process with this id exists."""
    with contextlib.suppress(PermissionError):  # it exists and is somebody else's
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
