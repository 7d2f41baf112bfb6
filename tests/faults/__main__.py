"""Run the fault suite: `python -m tests.faults --seed 1 --faults 1000 --tasks 5000`."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.invariants import violations
from tests.faults.report import by_size, slowest, story, table
from tests.faults.run import Options, run
from tests.redis_server import KINDS


def main() -> int:
    given = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # stops, on its way out, what was started
    if given.server:
        os.environ["LEDGER_SERVER"] = given.server
    options = Options(given.seed, given.faults, given.tasks, given.pace, given.seconds)
    directory = Path(tempfile.mkdtemp(prefix="penstock-faults-"))
    _say(f"seed {options.seed}, {options.faults} faults, {options.tasks} tasks")
    result = run(options, directory, _say)
    found = violations(result.history)
    _say(slowest(result))
    print(table(result, found))
    if found:
        _say(story(result, found))
        return 1
    if not by_size(result.history):
        _say("no batch was formed: this run tests nothing of them")
        return 1
    shutil.rmtree(directory)
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Load Penstock and break it, all at once."
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="decides which faults come when")
    parser.add_argument("--faults", type=int, default=1000, help="how many to strike at least")
    parser.add_argument("--tasks", type=int, default=5000, help="how many to have accepted at least")
    parser.add_argument("--pace", type=float, default=1.0, help="faults a second")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after so long, whatever the counts are")
    parser.add_argument("--server", choices=KINDS, help="which server (LEDGER_SERVER)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
