"""One API process and one server for a file of tests. No worker runs: they do its part with the ledger's calls."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.settings import DEFAULT_MODELS, SHIPPED_MODELS
from tests.integration.api.process import MAX_BODY_BYTES, Api
from tests.redis_server import RedisServer
from tests.unit.api.examples import write_models


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pen") as short:  # a Unix socket's path may have 100 bytes
        yield Path(short)


@pytest.fixture(scope="module")
def models(folder: Path) -> str:
    shipped = [SHIPPED_MODELS / name for name in DEFAULT_MODELS]
    return ",".join(map(str, [*write_models(folder), *shipped]))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def api(server: RedisServer, models: str) -> Iterator[Api]:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_MAX_BODY_BYTES=str(MAX_BODY_BYTES))
    yield api
    assert api.close() == 0
    assert "Traceback" not in "".join(api.log)


@pytest.fixture
def http(api: Api, server: RedisServer) -> httpx2.Client:
    server.client.flushall()
    return api.http


@pytest.fixture
def ledger(server: RedisServer) -> Iterator[Ledger]:
    ledger = connect(server.url, name="test")
    yield ledger
    ledger.close()
