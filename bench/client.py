"""The client as a process of its own, so that its CPU time is seen apart: a command a line in, a reply a line out.

`python -m bench.client`, on standard input and output. The first line is where to send what; see `Client` for the rest.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.dialect import Dialect
from bench.loop import Steps, run
from bench.traffic import Traffic

Reply = dict[str, Any]


class Client:
    """Runs commands against one contender. Seconds are of the monotonic clock, which all processes here share."""

    def __init__(self, port: int, dialect: Dialect, connections: int) -> None:
        self._port = port
        self._dialect = dialect
        self._connections = connections
        self._traffic = Traffic(dialect, "", [], [])

    def aim(self, work: str, inputs: list[Any], expected: list[Any]) -> Reply:
        """Choose the work of the commands that follow, and forget the tasks there were."""
        self._traffic = Traffic(self._dialect, work, [json.dumps(each).encode() for each in inputs], expected)
        return {}

    def submit(self, count: int) -> Reply:
        """Submit `count` tasks; their ids are kept for `drain`, `check` and `poll`."""
        self._traffic.tasks.clear()
        turns = self._traffic.turns(count)
        return self._timed(lambda: self._traffic.submits(turns))

    def poll(self, count: int) -> Reply:
        """Look `count` times at the first task, which has finished."""
        turns = iter(range(count))
        return self._timed(lambda: self._traffic.polls(turns))

    def drain(self) -> Reply:
        """Wait until the tasks are done: by samples, so that looking costs next to nothing."""
        ends: list[float] = []
        run(self._port, [self._traffic.drained(ends)])
        return {"ended": ends[-1]}

    def check(self, every: int = 1) -> Reply:
        """Check the result of one task in so many; `ended` is when the last was seen done that was not at first."""
        ends: list[float] = []
        tasks = iter(self._traffic.tasks[::-every])
        self._timed(lambda: self._traffic.checks(tasks, ends))
        return {"ended": max(ends, default=None)}

    def finish(self, count: int, every: float, connections: int = 0) -> Reply:
        """Take `count` tasks from submit to result, looking `every` so many seconds."""
        turns, seconds = self._traffic.turns(count), list[float]()
        reply = self._timed(lambda: self._traffic.finishes(turns, every, seconds), connections)
        return {**reply, "each": seconds}

    def answer(self, count: int, connections: int = 0, *, wait: bool = False) -> Reply:
        """Take `count` submits, each answered with the result."""
        turns, seconds = self._traffic.turns(count, wait=wait), list[float]()
        reply = self._timed(lambda: self._traffic.answers(turns, seconds), connections)
        return {**reply, "each": seconds}

    def _timed(self, member: Callable[[], Steps], connections: int = 0) -> Reply:
        began = time.monotonic()
        run(self._port, [member() for _ in range(connections or self._connections)])
        return {"seconds": time.monotonic() - began}


COMMANDS = ("aim", "submit", "poll", "drain", "check", "finish", "answer")


def main() -> None:
    """Serve commands until standard input ends. A failed one is replied to with `error`, and is the last."""
    first = json.loads(sys.stdin.readline())
    client = Client(first["port"], Dialect(**first["dialect"]), first["connections"])
    for line in sys.stdin:
        name, arguments = json.loads(line)
        assert name in COMMANDS, name
        try:
            reply = getattr(client, name)(**arguments)
        except Exception as error:  # noqa: BLE001 (whatever it is, the row is aborted with it)
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
            return
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
