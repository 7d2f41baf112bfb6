"""`multiprocessing.Pool` on the same functions: what two processes do with no HTTP, no Redis and no promises.

It takes commands as the client does: a line of JSON in, a line out.
"""

import json
import sys
import time
from multiprocessing import Pool
from typing import Any

from bench.contenders.contender import WORKERS
from bench.work import WORKS

WORK_OF = {"drain": "noop", "burn": "burn", "digits": "digits"}


def main() -> None:
    """Serve commands `[measure, {"count": n}]` until standard input ends."""
    with Pool(WORKERS) as pool:
        for line in sys.stdin:
            measure, arguments = json.loads(line)
            print(json.dumps({"seconds": _seconds(pool, WORK_OF[measure], arguments["count"])}), flush=True)


def _seconds(pool: Any, name: str, count: int) -> float:
    """Return how long it takes to run a work so many times, a task at a time; every result is checked."""
    work = WORKS[name]
    expected = [work.run(each) for each in work.inputs]
    turns = [turn % len(work.inputs) for turn in range(count)]
    began = time.perf_counter()
    found = list(pool.imap(work.run, [work.inputs[turn] for turn in turns]))
    seconds = time.perf_counter() - began
    assert found == [expected[turn] for turn in turns], name
    return seconds


if __name__ == "__main__":
    main()
