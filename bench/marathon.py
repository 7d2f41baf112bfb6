"""Many no-ops from start to end through real processes: whether anything grows, and each task ends exactly once."""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from uuid import UUID

import psutil

from bench.contenders.penstock import DIALECT
from bench.driver import Driver, RowError
from bench.running import CONNECTIONS
from bench.site import Site, site
from bench.steps import MODEL
from bench.straight import version
from bench.tables import Table, slope
from bench.work import WORKS
from tests.waiting import eventually

SAMPLES = 60  # of a whole run, at most
LEAST_SECONDS = 1.0  # between two samples
CHECKED = 100  # one result in so many is looked at
SHOWN = 15
TAIL_SECONDS = 3.0
MIB = 2**20
SIZES = ("API, PSS MiB", "worker, PSS MiB", "children, PSS MiB", "Redis, used MiB", "keys")
COLUMNS = ("s", "submitted", "tasks/s", *SIZES, "of ended ones in indexes", "of them overdue")
"""`overdue`: their records are gone, and nobody has trimmed the index yet."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How everything stands at one moment."""

    second: float
    submitted: int
    sizes: tuple[float, ...]  # as SIZES
    ended: int
    overdue: int


@dataclass(slots=True)
class Ends:
    """How often each task was finished: as a success that the ledger accepted, or else; and whose child was killed."""

    well: Counter[bytes] = field(default_factory=Counter)
    other: Counter[bytes] = field(default_factory=Counter)
    killed: Counter[bytes] = field(default_factory=Counter)


@dataclass(slots=True)
class Run:
    """A run while it goes on."""

    site: Site
    began: float = field(default_factory=time.monotonic)
    submitted: int = 0
    samples: list[Sample] = field(default_factory=list)

    def sample(self) -> None:
        """Take one sample."""
        assert self.site.worker is not None
        redis, worker = self.site.server.client, psutil.Process(self.site.worker.pid)
        seconds, micros = redis.time()
        now_ms = seconds * 1000 + micros // 1000
        sizes = (
            pss(self.site.api),
            pss(worker),
            sum(pss(child) for child in worker.children()),
            redis.info("memory")["used_memory"] / MIB,
            redis.dbsize(),
        )
        ended, overdue = redis.zcard("penstock:ending"), redis.zcount("penstock:ending", "-inf", now_ms)
        self.samples.append(Sample(time.monotonic() - self.began, self.submitted, sizes, ended, overdue))

    @contextmanager
    def sampled(self, every: float) -> Iterator[None]:
        """Take samples meanwhile, and one at the end."""
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(every):
                self.sample()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self.sample()


def pss(process: psutil.Process) -> float:
    """Return the memory of a process in MiB, what it shares counted in part."""
    return float(process.memory_full_info().pss) / MIB


