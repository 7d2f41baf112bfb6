"""What a deep queue costs, and whether anything grows that should not. `python -m bench.growth` (10 minutes).

The ledger's server as the embedded one is set up, an API over HTTP, and beside both a second pair with a short queue
that is asked the same in turn: a ratio to it holds on a machine that drifts. `--tasks N` instead takes so many tasks
from start to end through a real worker, and looks whether memory and keys stay flat; `--million` is 1,000,000 of them.
"""

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from bench import machine, marathon, tables, trimming, weight
from bench.depth import COSTS, LATENCIES, SHORT, Lane, costs, latencies
from bench.pace import drift, pace
from bench.site import Site, site, until_quiet
from bench.steps import announce
from bench.straight import version
from bench.tables import Table
from tests.redis_server import KINDS

DEPTHS, QUICK_DEPTHS = (SHORT, 1000, 100_000, 1_000_000), (SHORT, 1000)
TIMES, QUICK_TIMES = 500, 20
WEIGHED, QUICK_WEIGHED = 100_000, 2000
ROUNDS = 3
SLOTS = 2
QUICK_TASKS, MILLION = 1000, 1_000_000


def lane(stack: ExitStack, kind: str) -> Lane:
    """Start a server and an API, and have a worker announced that takes nothing; something has run before."""
    place: Site = stack.enter_context(site(kind))
    place.ledger.run(announce(SLOTS))
    made = Lane(place)
    made.fill(SHORT)
    made.life_of_many(SHORT)
    return made


def deep(kind: str, depths: tuple[int, ...], times: int) -> list[Table]:
    """Fill a queue deeper and deeper, and look what each step takes beside a short one."""
    takes, needs = Table("what a client waits for", LATENCIES), Table("what a step costs the server", COSTS)
    with ExitStack() as stack:
        ours, short = lane(stack, kind), lane(stack, kind)
        for depth in depths:
            print(f"{depth:,} queued", file=sys.stderr, flush=True)
            ours.fill(depth)
            until_quiet(ours.site.server)
            takes.rows += latencies(ours, short, times)
            needs.rows += costs(ours, short, times, ROUNDS)
        takes.title += f"; {version(ours.site.server.client)}, the short queue has {SHORT}, {times} of each"
    return [takes, needs]


def full(kind: str, depths: tuple[int, ...]) -> list[Table]:
    """Measure all but a run from start to end."""
    return [*deep(kind, depths, TIMES), *weight.tables(WEIGHED), trimming.table(kind, 8, 6)]


def quick(kind: str) -> list[Table]:
    """Do a little of everything."""
    run = marathon.tables(QUICK_TASKS, kind, retention=3.0, backlog=1000)
    return [*deep(kind, QUICK_DEPTHS, QUICK_TIMES), *weight.tables(QUICK_WEIGHED), trimming.table(kind, 1, 1), *run]


def main() -> int:
    """Measure, and print the tables."""
    options = _parse()
    load_before, paces = os.getloadavg()[0], [pace()]
    if options.tasks:
        found = marathon.tables(options.tasks, options.server, options.retention, options.backlog)
    else:
        found = quick(options.server) if options.quick else full(options.server, options.depths)
    paces.append(pace())
    heads = [*machine.heads(load_before, ["append-only, fsync every second, unix socket"]), drift(paces)]
    return tables.put(found, heads, options.json)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.growth", description="Measure what a deep queue costs.")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, not what it costs")
    parser.add_argument("--server", choices=KINDS, default=KINDS[0])
    parser.add_argument("--depths", type=_numbers, default=DEPTHS, metavar="N,...", help="(default: up to 1,000,000)")
    parser.add_argument("--tasks", type=int, metavar="N", help="instead take so many tasks from start to end")
    parser.add_argument("--million", dest="tasks", action="store_const", const=MILLION, help="--tasks 1000000")
    parser.add_argument("--retention", type=float, default=60.0, metavar="SECONDS", help="of those (default: 60)")
    parser.add_argument("--backlog", type=int, default=5000, metavar="N", help="how many of those wait at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
