"""The system under test: the real server, workers that reach it through proxies of their own, and API processes."""

import asyncio
import contextlib
from pathlib import Path

from shared.queue import list_key
from shared.task import PRIORITIES
from tests.faults.armed import DIRECTORY
from tests.faults.observations import MODELS, Exit, Setup
from tests.faults.proxy import Proxy
from tests.faults.unit import Unit
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT
from tests.redis_server import RedisServer

START_SECONDS = 60
QUEUES = [list_key(model, priority) for priority in reversed(PRIORITIES) for model in MODELS]


class System:
    """Make it in a running event loop; `directory` gets its logs, the execution log and the crash points."""

    def __init__(self, setup: Setup, directory: Path) -> None:
        self.setup = setup
        self.executions = directory / "executions"
        self.points = directory / "points"
        self.logs = directory / "logs"
        self.executions.touch()
        self.points.mkdir()
        self.logs.mkdir()
        self.exits: list[Exit] = []
        self.server_lock = asyncio.Lock()
        self.server_port = free_port()
        self.server = RedisServer("", "--port", str(self.server_port), "--bind", "127.0.0.1")
        self.proxies = [Proxy(self.server_port) for _ in range(setup.workers)]
        self.workers: list[Unit] = []
        self.apis: list[Unit] = []
        self.urls: dict[str, str] = {}  # by API
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def units(self) -> list[Unit]:
        return self.workers + self.apis

    async def start(self) -> None:
        for n, proxy in enumerate(self.proxies):
            await proxy.start()
            self.workers.append(self._unit(f"worker-{n}", "worker", port=proxy.port, ready="worker ready"))
        for n in range(self.setup.apis):
            port = free_port()
            self.urls[f"api-{n}"] = f"http://127.0.0.1:{port}"
            self.apis.append(
                self._unit(f"api-{n}", "api", "--port", str(port), port=self.server_port, ready="listening on")
            )
        self._keepers = [asyncio.create_task(unit.keep(self.exits.append)) for unit in self.units]
        await asyncio.wait_for(self.ready(), START_SECONDS)

    async def ready(self) -> None:
        """Wait until everything runs."""
        for unit in self.units:
            await unit.ready.wait()

    async def close(self) -> None:
        for unit in self.units:
            unit.close()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=10)
        for proxy in self.proxies:
            if proxy.port:
                await proxy.close()
        self.server.close()

    def _unit(self, name: str, program: str, *arguments: str, port: int, ready: str) -> Unit:
        environment = self._environment(f"redis://127.0.0.1:{port}/0")
        return Unit(name, program, *arguments, environment=environment, logs=self.logs, ready=ready)

    def _environment(self, url: str) -> dict[str, str]:
        return {
            "PENSTOCK_REDIS_URL": url,
            "PENSTOCK_MODELS": ",".join(str(ROOT / "tests/models" / model) for model in MODELS),
            "PENSTOCK_CONCURRENCY": str(self.setup.children),
            "PENSTOCK_LEASE_SECONDS": str(self.setup.lease_seconds),
            "PENSTOCK_MAX_ATTEMPTS": str(self.setup.max_attempts),
            "PENSTOCK_DRAIN_SECONDS": str(self.setup.drain_seconds),
            "EXECUTION_LOG": str(self.executions),
            DIRECTORY: str(self.points),
        }


@contextlib.asynccontextmanager
async def running(setup: Setup, directory: Path):
    """Give a system that runs, and end it whatever happens."""
    system = System(setup, directory)
    try:
        await system.start()
        yield system
    finally:
        await system.close()
