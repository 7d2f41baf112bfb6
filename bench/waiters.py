"""What thousands of clients that wait at once cost, and get. `python -m bench.waiters [--waiters 2000]` (2 minutes).

Real processes: an embedded Valkey, one API process, and one of clients on as many TCP connections, half long-polls,
half event streams. This process does the worker's part with the ledger's own calls. Ends with 1 if a promise is broken.
"""

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from bench.crowd import KINDS, Answer
from bench.hall import WITHIN, Hall, busy, running
from tests.contract.steps import claim

WAITERS, RATE, SINGLES = 2000, 100.0, 200
PROMISED_SECONDS = 0.1
IDLE_SECONDS = {"poll": 10, "events": 30}  # two signs of life of every stream
LOOKED_SECONDS = 0.02  # by then a single client is waited for, and told of a claim
NAMES = {"poll": "long-polls", "events": "event streams", "bare": "a bare subscriber"}
Delays = dict[str, list[float]]


@dataclass(slots=True)
class Report:
    """The table: delays, and below them what they cost the API."""

    singles: float = 0.0  # the middle delay of one client alone
    rows: list[str] = field(default_factory=list)
    costs: list[str] = field(default_factory=list)

    def delays(self, name: str, delays: Delays) -> None:
        bare = statistics.median(delays["bare"])
        answers = delays["poll"] + delays["events"] or [math.inf]
        self.singles = self.singles or statistics.median(answers)
        for kind in (*KINDS, "bare"):
            if not (ordered := sorted(delays[kind])):
                continue  # nobody was answered, which is a broken promise already
            middle, p99 = statistics.median(ordered), ordered[math.ceil(len(ordered) * 0.99) - 1]
            shown = " | ".join(f"{seconds * 1000:.1f}" for seconds in (middle, p99, ordered[-1]))
            to_single = "" if kind == "bare" else f"{middle / self.singles:.1f}"
            self.rows.append(
                f"| {name}: {NAMES[kind]} | {len(ordered)} | {shown} | {middle / bare:.1f} | {to_single} |"
            )

    def cost(self, name: str, value: str) -> None:
        self.costs.append(f"| {name} | {value} |")

    def show(self) -> None:
        print("\n| from a task's end | n | p50 ms | p99 ms | max ms | p50 to bare | p50 to one alone |")
        print("|---|---|---|---|---|---|---|", *self.rows, sep="\n")
        print("\n| the API | |\n|---|---|", *self.costs, sep="\n")


# Delays


def answered(hall: Hall, name: str, sent: dict[str, float]) -> Delays:
    """Collect the answers; return how long after their tasks' ends they came, and a bare subscriber heard of them."""
    found = hall.crowd.answers(WITHIN)
    wrong = [each for each in found.answers if each.at is None or each.status != "succeeded"]
    hall.promise(not wrong, f"{name}: {len(wrong)} not answered with the end, such as {wrong[:1]}")
    delays = {
        kind: [seconds for each in found.answers if each.kind == kind for seconds in late(each, sent)] for kind in KINDS
    }
    return delays | {"bare": [found.heard[task] - at for task, at in sent.items()]}


def late(answer: Answer, sent: dict[str, float]) -> list[float]:
    return [] if answer.at is None else [answer.at - sent[answer.task]]


def one_at_a_time(hall: Hall) -> Delays:
    """Let one client wait at a time."""
    delays: Delays = {kind: [] for kind in (*KINDS, "bare")}
    for _, kind in zip(range(SINGLES), cycle(KINDS), strict=False):
        (task,) = hall.seats(kind, 1)
        hall.crowd.connect([task])
        held = claim(hall.ledger, task[0])
        time.sleep(LOOKED_SECONDS)
        for found, more in answered(hall, "one", {held.id: hall.succeed(held)}).items():
            delays[found] += more
    return delays


def steady(hall: Hall, tasks: Sequence[str]) -> dict[str, float]:
    """End tasks at RATE a second, each just claimed."""
    begun, sent = time.perf_counter(), {}
    for number, task in enumerate(tasks):
        time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
        sent[task] = hall.succeed(claim(hall.ledger, task))
    return sent


def burst(hall: Hall, tasks: Sequence[str]) -> dict[str, float]:
    """End tasks as fast as one process can; all are running already."""
    return {held.id: hall.succeed(held) for held in hall.claim(tasks)}


