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
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LUA = "shared/ledger/lua"
RULES = f"{LUA}/rules"
TESTS = ("tests/contract", "tests/unit/worker")
FAULTS = ("-m", "tests.faults", "--faults", "100", "--tasks", "300", "--pace", "2", "--seed", "11")
SECONDS = 600


@dataclass(frozen=True, slots=True)
class Guard:
    """What protects a promise, and how it is removed: in `file`, each pattern becomes its replacement."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...] = TESTS


GUARDS = (
    Guard(
        "token check when an attempt ends",
        f"{RULES}/attempts.lua",
        (("  if not holds(task, token) then\n", "  if false then\n"),),
    ),
    Guard(
        "only what a request has won is given back or taken back",
        f"{RULES}/attempts.lua",
        (("if asked[field(id, 'nonce')] then", "if true then"),),
    ),
    Guard(
        "a running task is not claimed",
        f"{RULES}/attempts.lua",
        (
            ("    elseif task.status ~= 'queued' then\n", "    elseif not task.status then\n"),
            ("  move(task, 'claim', 'running', ", "  redis.call('HSET', TASK .. task.id, 'status', 'running', "),
        ),
    ),
    Guard(
        "a claim whose answer was lost is the same claim",
        f"{RULES}/attempts.lua",
        (("again and held_by(", "false and held_by("),),
        ("tests/contract", "tests/integration/test_child.py"),
    ),
    Guard(
        "who was in a batch that died is alone the next time",
        f"{RULES}/attempts.lua",
        (("move(task, 'reap', 'queued', 'alone', 1)", "move(task, 'reap', 'queued')"),),
    ),
    Guard(
        "a batch that died costs its tasks no attempt",
        f"{RULES}/attempts.lua",
        (("if (tonumber(task.batch) or 1) > 1 then", "if false then"),),
    ),
    Guard(
        "a message of another task is left where it is",
        f"{RULES}/queue.lua",
        (("      redis.call('RPUSH', key, text)\n", ""),),
    ),
    Guard("the reaper takes back expired leases", f"{LUA}/reap.lua", (("  reap_leases(model)\n", ""),)),
    Guard(
        "the reaper sends lost messages again",
        f"{LUA}/reap.lua",
        (("  for tier = 0, #SUFFIXES - 1 do resend_missing(model, tier) end\n", ""),),
    ),
    Guard(
        "two sightings before the reaper acts",
        f"{LUA}/reap.lua",
        (("  if first then return now - first >= apart_ms end\n", "  if true then return true end\n"),),
    ),
    Guard(
        "a task that costs too many workers fails",
        f"{RULES}/attempts.lua",
        (("    if lost >= max_attempts then", "    if false then"),),
    ),
    Guard(
        "a deadline is looked at when a task is claimed",
        f"{RULES}/attempts.lua",
        (("    if is_overdue(task, now) then\n", "    if false then\n"),),
    ),
    Guard(
        "the child of a lost claim is killed",
        "worker/keeper.py",
        (("            if gone:\n", "            if False:\n"),),
        ("tests/integration/test_zombies.py",),
    ),
    Guard(
        "leases are renewed",
        "worker/keeper.py",
        (("            self._renew(views)\n", ""),),
        ("tests/integration/test_lost_workers.py",),
    ),
    Guard(
        "only a child that is still at it is killed",
        "worker/takedown.py",
        ((" and is_still_at_it(view) else None", " else None"),),
    ),
    Guard(
        "a child that has computed is left alone",
        "worker/dooms.py",
        (("view.state is State.BUSY and any(", "any("),),
    ),
    Guard(
        "the neighbours of a task whose child is killed are given back",
        "worker/dooms.py",
        (("    if len(view.attempts) > 1 or cause is Cause.STOPPING:\n", "    if cause is Cause.STOPPING:\n"),),
    ),
    Guard(
        "a draining worker claims nothing",
        "worker/keeper.py",
        (("        self.slots.drain()\n", ""),),
    ),
    Guard(
        "a signal to a child waits for its task",
        "worker/composure.py",
        (("signal.signal(number, note) for number in ENDING", "signal.getsignal(number) for number in ENDING"),),
        ("tests/integration/test_child.py", "tests/integration/test_draining.py"),
    ),
    Guard(
        "a computation that ended is not overdue",
        "worker/slots.py",
        (("return self.state is State.BUSY and now", "return now"),),
    ),
    Guard(
        "a cancellation is remembered until the slot shows the attempt",
        "worker/keeper.py",
        (
            (
                "            self._canceled[canceled] = now + self.settings.lease_seconds\n",
                "            self._canceled = {canceled: now + 0.001}\n",
            ),
        ),
        ("tests/integration/test_cancel.py",),
    ),
    Guard(
        "a dead child's tasks are taken back by its successor",
        "worker/child.py",
        (("            self._take_back(predecessor)\n", "            pass\n"),),
        (
            "tests/integration/test_child.py",
            "tests/integration/test_lost_workers.py",
        ),
    ),
    Guard(
        "a child that claims leaves word of it first",
        "worker/runner.py",
        (("        self.slots.write(self.index, State.CLAIMING, hint=hint, nonce=asking.nonce)\n", ""),),
        ("tests/integration/test_child.py",),
    ),
    Guard(
        "a child that finishes leaves word of what it may win",
        "worker/runner.py",
        (("        self._say_finishing(hand, asking.nonce)\n", "        self._say_finishing(hand)\n"),),
        ("tests/integration/test_child.py",),
    ),
    Guard(
        "a dying child is watched again after a reconnection",
        "worker/reconnect.py",
        (("        self._watch_the_dying_again()\n", ""),),
        ("tests/integration/test_reconnect.py",),
    ),
    Guard(
        "a finished computation waits for Redis",
        "worker/patience.py",
        (("            if not worth_it(error):", "            if True:"),),
        ("tests/integration/test_lost_workers.py", "tests/integration/test_reconnect.py"),
    ),
)


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
