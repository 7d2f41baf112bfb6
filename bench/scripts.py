"""What the ledger's scripts cost its server: microseconds of CPU for each step. `python -m bench.scripts` (1 minute).

Beside a MULTI of SET, ZADD and LPUSH, the least that a submit can be, and a GET, the least that a poll can be; on both
servers, in turn. Steps are sent many in one write, as a busy server gets them, and one by one, as an idle one does:
what lies between is system calls. A ratio is taken within each round; its median over the rounds is shown.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from bench import machine, tables
from bench.contenders.ceilings.store import MESSAGE
from bench.pace import drift, pace
from bench.steps import MODEL, announce, claim, proceed, read, submit, succeed
from bench.straight import load, microseconds, run_all, version
from bench.tables import Table
from shared.ledger.call import Call
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.ledger.outlooks import Outlooks
from shared.ledger.records import Claim
from tests.redis_server import KINDS, RedisServer

T = TypeVar("T")
WARM_UP = 64  # fills the lists of latest claims and run times, which a reader of a queued task is given
RUNNING = 2  # as many as a small worker has
COUNT, ROUNDS = 1000, 7
QUICK_COUNT, QUICK_ROUNDS = 50, 2
MODES = {"many in one write": 50, "one by one": 1}
DOCUMENT = b'{"task_id":"00000000-0000-0000-0000-000000000000","status":"done","result":{"value":1007}}'
MULTI, GET = "*MULTI of SET, ZADD, LPUSH*", "*GET*"
FLOORS = {
    MULTI: MULTI,
    "submit": MULTI,
    "claim": MULTI,
    "succeed": MULTI,
    GET: GET,
    "proceed": MULTI,
    "read of a queued one": GET,
    "read of a queued one, with its model's outlook": GET,
    "read of a running one": GET,
    "read of a finished one": GET,
}
COLUMNS = ("", "server", "CPU us", "to the floor", "min to max", "CPU us one by one", "to the floor one by one")
Costs = dict[str, float]
Round = dict[tuple[str, str], Costs]  # by server and mode


class Bench:
    """One server, and what its steps have cost in this round."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._client = ledger.client
        self._at_once = 1
        self._costs: Costs = {}

    def costs(self, count: int, at_once: int) -> Costs:
        """Measure every step on a ledger that has just been at work; return microseconds of each."""
        self._at_once, self._costs = at_once, {}
        self._start()
        self._floor(count)
        self._life(count)
        return self._costs

    def _start(self) -> None:
        self._client.flushall()
        self._ledger.run(announce(RUNNING))
        ids = new_ids(WARM_UP + RUNNING)
        self._all([submit(id) for id in ids])
        held = self._all([claim(id) for id in ids])
        self._all([succeed(each) for each in held[RUNNING:]])
        self._all([read(ids[0])])

    def _life(self, count: int) -> None:
        """Take tasks from submit to result, and read them at every stage."""
        ids = new_ids(count)
        outlooks = self._heard()
        reads = [read(id, outlooks) for id in ids]
        self._cost("submit", [submit(id, outlooks) for id in ids])
        self._cost("read of a queued one", reads)
        self._cost("read of a queued one, with its model's outlook", [read(id) for id in ids])
        held = self._cost("claim", [claim(id) for id in ids])
        self._cost("read of a running one", reads)
        published = self._cost("succeed", [succeed(each) for each in held])
        assert all(published)
        self._cost("read of a finished one", reads)
        self._proceed(count)

    def _heard(self) -> Outlooks:
        """Return what an API has heard a moment ago, and does not ask for again."""
        outlooks, (id,) = Outlooks(lambda: 0.0), new_ids(1)
        self._all([submit(id, outlooks)])
        self._all([claim(id)])
        return outlooks

    def _proceed(self, count: int) -> None:
        """Go from task to task as a busy child does: each is finished in the step that claims the next."""
        ids = new_ids(count + 1)
        self._all([submit(id) for id in ids])
        held = [Claim(id, 1, MODEL, b"") for id in ids]  # by the order of the queue it is known what is claimed when
        assert self._all([claim(ids[0])])
        load(self._client, [proceed(held[0])])
        assert [each.id for each in self._cost("proceed", [proceed(each) for each in held[:count]])] == ids[1:]

    def _floor(self, count: int) -> None:
        names = new_ids(count)
        self._costs[MULTI], _ = microseconds(self._client, count, lambda: self._write(names))
        self._costs[GET], _ = microseconds(self._client, count, lambda: self._get(names))

    def _cost(self, name: str, steps: Sequence[Call[T]]) -> list[T]:
        self._costs[name], said = microseconds(self._client, len(steps), lambda: self._run(steps))
        return said

    def _all(self, steps: Sequence[Call[T]]) -> list[T]:
        load(self._client, steps)
        return self._run(steps)

    def _run(self, steps: Sequence[Call[T]]) -> list[T]:
        return run_all(self._client, steps, self._at_once)

    def _write(self, names: Sequence[str]) -> None:
        for start in range(0, len(names), self._at_once):
            with self._client.pipeline(transaction=False) as pipe:
                for name in names[start : start + self._at_once]:
                    pipe.execute_command("MULTI")  # type: ignore[no-untyped-call]
                    pipe.set(f"task:{name}", DOCUMENT)
                    pipe.zadd("tasks", {name: 0})
                    pipe.lpush("queue", MESSAGE)
                    pipe.execute_command("EXEC")  # type: ignore[no-untyped-call]
                pipe.execute()

    def _get(self, names: Sequence[str]) -> None:
        for start in range(0, len(names), self._at_once):
            with self._client.pipeline(transaction=False) as pipe:
                for name in names[start : start + self._at_once]:
                    pipe.get(f"task:{name}")
                pipe.execute()


