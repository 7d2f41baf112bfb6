"""Crash points: `python -m tests.faults.armed worker|api ...` is that program, killing itself where it is told to.

A file `<script>.<before|after>.<role>` in the directory named by CRASH_POINTS arms one step of the ledger. The process
that removes the file is the one that dies, by SIGKILL, immediately before or after that step: exactly one, whatever
reaches the step at the same time. It leaves a line in `struck` there. And every child that hears of claims it has won
leaves a line in `hands`: who was claimed together shows nowhere else. Production code knows nothing of this.
"""

import functools
import importlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shared.ledger.call import Call
from shared.ledger.connection import AsyncLedger, Ledger
from shared.ledger.records import Finished, Won

DIRECTORY = "CRASH_POINTS"
STRUCK = "struck"  # the file that says who died where
HANDS = "hands"  # the file that says who won what
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Trap:
    """The crash points as one program sees them."""

    def __init__(self, directory: Path, program: str) -> None:
        self.directory = directory
        self.program = program
        self.parent = os.getpid()

    @property
    def role(self) -> str:
        if self.program == "api":
            return "api"
        return "parent" if os.getpid() == self.parent else "child"

    def spring(self, call: Call[Any], moment: str, reply: object = None) -> None:
        """Die here if this point is armed and nobody else was faster."""
        point = f"{call.script}.{moment}.{self.role}"
        try:
            (self.directory / point).unlink()
        except FileNotFoundError:
            return
        self._leave_word(point, subjects(call, reply))
        os.kill(os.getpid(), signal.SIGKILL)

    def _leave_word(self, point: str, subjects: list[str]) -> None:
        self._write(STRUCK, {"point": point, "subjects": subjects})

    def note_won(self, reply: object) -> None:
        """Note the claims in an answer of the ledger, if there are any."""
        won = reply.won if isinstance(reply, Finished) else reply
        if isinstance(won, Won) and won.claims:
            self._write(HANDS, {"claims": [(claim.id, claim.token) for claim in won.claims]})

    def _write(self, name: str, word: dict[str, Any]) -> None:
        line = json.dumps({**word, "pid": os.getpid(), "at": time.monotonic()}).encode() + b"\n"
        log = os.open(self.directory / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, line)
        finally:
            os.close(log)


def subjects(call: Call[Any], reply: object) -> list[str]:
    """Return the ids that a step is about, by what it was asked and what it answered; other UUIDs may be among them."""
    return sorted({match[0] for match in UUID.finditer(f"{call.arguments} {reply}")})


def around(trap: Trap, run: Callable[[Ledger, Call[Any]], Any]) -> Callable[[Ledger, Call[Any]], Any]:
    """Return the worker's Ledger.run with a crash point on either side."""

    @functools.wraps(run)
    def armed(ledger: Ledger, call: Call[Any]) -> Any:
        trap.spring(call, "before")
        reply = run(ledger, call)
        trap.note_won(reply)
        trap.spring(call, "after", reply)
        return reply

    return armed


def around_async(
    trap: Trap, run: Callable[[AsyncLedger, Call[Any]], Awaitable[Any]]
) -> Callable[[AsyncLedger, Call[Any]], Awaitable[Any]]:
    """Return the API's AsyncLedger.run with a crash point on either side."""

    @functools.wraps(run)
    async def armed(ledger: AsyncLedger, call: Call[Any]) -> Any:
        trap.spring(call, "before")
        reply = await run(ledger, call)
        trap.spring(call, "after", reply)
        return reply

    return armed


def main(program: str, arguments: list[str]) -> int:
    trap = Trap(Path(os.environ[DIRECTORY]), program)
    Ledger.run = around(trap, Ledger.run)  # type: ignore[method-assign]
    AsyncLedger.run = around_async(trap, AsyncLedger.run)  # type: ignore[method-assign]
    code: int = importlib.import_module(f"{program}.__main__").main(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
