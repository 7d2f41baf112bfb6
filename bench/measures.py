"""What is measured: each turns one running contender into figures. Nothing here knows a contender by name."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bench.contenders.contender import Measure
from bench.figures import Figure, figure
from bench.running import Running
from bench.work import WORKS

LOOK_SECONDS = {"alone": 0.002, "alone_50": 0.05}
BURN_LOOK_SECONDS = 0.02
WARM_UP = 40


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    queued: int
    polls: int
    burns: int
    alone: int
    alone_50: int
    digits: int
    rounds: int

    def scaled(self, factor: float) -> "Sizes":
        """Return the same with fewer or more of everything but rounds."""
        counts = {name: max(2, round(count * factor)) for name, count in asdict(self).items()}
        return Sizes(**{**counts, "rounds": self.rounds})


FULL = Sizes(queued=10_000, polls=10_000, burns=1_000, alone=300, alone_50=60, digits=1_000, rounds=5)
QUICK = Sizes(queued=500, polls=500, burns=100, alone=30, alone_50=5, digits=60, rounds=1)


def measured(running: Running, sizes: Sizes) -> Iterator[Figure]:
    """Measure all that this contender can be asked, on results that are all checked.

    Raises:
        RowError: a result is wrong or missing.
    """
    wanted = running.contender.measures
    session = SESSIONS["http" if running.contender.serves else "pool"](running, sizes)
    session.warm_up()
    for measure in wanted:
        yield from session.measure(measure)


class Pool:
    """Measures a contender that is a pool behind a pipe."""

    def __init__(self, running: Running, sizes: Sizes) -> None:
        self._running = running
        self._sizes = sizes

    def warm_up(self) -> None:
        """Have every process of the pool run something."""
        self._running.client.ask("burn", count=WARM_UP)

    def measure(self, measure: Measure) -> Iterator[Figure]:
        """Ask for one measure."""
        counts = {"drain": self._sizes.queued, "burn": self._sizes.burns, "digits": self._sizes.digits}
        count = counts[measure]
        reply, cpu = costed(self._running, lambda: self._running.client.ask(measure, count=count))
        yield figure(measure, count, reply, cpu)


class Http:
    """Measures a contender that is asked over HTTP."""

    def __init__(self, running: Running, sizes: Sizes) -> None:
        self._running = running
        self._contender = running.contender
        self._ask = running.client.ask
        self._sizes = sizes

    def warm_up(self) -> None:
        """Have every route and every worker process run something: what is measured has started, and has loaded."""
        works = {"noop": ("submit", "drain", "alone"), "burn": ("burn",), "digits": ("digits",)}
        for work, needed in works.items():
            if set(needed) & set(self._contender.measures):
                self._aim(work)
                self._run_some(WARM_UP)

    def measure(self, measure: Measure) -> Iterator[Figure]:
        """Run one measure; `drain` comes out of `submit`, if there is a queue to drain."""
        if self._contender.dialect.answers:
            yield self._answered(measure)
        elif measure in ("submit", "digits"):
            yield from self._queued(measure)
        elif measure == "pss":
            yield self._memory()
        elif measure != "drain":
            yield self._closed(measure)

    def _run_some(self, count: int) -> None:
        if self._contender.dialect.answers:
            self._ask("answer", count=count)
        elif self._running.has_worker or "drain" in self._contender.measures:
            self._ask("finish", count=count, every=BURN_LOOK_SECONDS)
        else:
            self._ask("submit", count=count)

    def _aim(self, name: str) -> None:
        work = WORKS.get(name, WORKS["noop"])  # a big model gives its input back too
        self._ask("aim", work=name, inputs=list(work.inputs), expected=[work.run(each) for each in work.inputs])

    def _queued(self, measure: Measure) -> Iterator[Figure]:
        """Queue tasks while nothing takes them; then have them taken. One that serves and works does both at once."""
        digits = measure == "digits"
        count = self._sizes.digits if digits else self._sizes.queued
        drains = digits or "drain" in self._contender.measures
        if drains:
            share = self._contender.drain_share * (self._contender.digits_share if digits else 1)
            count = max(1, int(count * share))
        self._aim("digits" if digits else "noop")
        with self._running.frozen_worker() as thaw:
            began = time.monotonic()
            reply, cpu = costed(self._running, lambda: self._ask("submit", count=count))
            if not digits:
                yield figure("submit", count, reply, cpu)
            if drains:
                yield self._drained("digits" if digits else "drain", count, began, thaw)

    def _drained(self, measure: Measure, count: int, began: float, thaw: Callable[[], None]) -> Figure:
        if self._running.has_worker:
            began = time.monotonic()

        def drain() -> dict[str, Any]:
            thaw()
            return self._ask("drain")

        reply, cpu = costed(self._running, drain)
        ended = self._ask("check")["ended"] or reply["ended"]
        return figure(measure, count, {"seconds": ended - began}, cpu)

    def _memory(self) -> Figure:
        """Have every child walk through its model, then look at the memory."""
        self._aim("big")
        self._run_some(WARM_UP)
        return Figure("pss", self._running.worker_pss() / 2**20, WARM_UP)

    def _closed(self, measure: Measure) -> Figure:
        """Run what the client does in a closed loop."""
        count, command, work, arguments = self._plan(measure)
        if measure != "poll":  # which looks at a task of the submits before
            self._aim(work)
        reply, cpu = costed(self._running, lambda: self._ask(command, count=count, **arguments))
        return figure(measure, count, reply, cpu)

    def _plan(self, measure: Measure) -> tuple[int, str, str, dict[str, Any]]:
        sizes = self._sizes
        plans: dict[Measure, tuple[int, str, str, dict[str, Any]]] = {
            "poll": (sizes.polls, "poll", "noop", {}),
            "burn": (sizes.burns, "finish", "burn", {"every": BURN_LOOK_SECONDS}),
            "burn_wait": (sizes.burns, "answer", "burn", {"wait": True}),
            "alone": (sizes.alone, "finish", "noop", {"every": LOOK_SECONDS["alone"], "connections": 1}),
            "alone_50": (sizes.alone_50, "finish", "noop", {"every": LOOK_SECONDS["alone_50"], "connections": 1}),
            "alone_wait": (sizes.alone, "answer", "noop", {"wait": True, "connections": 1}),
        }
        return plans[measure]

    def _answered(self, measure: Measure) -> Figure:
        """Measure one that answers with the result."""
        work = {"burn": "burn", "digits": "digits"}.get(measure, "noop")
        count = {
            "drain": self._sizes.queued,
            "burn": self._sizes.burns,
            "alone": self._sizes.alone,
            "digits": self._sizes.digits,
        }[measure]
        self._aim(work)
        arguments = {"connections": 1} if measure == "alone" else {}
        reply, cpu = costed(self._running, lambda: self._ask("answer", count=count, **arguments))
        return figure(measure, count, reply, cpu)


SESSIONS: dict[str, type[Http] | type[Pool]] = {"http": Http, "pool": Pool}


def costed(running: Running, step: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what a step replies, and the CPU seconds of each part while it ran."""
    before = running.cpu()
    reply = step()
    after = running.cpu()
    return reply, {part: after[part] - before[part] for part in after}
