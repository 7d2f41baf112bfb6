"""A server that hangs up on whoever connects, as one that is being killed or a proxy without a server does."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

from shared.ledger import calls
from shared.ledger.connect import connect, connect_async
from shared.ledger.connection import AsyncLedger, LedgerUnavailable

CALLS = 300


@pytest.fixture
def rude_port() -> Iterator[int]:
    """Accepts, and resets at once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


def test_the_api_is_told_that_it_is_unavailable_and_nothing_else(rude_port: int) -> None:
    """On uvloop, which has an exception of its own for it."""

    async def ask(ledger: AsyncLedger) -> set[bool]:
        found: list[Any] = []
        for _ in range(CALLS):  # one after the other, or they would share a few connections
            found += await asyncio.gather(ledger.run(calls.census([])), return_exceptions=True)
        await ledger.close()
        return {isinstance(error, LedgerUnavailable) or repr(error) for error in found}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask(connect_async(f"redis://127.0.0.1:{rude_port}/0", name="test"))) == {True}


def test_a_worker_is_told_that_it_is_unavailable_and_nothing_else(rude_port: int) -> None:
    ledger = connect(f"redis://127.0.0.1:{rude_port}/0", name="test")
    for _ in range(CALLS):
        with pytest.raises(LedgerUnavailable):
            ledger.run(calls.census([]))
    ledger.close()
