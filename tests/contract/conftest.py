from collections.abc import Iterator

import pytest

from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from tests.redis_server import KINDS, RedisServer


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Every contract holds on Valkey 9 and on Redis 7. A test that turns its settings turns them back."""
    server = RedisServer(request.param, "--busy-reply-threshold", "50")
    yield server
    server.close()


@pytest.fixture
def ledger(server: RedisServer) -> Iterator[Ledger]:
    server.client.flushall()
    ledger = connect(server.url, name="test")
    yield ledger
    ledger.close()
