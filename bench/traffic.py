"""What the client does: generators for `loop.run`, each the steps of one connection. Every result is checked."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from bench.dialect import Dialect
from bench.loop import Steps
from bench.wire import post

LOOK_SECONDS = 0.01  # between two looks at a task that ends a drain


@dataclass(slots=True)
class Task:
    """One task as the client knows it."""

    id: str
    expected: dict[str, Any]


@dataclass(slots=True)
class Traffic:
    """Requests for one kind of work, and the tasks that came of them."""

    dialect: Dialect
    work: str
    inputs: list[bytes]  # JSON
    expected: list[dict[str, Any]]  # of each input
    tasks: list[Task] = field(default_factory=list)

    def turns(self, count: int, *, wait: bool = False) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield `count` submits as bytes, each with the result that it must have; the inputs take turns."""
        path = (self.dialect.wait if wait else self.dialect.submit).format(work=self.work)
        requests = [post(path, body) for body in self.inputs]
        turns = cycle(zip(requests, self.expected, strict=True))
        return (next(turns) for _ in range(count))

    def submits(self, turns: Iterator[tuple[bytes, dict[str, Any]]]) -> Steps:
        """Submit for as long as there are turns, which several connections share."""
        id_of, add = self.dialect.id_of, self.tasks.append
        for request, expected in turns:
            add(Task(id_of((yield request)), expected))

    def polls(self, turns: Iterator[int]) -> Steps:
        """Look at one finished task again and again."""
        request, is_done = self.dialect.poll_request(self.work, self.tasks[0].id), self.dialect.is_done
        for _ in turns:
            assert is_done((yield request)), "a finished task is not finished"

    def drained(self, ends: list[float]) -> Steps:
        """Look at every fiftieth task and the last twenty, until all of them are done; note when that was."""
        step = max(1, len(self.tasks) // 50)
        for task in [*self.tasks[::step], *self.tasks[-20:]]:
            request = self.dialect.poll_request(self.work, task.id)
            while not self.dialect.is_done((yield request)):
                yield LOOK_SECONDS
        ends.append(time.monotonic())

    def checks(self, tasks: Iterator[Task], ends: list[float]) -> Steps:
        """Check the result of every task; one that was not done yet puts off the end of the drain."""
        for task in tasks:
            request, late = self.dialect.poll_request(self.work, task.id), False
            while not self.dialect.is_done((yield request)):
                late = True
                yield LOOK_SECONDS
            if late:
                ends.append(time.monotonic())
            self.dialect.require((yield self.dialect.result_request(self.work, task.id)), task.expected)

    def finishes(self, turns: Iterator[tuple[bytes, dict[str, Any]]], every: float, seconds: list[float]) -> Steps:
        """Submit, look every so often until it is done, check the result; then the next."""
        dialect = self.dialect
        for request, expected in turns:
            began = time.perf_counter()
            id = dialect.id_of((yield request))
            look = dialect.poll_request(self.work, id)
            while not dialect.is_done(found := (yield look)):
                yield every
            if dialect.result:
                found = yield dialect.result_request(self.work, id)
            seconds.append(time.perf_counter() - began)
            dialect.require(found, expected)

    def answers(self, turns: Iterator[tuple[bytes, dict[str, Any]]], seconds: list[float]) -> Steps:
        """Submit and be answered with the result; then the next."""
        for request, expected in turns:
            began = time.perf_counter()
            found = yield request
            seconds.append(time.perf_counter() - began)
            self.dialect.require(found, expected)
