"""A server that is made a replica while somebody waits for its answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.ledger.connection import Ledger, LedgerUnavailable
from tests.redis_server import RedisServer
from tests.waiting import eventually


def test_who_waits_for_a_message_is_told_that_the_ledger_is_unavailable(server: RedisServer, ledger: Ledger) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ledger.pop, ["nothing"], 4.0)
        eventually(lambda: server.client.info("clients")["blocked_clients"] == 1)
        server.client.replicaof("127.0.0.1", 1)
        try:
            with pytest.raises(LedgerUnavailable):
                waiting.result(3)
        finally:
            server.client.replicaof("NO", "ONE")
