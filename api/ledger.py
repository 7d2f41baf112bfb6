"""The ledger as the API asks it: never for longer than a client would wait, and one answer for every way to fail."""

import asyncio
import logging
from typing import TypeVar

from api.problems import ledger_unavailable
from shared.ledger.calls import Call
from shared.ledger.connection import AsyncLedger, LedgerUnavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

# Above what one connect or one answer may take (shared.ledger.connection), below a second also when a broken
# connection is tried once more.
PATIENCE_SECONDS = 0.8


class BoundedLedger:
    """Runs ledger calls within PATIENCE_SECONDS each, waiting for a free connection included."""

    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger = ledger

    async def run(self, call: Call[T]) -> T:
        """Run one atomic step.

        Raises:
            Problem: ledger-unavailable; the step may or may not have happened.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._ledger.run(call)
        except LedgerUnavailable as error:  # asyncio's own TimeoutError is an OSError
            log.warning("the ledger did not answer %s: %s: %s", call.script, type(error).__name__, error)
            raise ledger_unavailable() from error

    async def close(self) -> None:
        """Close every connection."""
        await self._ledger.close()
