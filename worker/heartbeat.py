"""The heartbeat: a file that a worker touches while it is well, for a health check that asks no broker.

`python -m worker.heartbeat` is that check: exit code 0 if the worker of this machine (this container) is well, else 1.
It imports nothing of the worker's, since it runs every few seconds.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "PENSTOCK_HEARTBEAT_FILE"
STALE_SECONDS = 30.0  # the keeper beats every second; with Redis frozen it may take several to come round


def beat(file: Path | None) -> None:
    """Touch the file, if there is one to touch. That it cannot be touched shows by itself: it grows old."""
    if file is not None:
        with suppress(OSError):
            file.touch()


def not_writable(file: Path | None) -> str | None:
    """Return why `file` cannot be touched; None if it can.

    It is gone then: what an earlier worker has left says nothing of this one.
    """
    if file is None:
        return None
    try:
        file.touch()
        file.unlink()
    except OSError as error:
        return f"{file}: {error.strerror}"
    return None


def complaint(file: str, now: float) -> str | None:
    """Return what is wrong with the worker that touches `file`; None: nothing."""
    if not file:
        return f"{VARIABLE} is empty: the worker touches no file"
    try:
        age = now - Path(file).stat().st_mtime
    except OSError as error:
        return f"{file}: {error.strerror}"
    return f"{file} was touched {age:.0f} s ago" if age > STALE_SECONDS else None


def main() -> int:
    """Check, and return the exit code."""
    wrong = complaint(os.environ.get(VARIABLE, ""), time.time())
    if wrong:
        print(f"penstock worker: {wrong}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