def tables(tasks: int, kind: str, retention: float, backlog: int) -> list[Table]:
    """Take tasks from start to end; return how everything grew, by how much, and what became of the tasks."""
    settings = {"PENSTOCK_RETENTION_SECONDS": str(retention)}
    with site(kind, worker=True, settings=settings) as place:
        assert place.worker is not None
        run = Run(place)
        run.sample()
        with run.sampled(max(LEAST_SECONDS, tasks / 1000 / SAMPLES)):
            failure = submitted(run, tasks, backlog // 2)
            seconds = time.monotonic() - run.began
            time.sleep(2 * retention + TAIL_SECONDS)  # by then nothing is known of any of them
        title = (
            f"{tasks:,} no-ops over HTTP, {version(place.server.client)}, retention {retention:g} s, {backlog:,} wait"
        )
        ends = ends_in(place.worker.log_file)
    steady = [each for each in run.samples if 2 * retention <= each.second <= seconds]
    found = outcome(run.submitted, seconds, ends)
    if failure:
        found.add("ENDED EARLY", failure)
    return [over_time(title, run.samples), growth(steady), found]


def submitted(run: Run, tasks: int, share: int) -> str:
    """Submit all; return what put an early end to it, so that what was seen by then is not lost with it."""
    try:
        submit_all(run, tasks, share)
    except RowError as error:
        print(f"ended early: {error}", file=sys.stderr, flush=True)
        return str(error)
    return ""


def submit_all(run: Run, tasks: int, share: int) -> None:
    """Have two clients take turns: one submits its share once that of its turn before is done."""
    with ExitStack() as stack:
        clients = [client(stack, run.site.port) for _ in range(2)]
        for turn, number in zip(cycle(clients), shares(tasks, share), strict=False):
            turn.ask("check", every=CHECKED)
            turn.ask("submit", count=number)
            run.submitted += number
        for each in clients:
            each.ask("check", every=CHECKED)
    redis = run.site.server.client
    eventually(lambda: not any(redis.zcard(f"penstock:{key}:{MODEL}") for key in ("queue", "leases")), within=60)


def client(stack: ExitStack, port: int) -> Driver:
    """Start a client that submits no-ops."""
    made = Driver([sys.executable, "-m", "bench.client"])
    stack.callback(made.close)
    made.tell({"port": port, "dialect": asdict(DIALECT), "connections": CONNECTIONS})
    noop = WORKS[MODEL]
    made.ask("aim", work=MODEL, inputs=list(noop.inputs), expected=[noop.run(each) for each in noop.inputs])
    return made


def shares(tasks: int, share: int) -> list[int]:
    """Cut a number into shares of at most so many."""
    return [min(share, tasks - start) for start in range(0, tasks, share)]


def ends_in(log: Path) -> Ends:
    """Read in the worker's log how each task was finished."""
    found = Ends()
    with log.open("rb") as lines:
        for event in (json.loads(line) for line in lines if b'"task_id"' in line):
            id = UUID(event["task_id"]).bytes
            if event["event"] == "finished":
                well = event["accepted"] and event["outcome"] == "succeeded"
                (found.well if well else found.other)[id] += 1
            elif event["event"] == "killed the child":
                found.killed[id] += 1
    return found


def over_time(title: str, samples: Sequence[Sample]) -> Table:
    """Return the table of a run, thinned to what can be read."""
    table = Table(title, COLUMNS)
    some = samples[:: max(1, len(samples) // SHOWN)]
    for before, each in zip([some[0], *some], some, strict=False):
        seconds = each.second - before.second
        rate = (each.submitted - before.submitted) / seconds if seconds else 0.0
        table.add(round(each.second), each.submitted, round(rate), *each.sizes, each.ended, each.overdue)
    return table


def growth(steady: Sequence[Sample]) -> Table:
    """Return how much everything grew while as many records left as came."""
    span = f"{steady[0].submitted:,} to {steady[-1].submitted:,} tasks" if len(steady) > 1 else "the run was too short"
    table = Table(f"growth for 100,000 tasks, from twice the retention on: {span}", ("", *SIZES, "overdue"))
    rows = [(*each.sizes, each.overdue) for each in steady]
    points = [
        [(each.submitted / 1e5, row[i]) for each, row in zip(steady, rows, strict=True)] for i in range(len(SIZES) + 1)
    ]
    table.add("slope", *(slope(each) if len(steady) > 1 else None for each in points))
    return table


def outcome(tasks: int, seconds: float, ends: Ends) -> Table:
    """Return what became of the tasks."""
    once = sum(times == 1 for times in ends.well.values())
    unsaid = len(ends.killed.keys() - ends.well.keys() - ends.other.keys())
    table = Table("what became of them, by the worker's log", ("", ""))
    table.add("submitted", tasks)
    table.add("succeeded exactly once", once)
    table.add("succeeded more than once", len(ends.well) - once)
    table.add("other ends", ends.other.total())
    table.add("child killed before it could say which", unsaid)
    table.add("no word of them", tasks - len(ends.well.keys() | ends.other.keys()) - unsaid)
    table.add("children killed in all", ends.killed.total())
    table.add("tasks/s from the first submit to the last result", tasks / seconds)
    return table
