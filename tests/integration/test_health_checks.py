"""The health checks that an image runs: they ask no Redis, so an outage of it restarts nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.client import Client
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
HOUR = 3600


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alive"


def check(module: str, **variables: str) -> int:
    environment = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=environment, timeout=20, check=False).returncode


def is_touched(file: Path) -> bool:
    """Tell whether a file that seems an hour old is touched again."""
    before = file.stat().st_mtime - HOUR
    os.utime(file, (before, before))
    return bool(eventually(lambda: file.stat().st_mtime > before + HOUR / 2))


def test_a_worker_is_well_once_it_has_loaded_and_also_while_redis_is_away(
    broker_server: RedisServer, add_worker: AddWorker, file: Path
) -> None:
    file.touch()  # left by an earlier one
    worker = add_worker(PENSTOCK_HEARTBEAT_FILE=str(file))
    eventually(lambda: not file.exists())
    worker.ready()
    eventually(file.exists)

    assert check("worker.heartbeat", PENSTOCK_HEARTBEAT_FILE=str(file)) == 0
    with broker_server.frozen():
        assert is_touched(file)
    broker_server.kill()
    assert is_touched(file)
    worker.kill()
    os.utime(file, (0, 0))
    assert check("worker.heartbeat", PENSTOCK_HEARTBEAT_FILE=str(file)) == 1


def test_a_file_that_cannot_be_touched_is_a_wrong_setting(add_worker: AddWorker, tmp_path: Path) -> None:
    worker = add_worker(PENSTOCK_HEARTBEAT_FILE=str(tmp_path / "no" / "where"))

    assert worker.wait() == 2
    assert "PENSTOCK_HEARTBEAT_FILE" in worker.logs()


def test_an_api_is_alive_also_while_redis_is_away(client: Client, broker_server: RedisServer) -> None:
    port = str(client.http.base_url.port)

    assert check("api.alive", PENSTOCK_API_PORT=port) == 0
    with broker_server.frozen():
        assert check("api.alive", PENSTOCK_API_PORT=port) == 0


def test_where_nobody_serves_nobody_is_alive() -> None:
    assert check("api.alive", PENSTOCK_API_PORT=str(free_port())) == 1
