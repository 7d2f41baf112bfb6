"""Penstock beside its ceilings and what people use instead: `make bench`, or `python -m bench [--quick]`.

Each round runs every contender once, in turn. One that answers wrongly is shown as failed, not with its figures.
"""

import argparse
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench import machine, report
from bench.comparison import Row, rows
from bench.contenders.contender import Contender, Measure
from bench.contenders.registry import ALL, chosen
from bench.driver import RowError
from bench.environments import python_of
from bench.figures import Figure
from bench.measures import FULL, QUICK, Sizes, measured
from bench.pace import drift, pace
from bench.running import running


@dataclass(slots=True)
class Results:
    """What has been measured so far."""

    sizes: Sizes
    rounds: dict[tuple[str, Measure], dict[int, Figure]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    paces: list[float] = field(default_factory=list)

    def measure(self, contender: Contender, number: int) -> None:
        """Add one round of one contender, unless it has failed before."""
        if contender.name in self.failures:
            return
        print(f"round {number + 1} of {self.sizes.rounds}: {contender.name}", file=sys.stderr, flush=True)
        self.paces.append(pace())
        try:
            with running(contender) as up:
                for figure in measured(up, self.sizes):
                    self.rounds.setdefault((contender.name, figure.measure), {})[number] = figure
        except RowError as error:
            self.failures[contender.name] = str(error)

    def finished(self) -> list[Row]:
        """Return the rows of those that did not fail."""
        return [row for row in rows(self.rounds) if row.contender not in self.failures]


def main() -> int:
    """Measure, print the table; return 1 if a contender failed."""
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything started is ended
    load = os.getloadavg()[0]
    contenders = {each.name: each for each in options.only}
    for each in contenders.values():
        python_of(each.packages)  # installed before anything is measured
    results = Results((QUICK if options.quick else FULL).scaled(options.scale))
    with suppress(KeyboardInterrupt):  # what has been measured by then is reported
        for number in range(results.sizes.rounds):
            for each in turn(list(contenders.values()), number):
                results.measure(each, number)
    heads = [*machine.about(contenders.values(), results.sizes, load), drift(results.paces)]
    parts = heads, results.finished(), contenders, results.failures
    print(report.markdown(*parts))
    if options.json:
        options.json.write_text(report.as_json(*parts) + "\n")
    return 1 if results.failures else 0


def turn(contenders: list[Contender], number: int) -> list[Contender]:
    """Return the order of a round: every other one backwards, so that nobody always comes after the same one."""
    return contenders[:: -1 if number % 2 else 1]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Penstock, its ceilings and its peers.")
    parser.add_argument("--quick", action="store_true", help="one small round: shows that it runs, not how fast")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every count (default: %(default)s)")
    parser.add_argument("--only", type=_contenders, default="", metavar="NAME,...", help=f"of {', '.join(ALL)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _contenders(names: str) -> list[Contender]:
    try:
        return chosen(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
