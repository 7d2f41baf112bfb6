"""The other end of a pipe to a process that takes commands: a line of JSON each way."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND_SECONDS = 600.0


class RowError(Exception):
    """A contender answered wrongly, or not at all: its figures count for nothing."""


class Driver:
    """A process that takes commands, and is ended with this."""

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def tell(self, message: object) -> None:
        """Send a line that is not replied to."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Have the process do something; return its reply.

        Raises:
            RowError: it failed, or took too long.
        """
        self.tell([command, arguments])
        output = self._process.stdout
        assert output is not None
        if not select.select([output], [], [], COMMAND_SECONDS)[0]:
            raise RowError(f"{command}: nothing after {COMMAND_SECONDS:g} s")
        line = output.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        if "error" in reply:
            raise RowError(f"{command}: {reply['error']}")
        return reply

    def close(self) -> None:
        """End the process, and those that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