Ending = Callable[[Hall, Sequence[str]], dict[str, float]]


# Rounds


def fill(hall: Hall, count: int) -> list[str]:
    """Have `count` clients wait, each for a task of its own; return the tasks, of both kinds in turn."""
    halves = [hall.seats(kind, count // 2) for kind in KINDS]
    for seats in halves:
        hall.wait(seats)
    return [task for pair in zip(*halves, strict=True) for task, _ in pair]


def fill_and_weigh(hall: Hall, count: int, report: Report) -> list[str]:
    """Do as `fill` does, with a look at what every kind costs while nothing changes."""
    tasks = []
    idle = hall.idle_cpu(IDLE_SECONDS["poll"])
    for kind in KINDS:
        seats, before = hall.seats(kind, count // 2), hall.rss()
        hall.wait(seats)
        report.cost(f"memory, {NAMES[kind]}, each", f"{(hall.rss() - before) / len(seats) / 1024:.1f} KB")
        so_far, idle = idle, hall.idle_cpu(IDLE_SECONDS[kind])
        report.cost(f"CPU while nothing changes, {NAMES[kind]}, each", f"{(idle - so_far) / len(seats) * 1e6:.1f} us/s")
        tasks.append([task for task, _ in seats])
    report.cost("CPU while nothing changes, all", f"{idle * 100:.1f} % of a core")
    subscribed = len(hall.subscribed())
    report.cost("connections to Valkey", f"{len(hall.connections())}, of which subscribed: {subscribed}")
    hall.promise(subscribed == 1, f"{subscribed} subscriptions")
    return [task for pair in zip(*tasks, strict=True) for task in pair]


def ended(hall: Hall, name: str, end: Ending, tasks: Sequence[str], report: Report) -> Delays:
    """End the tasks, and see every one of those who wait answered."""
    before, theirs = hall.cpu(), busy(hall.crowd.process)
    sent = end(hall, tasks)
    delays = answered(hall, name, sent)
    theirs, ours = busy(hall.crowd.process) - theirs, hall.cpu() - before
    lasted = max(sent.values()) - min(sent.values())
    report.cost(f"CPU, {name}", f"{ours:.2f} s (ended within {lasted:.2f} s; the clients' own CPU {theirs:.2f} s)")
    report.delays(name, delays)
    hall.until_nobody_waits()
    return delays


def all_for_one(hall: Hall, count: int) -> list[str]:
    """Have `count` clients wait for one task."""
    ((task, _),) = hall.seats("poll", 1)
    hall.wait([(task, kind) for kind in KINDS for _ in range(count // 2)])
    return [task]


def unanswered(hall: Hall, count: int) -> int:
    """Have clients wait and go away; return the API's memory once it has noticed."""
    fill(hall, count)
    hall.crowd.leave()
    hall.until_nobody_waits()
    return hall.rss()


def measure(hall: Hall, count: int) -> None:
    report = Report()
    unanswered(hall, count // 10)  # every connection to Valkey is made
    empty, files = hall.rss(), hall.api.num_fds()
    report.delays("one at a time", one_at_a_time(hall))
    delays = ended(hall, f"at {RATE:g}/s", steady, fill_and_weigh(hall, count, report), report)
    ended(hall, "in a burst", burst, fill(hall, count), report)
    ended(hall, "all for one task", burst, all_for_one(hall, count), report)
    sizes = [hall.rss(), *(unanswered(hall, count) for _ in range(3))]
    grown = ", ".join(f"{(size - empty) / 1e6:.1f}" for size in sizes)
    report.cost("memory over the empty API: all answered, then three crowds that left unanswered", f"{grown} MB")
    report.cost("open files: empty, and after all left", f"{files}, {hall.api.num_fds()}")
    report.show()
    latest = max(delays["poll"] + delays["events"], default=math.inf)
    hall.promise(latest <= PROMISED_SECONDS, f"at {RATE:g}/s one answer came {latest * 1000:.0f} ms late")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure clients that wait.")
    parser.add_argument("--waiters", type=int, default=WAITERS, help="how many at once (default: %(default)s)")
    count = parser.parse_args().waiters
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, {count} wait"
    )
    with running() as hall:
        measure(hall, count)
        for what in hall.broken:
            print(f"BROKEN: {what}")
        return 1 if hall.broken else 0


if __name__ == "__main__":
    sys.exit(main())
