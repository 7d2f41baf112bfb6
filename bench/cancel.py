"""What it takes to cancel a running task, inside C code and in Python. `python -m bench.cancel [--rounds 200]` (1 min).

Real processes: an embedded Valkey, one API process, one worker with one child. Each round cancels a task that burns,
with the next, instant task queued behind it; beside it, in turn, an instant task is timed on the idle slot.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import psutil

from bench.first import Wire, is_up
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT, ApiProcess, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

ROUNDS = 200
WARM_UP = 5
LOOK_SECONDS = 0.001
KINDS = ("python", "numpy", "python", "pow")  # half of the rounds inside C code
IN_C = ("numpy", "pow")
INSTANT = '{"how": "none"}'


@dataclass(frozen=True, slots=True)
class Round:
    """One cancellation, in seconds. All but `instant` count from the moment before the cancel is sent."""

    how: str
    answered: float  # until the client has the answer
    gone: float  # until the child is dead
    free: float  # until the task behind it is seen to have succeeded
    instant: float  # an instant task on an idle slot, from submit until seen to have succeeded


def canceled(wire: Wire, how: str) -> Round:
    instant = instant_task(wire)
    burning = str(wire.ask("POST", "/task/burn", f'{{"how": "{how}"}}')["task_id"])
    child = psutil.Process(eventually(partial(burning_child, wire, burning), every=LOOK_SECONDS))
    following = wire.ask("POST", "/task/burn", INSTANT)["task_id"]
    sent = time.perf_counter()
    wire.ask("POST", f"/task/{burning}/cancel")
    answered = time.perf_counter() - sent
    eventually(partial(is_dead, child), every=LOOK_SECONDS)
    gone = time.perf_counter() - sent
    eventually(partial(has_succeeded, wire, following), every=LOOK_SECONDS)
    return Round(how, answered, gone, time.perf_counter() - sent, instant)


def instant_task(wire: Wire) -> float:
    started = time.perf_counter()
    task = wire.ask("POST", "/task/burn", INSTANT)["task_id"]
    eventually(partial(has_succeeded, wire, task), every=LOOK_SECONDS)
    return time.perf_counter() - started


def burning_child(wire: Wire, task: str) -> int:
    """Return the child that is about to burn: the model reports it as its progress. 0 before that."""
    progress = wire.ask("GET", f"/task/{task}")["progress"]
    return int(progress["message"]) if isinstance(progress, dict) else 0


def has_succeeded(wire: Wire, task: object) -> bool:
    document = wire.ask("GET", f"/task/{task}")
    assert document["status"] in ("queued", "running", "succeeded"), document
    assert document["attempt"] in (0, 1), document
    return document["status"] == "succeeded"


def is_dead(child: psutil.Process) -> bool:
    try:
        return child.status() == psutil.STATUS_ZOMBIE  # it computes no more; its parent has yet to collect it
    except psutil.NoSuchProcess:
        return True


def report(rounds: list[Round]) -> None:
    print("| from sending the cancel | n | p50 ms | p99 ms | max ms | p50 to an instant task |")
    print("|---|---|---|---|---|---|")
    groups = {
        "in C code": [each for each in rounds if each.how in IN_C],
        "in Python": [each for each in rounds if each.how not in IN_C],
        "all": rounds,
    }
    for step in ("answered", "gone", "free"):
        for name, members in groups.items():
            ratio = statistics.median(getattr(each, step) / each.instant for each in members)
            show(f"{STEPS[step]}: {name}", [getattr(each, step) for each in members], f"{ratio:.1f}")
    show("for comparison: an instant task on an idle slot", [each.instant for each in rounds], "1")


STEPS = {
    "answered": "the client has the answer",
    "gone": "the child is dead",
    "free": "the next task is done",
}


def show(name: str, seconds: list[float], ratio: str) -> None:
    ordered = sorted(seconds)
    p99 = ordered[math.ceil(len(ordered) * 0.99) - 1]
    print(
        f"| {name} | {len(ordered)} | {statistics.median(ordered) * 1000:.1f} | {p99 * 1000:.1f} "
        f"| {ordered[-1] * 1000:.1f} | {ratio} |"
    )


def measure(rounds: int, server: RedisServer, directory: Path) -> None:
    load_log = directory / "loads"
    environment = {
        "PENSTOCK_REDIS_URL": server.url,
        "PENSTOCK_MODELS": str(ROOT / "tests/models/burn"),
        "LOAD_LOG": str(load_log),
    }
    port = free_port()
    api = ApiProcess(port, environment)
    worker = WorkerProcess("--concurrency", "1", environment=environment)
    try:
        worker.ready()
        eventually(partial(is_up, port), within=20)
        wire, kinds = Wire(port), cycle(KINDS)
        for _ in range(WARM_UP):
            instant_task(wire)
        report([canceled(wire, next(kinds)) for _ in range(rounds)])
        print(f"\nmodel loads: {len(load_log.read_text().splitlines())} (the worker's parent)")
    finally:
        worker.close()
        api.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure cancellations of running tasks.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many cancellations (default: %(default)s)")
    rounds = parser.parse_args().rounds
    load = os.getloadavg()[0]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load before {load:.1f}, lease of 10 s\n")
    server = RedisServer()
    try:
        with tempfile.TemporaryDirectory() as directory:
            measure(rounds, server, Path(directory))
    finally:
        server.close()


if __name__ == "__main__":
    main()
