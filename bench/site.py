"""A ledger's server and what runs on it, as the benchmarks need it that look at single parts: real processes, all."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import psutil

from bench.first import is_up
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT, ApiProcess, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

START_SECONDS = 20.0
STILL_SECONDS = 60.0
CHILDREN = 2
NOOP = "bench/models/noop"


@dataclass(slots=True)
class Site:
    """Where a ledger is, and who works with it."""

    server: RedisServer
    ledger: Ledger
    port: int
    api: psutil.Process
    worker: WorkerProcess | None = None

    @property
    def redis(self) -> psutil.Process:
        """The server's process."""
        return psutil.Process(self.server.client.info("server")["process_id"])


@contextmanager
def site(
    kind: str = "", *options: str, models: str = NOOP, worker: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Start a server and an API, and a worker if one is wanted; end them afterwards."""
    with ExitStack() as stack:
        server = RedisServer(kind, *options)
        stack.callback(server.close)
        ledger = connect(server.url, name="bench")
        stack.callback(ledger.close)
        environment = {
            "PENSTOCK_REDIS_URL": server.url,
            "PENSTOCK_MODELS": ",".join(str(ROOT / each) for each in models.split(",")),
            "PENSTOCK_MAX_QUEUED": "10000000",
            **(settings or {}),
        }
        port = free_port()
        api = ApiProcess(port, environment)
        stack.callback(api.close)
        works = None
        if worker:
            works = WorkerProcess("--concurrency", str(CHILDREN), environment=environment)
            stack.callback(works.close)
            works.ready()
        eventually(partial(is_up, port), within=START_SECONDS)
        yield Site(server, ledger, port, psutil.Process(api.pid), works)


def used_memory(server: RedisServer) -> int:
    """Return `used_memory` once it holds still: hash tables grow, and the file is written anew, in the background."""
    readings = [-1]

    def is_still() -> bool:
        readings.append(int(server.client.info("memory")["used_memory"]))
        return abs(readings[-1] - readings[-2]) < 20_000 and not is_rewriting(server)

    eventually(is_still, within=STILL_SECONDS, every=0.2)
    return readings[-1]


def is_rewriting(server: RedisServer) -> bool:
    """Tell whether a copy of the server is writing the append-only file anew."""
    info = server.client.info("persistence")
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def until_quiet(server: RedisServer) -> None:
    """Return once nothing is written anew."""
    eventually(lambda: not is_rewriting(server), within=STILL_SECONDS, every=0.2)
    time.sleep(0.2)
