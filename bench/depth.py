"""What every step costs at a queue of some depth, beside a short queue that is asked the same in turn."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar
from uuid import uuid4

from bench.line import Line
from bench.site import Site
from bench.steps import INPUT, MODEL, claim, read, submit, succeed
from bench.straight import load, microseconds, run_all
from bench.tables import Cell, p99
from bench.wire import get, post
from shared.ledger.call import Call
from shared.queue import list_key
from shared.task import Task

T = TypeVar("T")
PAGE = 20
SHORT = 2 * PAGE + 1  # two pages of a list, and one more
BATCH = 5000  # of a fill
SUBMIT, CENSUS, SCRAPE = post(f"/task/{MODEL}", INPUT), get("/models"), get("/metrics")
LIST = f"/task?limit={PAGE}&status=queued"
QUEUED, FINISHED = b'"status":"queued"', b'"status":"succeeded"'
Found = dict[str, list[float]]  # by step


@dataclass(slots=True)
class Lane:
    """One queue, and one client that asks about it."""

    site: Site
    line: Line = field(init=False)
    ids: list[str] = field(default_factory=list)  # in the order of their submits: an index + 1 is a task's number
    first: int = 0  # index of the next to be claimed

    @property
    def depth(self) -> int:
        """How many are queued."""
        return len(self.ids) - self.first

    def fill(self, depth: int) -> None:
        """Submit until so many are queued."""
        while (missing := depth - self.depth) > 0:
            self.submit_many(min(BATCH, missing))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Have a connection meanwhile, over which everything has been asked once; an API hangs up on an idle one."""
        with closing(Line(self.site.port)) as self.line:
            for step in STEPS.values():
                step(self)
            yield

    # One step, in seconds

    def submit(self) -> float:
        """Submit one."""
        seconds, answer = self.line.timed(SUBMIT, status=202)
        self.ids.append(answer.body.partition(b'"task_id":"')[2].partition(b'"')[0].decode())
        return seconds

    def claim(self) -> float:
        """Claim the next as a worker does, whose message has been taken before; finish it afterwards."""
        self.site.server.client.rpop(list_key(MODEL))
        step = claim(self.ids[self.first])
        began = time.perf_counter()
        held = self.site.ledger.run(step)
        seconds = time.perf_counter() - began
        self.first += 1
        assert self.site.ledger.run(succeed(held))
        return seconds

    def poll(self, index: int, status: bytes) -> float:
        """Look at one."""
        seconds, answer = self.line.timed(get(f"/task/{self.ids[index]}"))
        assert status in answer.body, answer
        return seconds

    def page(self, cursor: str = "") -> float:
        """Look at a page of the queued."""
        seconds, answer = self.line.timed(get(LIST + cursor))
        assert answer.body.count(QUEUED) == PAGE, answer
        return seconds

    def page_in_the_middle(self) -> float:
        """Look at a page that has as many before it as after it."""
        return self.page(f"&cursor={self.first + self.depth // 2 + PAGE // 2}")

    def census(self) -> float:
        """Look at the models."""
        return self.line.timed(CENSUS)[0]

    def scrape(self) -> float:
        """Ask as monitoring does."""
        return self.line.timed(SCRAPE)[0]

    # Many steps straight to the server, in microseconds of its CPU for each

    def submit_many(self, count: int) -> float:
        """Submit so many."""
        ids = [str(uuid4()) for _ in range(count)]
        cost, found = self._straight([submit(id) for id in ids])
        assert all(isinstance(each, Task) for each in found)
        self.ids += ids
        return cost

    def life_of_many(self, count: int) -> dict[str, float]:
        """Take so many from submit to result, and look at as many that are queued."""
        costs = {"submit": self.submit_many(count)}
        costs["read of a queued one"], _ = self._straight([read(id) for id in self.ids[-count:]])
        ids = self.ids[self.first : self.first + count]
        costs["take its message"], _ = microseconds(self.site.server.client, count, lambda: self._pop(count))
        costs["claim"], held = self._straight([claim(id) for id in ids])
        self.first += count
        costs["succeed"], done = self._straight([succeed(each) for each in held])
        assert all(done)
        return costs

    def _pop(self, count: int) -> None:
        with self.site.server.client.pipeline(transaction=False) as pipe:
            for _ in range(count):
                pipe.rpop(list_key(MODEL))
            assert None not in pipe.execute()

    def _straight(self, steps: Sequence[Call[T]]) -> tuple[float, list[T]]:
        client = self.site.server.client
        load(client, steps[:1])
        return microseconds(client, len(steps), lambda: run_all(client, steps))


STEPS: dict[str, Callable[[Lane], float]] = {
    "submit (HTTP)": Lane.submit,
    "claim (ledger)": Lane.claim,
    "poll of one in the middle": lambda lane: lane.poll(lane.first + lane.depth // 2, QUEUED),
    "poll of the last": lambda lane: lane.poll(-1, QUEUED),
    "poll of a finished one": lambda lane: lane.poll(lane.first - 1, FINISHED),
    "list, the first page": Lane.page,
    "list, a page in the middle": Lane.page_in_the_middle,
    "census (GET /models)": Lane.census,
    "scrape (GET /metrics)": Lane.scrape,
}
LATENCIES = (
    "step",
    "queued",
    "p50 ms",
    "p50 to short queue",
    "p99 ms",
    "p99 to short queue",
    "short: p50 ms",
    "p99 ms",
)
COSTS = ("step", "queued", "CPU us", "to short queue", "short: CPU us")


def latencies(deep: Lane, short: Lane, times: int) -> list[list[Cell]]:
    """Return the rows of what each step takes: both lanes in turn, every other time the other first."""
    found: tuple[Found, Found] = defaultdict(list), defaultdict(list)
    depth, pairs = deep.depth, list(zip((deep, short), found, strict=True))
    with deep.asking(), short.asking():
        for number in range(times):
            for name, step in STEPS.items():
                for lane, seconds in pairs[:: -1 if number % 2 else 1]:
                    seconds[name].append(step(lane) * 1000)
    return [[name, depth, *compared(found[0][name], found[1][name])] for name in STEPS]


def compared(deep: Sequence[float], short: Sequence[float]) -> list[Cell]:
    """Return what a row of latencies says: the middle and the slowest of a deep queue and of a short one."""
    middle, late, short_middle, short_late = median(deep), p99(deep), median(short), p99(short)
    return [middle, middle / short_middle, late, late / short_late, short_middle, short_late]


def costs(deep: Lane, short: Lane, count: int, rounds: int) -> list[list[Cell]]:
    """Return the rows of what each step costs the server: a ratio is the median of those within each round."""
    depth = deep.depth
    found = [(deep.life_of_many(count), short.life_of_many(count)) for _ in range(rounds)]
    return [
        [
            name,
            depth,
            median(ours[name] for ours, _ in found),
            median(ours[name] / theirs[name] for ours, theirs in found),
            median(theirs[name] for _, theirs in found),
        ]
        for name in found[0][0]
    ]
