"""What large inputs and results cost, and everyone else while they come and go. `python -m bench.payloads` (2 minutes).

A model that gives back 10 MB of base64, as an image comes: one such task alone, phase by phase; then small submits and
polls on a connection of their own, while large submits or downloads go on beside them, in turn with none.
"""

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import copies, machine, tables
from bench.burden import Burden, burdened, id_in, large_submit
from bench.line import Line
from bench.pace import drift, pace
from bench.site import NOOP, Site, site
from bench.steps import INPUT, MODEL, claim, succeed
from bench.straight import version
from bench.tables import Cell, Table, p99
from bench.wire import get, post
from tests.redis_server import KINDS

MODELS = f"{NOOP},bench/models/large"
LIMITS = {"PENSTOCK_MAX_BODY_BYTES": "67108864", "PENSTOCK_MAX_RESULT_BYTES": "67108864"}
SIZE, QUICK_SIZE = 10_000_000, 1_000_000
TIMES, QUICK_TIMES = 5, 1
ROUNDS, QUICK_ROUNDS = 4, 1
SECONDS, QUICK_SECONDS = 4.0, 0.5
CONNECTIONS = (1, 4)
PAUSE_SECONDS = 0.002  # between two small requests
KINDS_OF_SMALL = {"submit": 202, "poll": 200}
COLUMNS = ("meanwhile", "small", "n", "p50 ms", "p50 to nothing", "p99 ms", "p99 to nothing", "most ms", "refused")
LARGE_COLUMNS = ("large", "n", "a second", "p50 ms", "most ms", "answers")


@dataclass(slots=True)
class Felt:
    """What small requests felt under one burden, and how the large ones fared."""

    small: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds
    refused: Counter[str] = field(default_factory=Counter)
    large: list[float] = field(default_factory=list)  # seconds
    statuses: Counter[int] = field(default_factory=Counter)
    lasted: float = 0.0


def burdens(size: int, task: str) -> list[Burden]:
    """Return what goes on meanwhile: nothing, then more and more."""
    kinds = [Burden(count, kind, size, task) for kind in ("submit", "download") for count in CONNECTIONS]
    return [Burden(), *kinds]


def feel(place: Site, burden: Burden, seconds: float, felt: Felt) -> None:
    """Ask small things for so many seconds while the burden is on."""
    with burdened(place.port, burden) as found, closing(Line(place.port)) as line:
        poll = get(f"/task/{id_in(line.timed(SUBMIT, status=202)[1])}")
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            for kind, request in (("submit", SUBMIT), ("poll", poll)):
                time.sleep(PAUSE_SECONDS)
                ask(line, kind, request, felt)
        felt.lasted += time.perf_counter() - began
    felt.large += found.seconds
    felt.statuses += found.statuses


SUBMIT = post(f"/task/{MODEL}", INPUT)


def ask(line: Line, kind: str, request: bytes, felt: Felt) -> None:
    """Ask one small thing; being refused is a wait as well."""
    began = time.perf_counter()
    answer = line.ask(request)
    felt.small[kind].append(time.perf_counter() - began)
    felt.refused[kind] += answer.status != KINDS_OF_SMALL[kind]


def finished_large(place: Site, size: int) -> str:
    """Submit a large task and finish it as a worker would; return its id."""
    with closing(Line(place.port)) as line:
        id = id_in(line.timed(large_submit(size), status=202)[1])
    held = place.ledger.run(claim(id))
    assert place.ledger.run(succeed(held, held.input))
    return id


def everyone_else(kind: str, size: int, rounds: int, seconds: float) -> list[Table]:
    """Measure under each burden in turn, every other round backwards; nobody works, so a large task only comes."""
    with site(kind, models=MODELS, settings=LIMITS) as place:
        every = burdens(size, finished_large(place, size))
        felt = {burden: Felt() for burden in every}
        for number in range(rounds):
            for burden in every[:: -1 if number % 2 else 1]:
                feel(place, burden, seconds, felt[burden])
        title = f"small requests while payloads of {size / 1e6:g} MB come and go; {version(place.server.client)}"
    return [small_table(title, felt), large_table(felt)]


def small_table(title: str, felt: dict[Burden, Felt]) -> Table:
    """Return what small requests felt."""
    table = Table(title, COLUMNS)
    free = next(iter(felt.values()))
    for kind in KINDS_OF_SMALL:
        for burden, each in felt.items():
            table.add(str(burden), kind, *row(each.small[kind], free.small[kind]), each.refused[kind])
    return table


def row(seconds: list[float], free: list[float]) -> list[Cell]:
    """Return what a row says of small requests, beside those that nothing was in the way of."""
    middle, late = median(seconds), p99(seconds)
    return [len(seconds), middle * 1e3, middle / median(free), late * 1e3, late / p99(free), max(seconds) * 1e3]


def large_table(felt: dict[Burden, Felt]) -> Table:
    """Return how the large requests fared."""
    table = Table("the large ones meanwhile", LARGE_COLUMNS)
    for burden, each in felt.items():
        if each.large:
            answers = ", ".join(f"{status}: {count}" for status, count in sorted(each.statuses.items()))
            rate = len(each.large) / each.lasted
            table.add(str(burden), len(each.large), rate, median(each.large) * 1e3, max(each.large) * 1e3, answers)
    return table


def alone(kind: str, size: int, times: int) -> Table:
    """Measure one large task after the other on a system that does nothing else."""
    with site(kind, models=MODELS, settings=LIMITS, worker=True) as place:
        return copies.table(place, size, times)


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="bench.payloads", description="Measure large inputs and results.")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, not what it costs")
    parser.add_argument("--server", choices=KINDS, default=KINDS[0])
    parser.add_argument("--size", type=int, default=SIZE, metavar="BYTES", help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    load_before, paces = os.getloadavg()[0], [pace()]
    if options.quick:
        found = [alone(options.server, QUICK_SIZE, QUICK_TIMES)]
        found += everyone_else(options.server, QUICK_SIZE, QUICK_ROUNDS, QUICK_SECONDS)
    else:
        found = [
            alone(options.server, options.size, TIMES),
            *everyone_else(options.server, options.size, ROUNDS, SECONDS),
        ]
    paces.append(pace())
    heads = machine.heads(load_before, ["append-only, fsync every second, unix socket"])
    return tables.put(found, [*heads, drift(paces)], options.json)


if __name__ == "__main__":
    sys.exit(main())
