"""Does the suite notice when a guard is gone? `python -m tests.mutations [GUARD ...]` removes each in turn.

Every guard is removed in a copy of the tree, by a change of a line or two; then the tests named with it must fail, and
the fault suite is run against it as well. Prints which test caught it. Takes about two minutes a guard; `--no-faults`
runs the tests alone. Exit code 1 if a guard is missed by both.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.guards import GUARDS, Guard

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ("-m", "tests.faults", "--faults", "100", "--tasks", "300", "--pace", "2", "--seed", "11")
SECONDS = 600


def mutate(guard: Guard, tree: Path) -> None:
    """Remove `guard` from the copy in `tree`."""
    file = tree / guard.file
    file.write_text(mutated(guard, file.read_text()))


def mutated(guard: Guard, text: str) -> str:
    """Return the text of the guard's file without it."""
    for old, new in guard.changes:
        assert old in text, f"{guard.name}: {guard.file} has no {old!r} any more"
        text = text.replace(old, new)
    return text


def copy(tree: Path) -> None:
    """Copy what is under version control."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)


def run(arguments: Iterable[str], tree: Path) -> tuple[int, str]:
    """Run Python in the copy; return its exit code and what it said."""
    try:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, "it did not end"
    return done.returncode, done.stdout + done.stderr


def caught_by_tests(guard: Guard, tree: Path) -> str:
    """Return the first test that fails, or an empty string."""
    code, said = run(("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *guard.tests), tree)
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return "" if code == 0 else found.group(1) if found else "it did not end"


def caught_by_faults(tree: Path) -> str:
    """Return what the fault suite says was violated, or an empty string."""
    code, said = run(FAULTS, tree)
    if code == 0:
        return ""
    kinds = re.findall(r"^\| \*\*(\w+)\*\* \| \*\*([1-9]\d*)\*\* \|", said, re.MULTILINE)
    return ", ".join(f"{count} {kind}" for kind, count in kinds) or said.strip().splitlines()[-1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--no-faults", action="store_true", help="run the tests alone")
    parser.add_argument("names", nargs="*", help="guards, by a part of their names")
    options = parser.parse_args()
    missed = 0
    print("| guard removed | where | caught by the test | caught by the fault suite |\n|---|---|---|---|")
    for guard in GUARDS:
        if options.names and not any(name in guard.name for name in options.names):
            continue
        with tempfile.TemporaryDirectory(prefix="penstock-mutant-") as directory:
            tree = Path(directory)
            copy(tree)
            mutate(guard, tree)
            test = caught_by_tests(guard, tree)
            faults = "" if options.no_faults else caught_by_faults(tree)
        missed += not (test or faults)
        print(f"| {guard.name} | `{guard.file}` | {test or '—'} | {faults or '—'} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