def new_ids(count: int) -> list[str]:
    """Return ids of tasks."""
    return [str(uuid4()) for _ in range(count)]


def rounds(count: int, times: int) -> tuple[dict[str, str], list[Round]]:
    """Measure both servers in turn, every other round backwards; return their versions and the figures."""
    with ExitStack() as stack:
        benches, versions = {}, {}
        for kind in KINDS:
            server = RedisServer(kind)
            stack.callback(server.close)
            ledger = connect(server.url, name="bench")
            stack.callback(ledger.close)
            benches[kind], versions[kind] = Bench(ledger), version(server.client)
        turns = [(kind, mode) for kind in KINDS for mode in MODES]
        orders = [turns[:: -1 if number % 2 else 1] for number in range(times)]
        found = [{(kind, mode): benches[kind].costs(count, MODES[mode]) for kind, mode in order} for order in orders]
        return versions, found


def table(versions: dict[str, str], found: Sequence[Round]) -> Table:
    """Return the table: every step, on every server."""
    made = Table("CPU of the server for each step", COLUMNS)
    for step in FLOORS:
        for kind, name in versions.items():
            (busy, least, most, ratio), (idle, _, _, idle_ratio) = (figures(found, kind, mode, step) for mode in MODES)
            made.add(step, name, busy, ratio, f"{least:.1f} to {most:.1f}", idle, idle_ratio)
    return made


def figures(found: Sequence[Round], kind: str, mode: str, step: str) -> tuple[float, float, float, float]:
    """Return a step's median, its least and most, and the median of its ratios to its floor in the same round."""
    costs = [each[kind, mode] for each in found]
    own = [each[step] for each in costs]
    return statistics.median(own), min(own), max(own), statistics.median(c[step] / c[FLOORS[step]] for c in costs)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="bench.scripts", description="Measure what the ledger's scripts cost.")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, not what it costs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    count, times = (QUICK_COUNT, QUICK_ROUNDS) if options.quick else (COUNT, ROUNDS)
    load_before, paces = os.getloadavg()[0], [pace()]
    versions, found = rounds(count, times)
    paces.append(pace())
    method = f"{times} rounds of {count:,} tasks, interleaved; append-only, fsync every second, unix socket"
    heads = [*machine.heads(load_before, (*versions.values(), method)), drift(paces)]
    return tables.put([table(versions, found)], heads, options.json)


if __name__ == "__main__":
    sys.exit(main())
