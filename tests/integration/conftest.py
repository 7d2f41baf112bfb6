"""The real thing, from outside: pytest-celery's setup with local processes, and the API in front of it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from pytest_celery import (
    CeleryBrokerCluster,
    CeleryTestBroker,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
)

from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from tests.integration.client import Client
from tests.integration.crowd import variant
from tests.integration.nodes import ROOT, ApiProcess, BrokerProcess, WorkerProcess
from tests.integration.receiver import Receiver
from tests.redis_server import RedisServer
from tests.waiting import eventually

LEASE_SECONDS = 2.0
SERVED = ("models/wait", "tests/models/echo", "tests/models/faulty")


@pytest.fixture
def execution_log(tmp_path: Path) -> Path:
    """Where the echo model notes what it executes."""
    log = tmp_path / "executions"
    log.touch()
    return log


@pytest.fixture
def broker_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def ledger(broker_server: RedisServer) -> Iterator[Ledger]:
    """A connection of the test's own, past the API."""
    ledger = connect(broker_server.url, name="test")
    yield ledger
    ledger.close()


@pytest.fixture
def environment(broker_server: RedisServer, execution_log: Path) -> dict[str, str]:
    """What every process of this installation is told."""
    return {
        "PENSTOCK_REDIS_URL": broker_server.url,
        "PENSTOCK_MODELS": ",".join(str(ROOT / folder) for folder in SERVED),
        "PENSTOCK_CONCURRENCY": "2",
        "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS),
        "PENSTOCK_DRAIN_SECONDS": "1",
        "EXECUTION_LOG": str(execution_log),
    }


@pytest.fixture
def celery_broker_cluster(broker_server: RedisServer) -> CeleryBrokerCluster:
    return CeleryBrokerCluster(CeleryTestBroker(BrokerProcess(broker_server)))


@pytest.fixture
def celery_backend_cluster() -> None:
    """Penstock keeps results in its ledger; Celery has no result backend."""


@pytest.fixture
def add_worker(environment: dict[str, str]) -> Iterator[Callable[..., WorkerProcess]]:
    """Start one more worker, with these command-line arguments and environment."""
    started: list[WorkerProcess] = []

    def add(*arguments: str, **more: str) -> WorkerProcess:
        started.append(WorkerProcess(*arguments, environment={**environment, **more}))
        return started[-1]

    yield add
    for worker in started:
        worker.close()


@pytest.fixture
def celery_worker_cluster(celery_setup_app: object, add_worker: Callable[..., WorkerProcess]) -> CeleryWorkerCluster:
    return CeleryWorkerCluster(CeleryTestWorker(add_worker(), celery_setup_app))


@pytest.fixture
def worker(celery_setup: CeleryTestSetup) -> WorkerProcess:
    """The first worker, once it has loaded its models."""
    assert celery_setup.ready(docker=True)
    process: WorkerProcess = celery_setup.worker.container
    return process


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[Client]:
    """A client of a running API."""
    api = ApiProcess(free_port(), environment)
    with httpx2.Client(base_url=api.url, timeout=10) as http:
        eventually(lambda: is_alive(http, api), within=20)
        yield Client(http)
    api.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of callbacks."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def is_alive(http: httpx2.Client, api: ApiProcess) -> bool:
    assert api.popen.poll() is None, api.logs()
    try:
        return http.get("/livez").is_success
    except httpx2.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """A model that computes one at a time."""
    return variant(tmp_path / "single", MAX_BATCH=1, TIME_LIMIT_SECONDS=600)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that tasks wait for."""
    return tmp_path / "gate"
