"""One API with all that it needs, and the crowd that waits at it: what bench.waiters measures."""

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import psutil

from bench.crowd import WAIT_SECONDS, Crowd
from bench.first import is_up
from shared.ledger import calls
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.ledger.records import Claim
from tests.contract.steps import claim, submit
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT, ApiProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

USUAL_OPEN_FILES = 1024  # the soft limit most systems start a process with
HOUR_MS = 3_600_000
RESULT = b'{"text":"hello"}'
WITHIN = 60.0


@dataclass(slots=True)
class Hall:
    """What is measured, and what was found wrong."""

    server: RedisServer
    ledger: Ledger
    api: psutil.Process
    crowd: Crowd
    broken: list[str] = field(default_factory=list)

    def cpu(self) -> float:
        return busy(self.api)

    def rss(self) -> int:
        return int(self.api.memory_info().rss)

    def seats(self, kind: str, count: int) -> list[tuple[str, str]]:
        return [(submit(self.ledger, model="echo"), kind) for _ in range(count)]

    def wait(self, seats: Sequence[tuple[str, str]]) -> None:
        """Have clients wait; return when the API has nothing left to do."""
        self.crowd.connect(seats)
        eventually(self._is_quiet, within=WITHIN)

    def claim(self, tasks: Sequence[str]) -> list[Claim]:
        held = [claim(self.ledger, task) for task in tasks]
        eventually(self._is_quiet, within=WITHIN)
        return held

    def succeed(self, held: Claim) -> float:
        """End a task; return the moment before."""
        now = time.perf_counter()
        assert self.ledger.run(calls.succeed(held, RESULT, HOUR_MS))
        return now

    def subscribed(self) -> list[dict[str, str]]:
        return [each for each in self.connections() if int(each["psub"]) + int(each["sub"]) > 0]

    def connections(self) -> list[dict[str, str]]:
        return [each for each in self.server.client.client_list() if each["name"] == "penstock-api"]

    def until_nobody_waits(self) -> None:
        """Return when the subscription has ended: it does once nobody is registered any more."""
        eventually(lambda: not self.subscribed(), within=WITHIN)
        eventually(self._is_quiet, within=WITHIN)

    def idle_cpu(self, seconds: float) -> float:
        """Return the seconds of CPU per second while nothing changes."""
        before = self.cpu()
        time.sleep(seconds)
        return (self.cpu() - before) / seconds

    def promise(self, kept: bool, what: str) -> None:
        if not kept:
            self.broken.append(what)

    def _is_quiet(self) -> bool:
        before = self.cpu()
        time.sleep(0.5)
        return self.cpu() - before <= 0.03


def busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def running() -> Iterator[Hall]:
    """Start everything, and end it."""
    server, port = RedisServer(), free_port()
    ledger = connect(server.url, name="bench")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_OPEN_FILES, most))
    api = ApiProcess(
        port,
        {
            "PENSTOCK_REDIS_URL": server.url,
            "PENSTOCK_MODELS": str(ROOT / "tests/models/echo"),
            "PENSTOCK_MAX_WAIT_SECONDS": str(WAIT_SECONDS),
        },
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    crowd = Crowd(port, server.socket)
    try:
        eventually(partial(is_up, port), within=20)
        yield Hall(server, ledger, psutil.Process(api.pid), crowd)
    finally:
        crowd.close()
        api.close()
        ledger.close()
        server.close()
